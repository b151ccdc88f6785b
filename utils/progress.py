#!/usr/bin/env python3
"""Run a command and say how far it is: see --help, and minikaldi/scripts/progress.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("progress")
