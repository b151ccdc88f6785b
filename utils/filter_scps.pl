#!/usr/bin/env python3
"""One table cut into several by lists of ids: see --help, and minikaldi/scripts/filter_scps.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("filter_scps")
