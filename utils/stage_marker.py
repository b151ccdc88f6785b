#!/usr/bin/env python3
"""Whether a stage is up to date; records that it is complete: see --help, and minikaldi/scripts/stage_marker.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("stage_marker")
