#!/usr/bin/env python3
"""Run a command, or many at once, on this machine: see --help, and minikaldi/jobs/run_jobs.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.program import run_script  # noqa: E402

run_script("minikaldi.jobs.run_jobs")
