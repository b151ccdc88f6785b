#!/usr/bin/env python3
"""Lines of a table whose id is in a list: see --help, and minikaldi/scripts/filter_scp.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("filter_scp")
