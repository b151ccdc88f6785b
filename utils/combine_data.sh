#!/usr/bin/env python3
"""Combine data directories: see --help, and minikaldi/data_dir/combine.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.combine")
