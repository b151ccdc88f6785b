#!/usr/bin/env python3
"""Turn utt2spk into spk2utt: see --help, and minikaldi/data_dir/spk2utt.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.data_dir.spk2utt")
