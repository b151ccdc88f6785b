"""utils/run.pl as a process: logs, messages, exit codes, signals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Run

RUN = "utils/run.pl"


def test_the_log_has_kaldis_head_and_foot(run: Run, tmp_path: Path) -> None:
    assert run(RUN, "log/a.log", "echo", "hello").returncode == 0
    date = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \w+ \d{4}"
    assert re.fullmatch(
        f"# echo hello \n# Started at {date}\n#\nhello\n# Accounting: time=\\d+ threads=1\n"
        f"# Ended \\(code 0\\) at {date}, elapsed time \\d+ seconds\n",
        (tmp_path / "log/a.log").read_text(),
    )


def test_the_name_is_replaced_everywhere_as_a_substring(run: Run, tmp_path: Path) -> None:
    assert run(RUN, "--mem", "2G", "X=1:3", "--max-jobs-run", "2", "d.X/a.log", "echo", "fX.scp", "aXb").returncode == 0
    assert "\nf2.scp a2b\n" in (tmp_path / "d.2/a.log").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.1", "d.2", "d.3"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["echo", "a", r"\|", "tr", "a", "b"], None),
        (["echo", "a", "|", "tr", "a", "b"], "b"),
        (["echo", "two  spaces"], "two  spaces"),
        (["echo", 'has "quotes" $HOME'], 'has "quotes" $HOME'),
        (["x=1;", "echo", "$x"], "1"),
        (["echo", "[", "", "]"], "[  ]"),
    ],
)
def test_words_are_quoted_as_kaldi_quotes_them(run: Run, tmp_path: Path, words: list[str], output: str | None) -> None:
    assert run(RUN, "a.log", *words).returncode == 0
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert lines[3:-2] == [output if output is not None else "a | tr a b"]


def test_a_word_with_blanks_is_one_command_name(run: Run, tmp_path: Path) -> None:
    done = run(RUN, "a.log", "exit 5")
    assert done.returncode == 1
    assert "run.pl: job failed, log is in a.log" in done.stderr
    assert "# Ended (code 127)" in (tmp_path / "a.log").read_text()


def test_all_jobs_run_and_the_first_failure_is_reported(run: Run, tmp_path: Path) -> None:
    done = run(RUN, "JOB=1:4", "a.JOB.log", "echo", "ERROR:", "job", "JOB;", "test", "JOB", "-ne", "3")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "run.pl: 1 / 4 failed, log is in a.*.log",
        "run.pl: a.3.log: ERROR: job 3",
    ]
    assert "# Ended (code 0)" in (tmp_path / "a.4.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["a.log"], 255, "Usage"),
        (["JOB=0:2", "a.JOB.log", "true"], 255, "JOB=0:2"),
        (["JOB=3:2", "a.JOB.log", "true"], 255, "JOB=3:2"),
        (["JOB=1:2", "a.log", "true"], 1, "just one log file"),
        (["--max-jobs-run", "0", "a.log", "true"], 255, "--max-jobs-run"),
        (["--pick", "some", "a.log", "true"], 255, "--pick"),
    ],
)
def test_bad_command_lines_are_refused_with_kaldis_codes(run: Run, arguments: list[str], code: int, text: str) -> None:
    done = run(RUN, *arguments)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr


def test_pick_runs_what_failed_or_never_ended(run: Run, tmp_path: Path) -> None:
    run(RUN, "JOB=1:3", "a.JOB.log", "test", "JOB", "-ne", "2")
    (tmp_path / "a.3.log").write_text("# killed before its end\n")
    assert run(RUN, "--pick", "incomplete", "JOB=1:3", "a.JOB.log", "echo", "again").returncode == 1  # 2 stays failed
    assert ["again\n" in (tmp_path / f"a.{job}.log").read_text() for job in (1, 2, 3)] == [False, False, True]
    assert run(RUN, "--pick", "failed", "JOB=1:3", "a.JOB.log", "echo", "again").returncode == 0
    assert ["again\n" in (tmp_path / f"a.{job}.log").read_text() for job in (1, 2, 3)] == [False, True, True]


def test_options_of_other_runners_are_accepted(run: Run) -> None:
    options = ["-V", "--num-threads", "2", "-pe", "smp", "3", "-l", "ram=2G", "--config", "none.conf", "-tc", "5"]
    assert run(RUN, *options, "a.log", "true").returncode == 0


def test_a_signal_ends_the_jobs_and_their_children(root: Path, tmp_path: Path) -> None:
    command = [str(root / RUN), "JOB=1:2", "a.JOB.log", "sleep", "61.JOB", "|", "cat"]
    runner = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "a.2.log").exists():
        time.sleep(0.02)
    time.sleep(0.1)
    runner.send_signal(signal.SIGTERM)
    _, errors = runner.communicate(timeout=20)
    assert runner.returncode == 128 + signal.SIGTERM
    assert "ended by signal 15" in errors
    assert "signal 15" in (tmp_path / "a.1.log").read_text()
    alive = subprocess.run(["pgrep", "-f", "^sleep 61[.][12]$"], capture_output=True, text=True, check=False).stdout
    assert alive == ""


def test_no_job_is_started_after_a_signal(root: Path, tmp_path: Path) -> None:
    """Where it comes while the runner does not wait for a job."""
    program = f"""
import os, runpy, signal, sys
sys.path.insert(0, {str(root)!r})
from minikaldi.jobs import run_jobs
start = run_jobs.LoggedJob.start
def start_and_signal(job):
    start(job)
    os.kill(os.getpid(), signal.SIGTERM)
run_jobs.LoggedJob.start = start_and_signal
sys.argv = ["run.pl", "JOB=1:3", "a.JOB.log", "sleep", "0.2"]
runpy.run_path({str(root / RUN)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert [path.name for path in tmp_path.glob("*.log")] == ["a.1.log"]


def test_jobs_do_not_wait_for_standard_input(root: Path, tmp_path: Path) -> None:
    with subprocess.Popen([str(root / RUN), "a.log", "cat"], cwd=tmp_path, stdin=subprocess.PIPE) as runner:
        assert runner.wait(timeout=20) == 0
