#!/usr/bin/env python3
"""Combine the data with a faster and a slower copy: see --help, and minikaldi/copies/speed.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from common.program import run_script  # noqa: E402

run_script("minikaldi.copies.speed")
