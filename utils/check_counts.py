#!/usr/bin/env python3
"""Count what went in, came out and was dropped: see --help, and minikaldi/scripts/check_counts.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("check_counts")
