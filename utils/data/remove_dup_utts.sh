#!/usr/bin/env python3
"""Fewer utterances that all say the same: see --help, and minikaldi/scripts/repeated_texts.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("repeated_texts")
