#!/usr/bin/env python3
"""Sort a data directory and keep the ids that all its tables have: see --help, and minikaldi/data_dir/fix.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.fix")
