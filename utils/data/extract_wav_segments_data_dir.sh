#!/usr/bin/env python3
"""Segments as audio of their own: see --help, and minikaldi/scripts/extract_wav_segments.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("extract_wav_segments")
