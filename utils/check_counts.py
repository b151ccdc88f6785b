#!/usr/bin/env python3
"""Count what went in, came out and was dropped: see --help, and recipe/counts.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("recipe.counts")
