#!/usr/bin/env python3
"""A copy of a data directory with noises added: see --help, and minikaldi/scripts/augment.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("augment")
