#!/usr/bin/env python3
"""A copy of a data directory with noises added: see --help, and minikaldi/copies/augment.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from common.program import run_script  # noqa: E402

run_script("minikaldi.copies.augment")
