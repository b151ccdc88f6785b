#!/usr/bin/env python3
"""Print the lines of a table whose id is in a list: see --help, and minikaldi/data_dir/filter_scp.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.filter_scp")
