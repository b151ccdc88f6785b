"""utils/wait_until_free.sh: whoever is at work in an experiment directory is named and waited for."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.own_processes import wait_until

from .conftest import Run

WHO = "training, pid 12 on node3 since 2026-01-01 00:00:00: python3 -m nnet.train\n"


@pytest.mark.parametrize(
    ("held", "options", "waits"),
    [
        (None, [], False),
        (fcntl.LOCK_EX, [], True),
        (fcntl.LOCK_EX, ["--shared"], True),
        (fcntl.LOCK_SH, [], True),
        (fcntl.LOCK_SH, ["--shared"], False),
    ],
)
def test_training_waits_for_all_and_extraction_for_training(
    root: Path, tmp_path: Path, held: int | None, options: list[str], waits: bool
) -> None:
    lock, log = tmp_path / "lock", tmp_path / "log"
    lock.write_text(WHO)  # without a lock it was left by a killed process
    with lock.open("r+") as holder, log.open("w") as stream:
        if held is not None:
            fcntl.flock(holder, held)
        command = [root / "utils/wait_until_free.sh", *options, tmp_path]
        process = subprocess.Popen(command, stderr=stream)
        if waits:
            wait_until(lambda: WHO.strip() in log.read_text(), "the holder is named")
            time.sleep(0.1)
            assert process.poll() is None
            assert f"{tmp_path} is in use" in log.read_text() and "end it with `kill`" in log.read_text()
        else:
            assert process.wait(timeout=60) == 0
            assert log.read_text() == ""
    assert process.wait(timeout=60) == 0


def test_where_a_file_system_has_no_locks_the_program_itself_is_asked(root: Path, tmp_path: Path) -> None:
    """Its answer, by the line and the file's time, is that of nnet/training/exp_lock.py."""
    (tmp_path / "lock").write_text(WHO)
    (tmp_path / "flock").write_text("#!/bin/sh\nexit 71\n")
    (tmp_path / "flock").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [root / "utils/wait_until_free.sh", tmp_path]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_directory_in_which_nobody_ever_worked_is_free_and_gets_no_file(run: Run, tmp_path: Path) -> None:
    assert run("utils/wait_until_free.sh", str(tmp_path / "exp")).returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert "Usage" in run("utils/wait_until_free.sh").stderr
