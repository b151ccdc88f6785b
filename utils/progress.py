#!/usr/bin/env python3
"""Launcher of minikaldi/scripts/progress.py (see its --help)."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parent.parent / "minikaldi" / "scripts" / "progress.py"), run_name="__main__")
