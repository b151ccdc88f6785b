#!/usr/bin/env python3
"""Copies of a data directory as they sound in rooms: see --help, and minikaldi/copies/reverberate.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from common.program import run_script  # noqa: E402

run_script("minikaldi.copies.reverberate")
