"""Claims about progress lines: of a loop, and of a command that is watched."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from common.progress import Progress, ProgressLine, about, format_seconds, with_progress
from recipe import progress as watcher


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_time_left_is_written_as_minutes_or_hours() -> None:
    assert [format_seconds(s) for s in (0, 59.6, 190, 7390)] == ["0:00", "1:00", "3:10", "2:03:10"]


def test_an_estimate_has_no_more_digits_than_it_deserves() -> None:
    estimates = {
        0: "1 s",
        7.4: "7 s",
        42: "40 s",
        54.9: "50 s",
        56: "1 min",
        547: "9 min",
        3570: "1 h",
        7900: "2 h 10 min",
    }
    assert {seconds: about(seconds) for seconds in estimates} == {s: f"about {text}" for s, text in estimates.items()}


def test_progress_prints_once_per_interval_with_the_time_left() -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Progress("extract", 100, "utterances", stream=stream, clock=lambda: now[0])
    for _ in range(30):
        now[0] += 1.0
        progress.update()
    progress.close()
    assert stream.getvalue().splitlines() == [
        "extract: 10/100 (10 %), 1.0 utterances/s, left 1:30",
        "extract: 20/100 (20 %), 1.0 utterances/s, left 1:20",
        "extract: 30/100 (30 %), 1.0 utterances/s, left 1:10",
    ]


def test_progress_of_unknown_length_reports_the_speed_alone() -> None:
    progress = Progress("extract", 0, "utterances", stream=io.StringIO())
    progress.update(50)
    assert progress.line(2.0) == "extract: 50, 25 utterances/s"


def test_a_short_loop_prints_no_progress() -> None:
    stream = io.StringIO()
    progress = Progress("extract", 3, "utterances", stream=stream)
    progress.update(3)
    progress.close()
    assert stream.getvalue() == ""


def test_a_terminal_line_is_rewritten_and_taken_away_at_the_end() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    for text in ("a", "a", "b"):
        line.show(text)
    line.clear()
    assert stream.getvalue() == "\r\x1b[Ka\r\x1b[Kb\r\x1b[K"


def test_items_are_passed_on_in_order() -> None:
    assert list(with_progress(iter("abc"), 3, "letters", "letters")) == ["a", "b", "c"]


def test_lines_of_growing_files_are_counted_once(tmp_path: Path) -> None:
    counter = watcher.LineCounter(str(tmp_path / "raw.*.scp"))
    (tmp_path / "raw.1.scp").write_text("a 1\nb")
    assert counter.count() == 1
    (tmp_path / "raw.1.scp").write_text("a 1\nb 2\n")
    (tmp_path / "raw.2.scp").write_text("c 3\n")
    assert counter.count() == 3
    assert watcher.counted_lines(counter, 12, 10.0) == "3/12, 25 %, left 0:30"


def test_a_followed_log_line_is_printed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "train.log"
    log.write_text("step 10, loss 3.1, left 1:00\nsaved\n")
    monkeypatch.setattr(watcher, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr("common.progress.LOG_SECONDS", 0.0)
    with subprocess.Popen(["sleep", "0.2"]) as child:
        assert watcher.wait_and_report(child, "training", str(log), 0) == 0
    assert capsys.readouterr().err == "training: step 10, loss 3.1, left 1:00\n"


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -TERM $$", 143)])
def test_the_exit_code_is_the_commands(root: Path, command: str, code: int) -> None:
    words = ["--label", "x", "--follow", "none.log", "--", "sh", "-c", command]
    done = subprocess.run(
        [sys.executable, "-S", "-I", str(root / "utils/progress.py"), *words], cwd="/", capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_command_that_is_not_there_is_named(root: Path) -> None:
    words = ["--label", "x", "--follow", "none.log", "--", "no-such-command"]
    done = subprocess.run([root / "utils/progress.py", *words], cwd="/", capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "progress.py: no-such-command: No such file or directory\n"


def test_an_announced_line_is_shown_once_at_any_time_and_an_earlier_runs_is_not(tmp_path: Path, root: Path) -> None:
    log = tmp_path / "train.log"
    watch = ["--label", "training", "--follow", str(log), "--announce", "expected: ", "--"]

    def shown(script: str) -> str:
        command = [sys.executable, str(root / "utils/progress.py"), *watch, "bash", "-c", script]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stderr

    assert shown("echo begun > train.log; echo expected: 4 min >> train.log; echo expected: 3 >> train.log") == (
        "training: 4 min\n"
    )
    assert shown("true") == ""  # the log is that of the run before
    assert shown("sleep 0.4; printf 'expected: 9 min\nexp' > train.log") == "training: 9 min\n"
