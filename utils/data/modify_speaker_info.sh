#!/usr/bin/env python3
"""Speakers cut into smaller ones: see --help, and minikaldi/scripts/modify_speakers.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("modify_speakers")
