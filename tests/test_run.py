"""tests/run.sh: a crash costs one test, not the run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CRASH = """
import os, signal

def test_that_crashes():
    os.kill(os.getpid(), signal.SIGSEGV)
"""
SOUND = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_that_is_sound(number):
    assert number < 6
"""


@pytest.mark.slow
def test_a_crashing_test_is_named_and_the_others_run(root: Path, tmp_path: Path) -> None:
    files = [tmp_path / "test_crash.py", tmp_path / "test_sound.py"]
    for path, text in zip(files, (CRASH, SOUND), strict=True):
        path.write_text(text)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [root / "tests" / "run.sh", "-n", "2", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_crash.py::test_that_crashes" in done.stdout
    assert "1 failed, 6 passed" in done.stdout.splitlines()[-1]
