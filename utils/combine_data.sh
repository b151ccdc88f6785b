#!/usr/bin/env python3
"""Several data directories as one: see --help, and minikaldi/scripts/combine.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("combine")
