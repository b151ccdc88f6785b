#!/usr/bin/env python3
"""How long stages took and will take: see --help, and minikaldi/scripts/stage_times.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("stage_times")
