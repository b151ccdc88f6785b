#!/usr/bin/env python3
"""Run a bash script and leave none of its processes: see recipe/guard.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from recipe.guard import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
