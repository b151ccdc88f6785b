"""Limits of options that both ./pipeline.sh and a program of nnet have. Standard library only."""

from __future__ import annotations

import re

DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]+)?")
"""The form of `--device`."""

DEVICE_NAMES = "auto, cpu, cuda or cuda:<n>"
"""The same in words."""

MOST_VALID_SHARE = 0.5
"""The largest `--valid-share`."""
