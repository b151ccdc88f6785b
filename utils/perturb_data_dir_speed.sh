#!/usr/bin/env python3
"""Copy a data directory at another speed: see --help, and minikaldi/copies/speed.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.copies.speed")
