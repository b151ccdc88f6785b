#!/usr/bin/env python3
"""utt2dur: seconds of each utterance: see --help, and minikaldi/scripts/durations.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from minikaldi.scripts.cli import run  # noqa: E402

run("durations")
