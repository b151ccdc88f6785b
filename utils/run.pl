#!/usr/bin/env python3
"""Run a command, or many at once, on this machine: see --help, and minikaldi/scripts/run_options.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("run_options")
