#!/usr/bin/env python3
"""Check a data directory: see --help, and minikaldi/scripts/validate.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("validate")
