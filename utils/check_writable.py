#!/usr/bin/env python3
"""Whether the places of a run's results can be written to: see --help, and recipe/check_writable.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("recipe.check_writable")
