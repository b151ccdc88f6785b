#!/usr/bin/env python3
"""Cut a table into parts: see --help, and minikaldi/scripts/split_scp.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("split_scp")
