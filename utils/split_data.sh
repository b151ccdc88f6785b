#!/usr/bin/env python3
"""Parts of a data directory for parallel jobs: see --help, and minikaldi/scripts/split.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("split")
