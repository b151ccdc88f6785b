#!/usr/bin/env python3
"""Show which stages are complete: see --help, and recipe/markers.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("recipe.markers")
