"""Without a browser the tests of the report are skipped, or are errors if PIPELINE_NEED_BROWSER=1 is set."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("need", "code", "outcome"), [("1", 1, r"chromium-driver are not installed.*1 error"), ("", 0, "1 skipped")]
)
def test_an_absent_browser_is_skipped_or_an_error(
    root: Path, tmp_path: Path, need: str, code: int, outcome: str
) -> None:
    words = ["tests/scoring/test_report_browser.py", "--all", "-k", "console", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PATH": str(tmp_path), "PIPELINE_NEED_BROWSER": need}
    command = [sys.executable, "-m", "pytest", "-q", *words, f"--basetemp={tmp_path / 'base'}"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code and re.search(outcome, done.stdout, re.DOTALL), done.stdout + done.stderr
