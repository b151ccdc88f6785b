#!/usr/bin/env python3
"""Print some lines of a table: see --help, and minikaldi/data_dir/subset_scp.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.subset_scp")
