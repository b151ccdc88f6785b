#!/usr/bin/env python3
"""How long stages took and will take: see --help, and recipe/stage_times.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("recipe.stage_times")
