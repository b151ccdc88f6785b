#!/usr/bin/env python3
"""Change the volume of each recording: see --help, and minikaldi/data_dir/change_audio.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.change_audio")
