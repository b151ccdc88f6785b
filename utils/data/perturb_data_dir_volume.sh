#!/usr/bin/env python3
"""Another volume for each recording: see --help, and minikaldi/scripts/change_audio.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("change_audio")
