#!/usr/bin/env python3
"""A data directory under other ids: see --help, and minikaldi/scripts/copy_dir.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("copy_dir")
