#!/usr/bin/env python3
"""spk2utt -> utt2spk: see --help, and minikaldi/scripts/spk2utt.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from minikaldi.scripts.cli import run  # noqa: E402

run("spk2utt")
