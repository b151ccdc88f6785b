#!/usr/bin/env python3
"""The number of frames of a data directory: see --help, and minikaldi/scripts/frame_counts.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("frame_counts")
