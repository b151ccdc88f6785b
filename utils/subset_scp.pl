#!/usr/bin/env python3
"""Some lines of a table: see --help, and minikaldi/scripts/subset_scp.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("subset_scp")
