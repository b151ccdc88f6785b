"""A tool that is killed leaves no partial output, and its successor clears away what it could not."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from .conftest import Run, content, table

# Enough for a tool to be caught while it writes.
NUM_UTTS = 60000


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A data directory whose tables take some tenths of a second to write."""
    utts = [f"spk{number // 100:03d}-{number:05d}" for number in range(NUM_UTTS)]
    folder = tmp_path / "data"
    table(folder, "utt2spk", *(f"{utt} {utt[:6]}" for utt in utts))
    for name in ("wav.scp", "text", "utt2lang", "utt2uniq", "vad.scp"):
        table(folder, name, *(f"{utt} {name}-{utt}" for utt in utts))
    for name in ("utt2dur", "reco2dur"):
        table(folder, name, *(f"{utt} 2.5" for utt in utts))
    return folder


def hidden(folder: Path) -> list[Path]:
    """What is being written in a folder, or was left so."""
    return [path for path in folder.rglob(".*.writing.*")]


def caught_writing(root: Path, folder: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """The tool, stopped while it writes."""
    process = subprocess.Popen([str(root / words[0]), *words[1:]], cwd=folder, stderr=subprocess.DEVNULL)
    while not hidden(folder):
        assert process.poll() is None, "it ended before it was caught"
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None, "it ended before it was caught"
    assert hidden(folder), "it had written all when it was stopped"
    return process


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal to the stopped process; returns its code."""
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    return process.wait(timeout=60)


TOOLS = {
    "combine": ["utils/combine_data.sh", "out", "data"],
    "copy": ["utils/copy_data_dir.sh", "--utt-suffix", "-x", "data", "out"],
    "subset": ["utils/subset_data_dir.sh", "--first", "data", "50000", "out"],
    "perturb": ["utils/perturb_data_dir_speed.sh", "1.1", "data", "out"],
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_ended_leaves_nothing(large: Path, root: Path, tool: str, number: signal.Signals) -> None:
    here = large.parent
    before = content(large)
    code = end(caught_writing(root, here, TOOLS[tool]), number)
    assert code == 128 + number
    assert [path.name for path in here.iterdir()] == ["data"]
    assert content(large) == before


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_killed_leaves_no_directory_and_the_next_clears_up(
    large: Path, root: Path, run: Run, tool: str
) -> None:
    here = large.parent
    assert end(caught_writing(root, here, TOOLS[tool]), signal.SIGKILL) == -signal.SIGKILL
    assert not (here / "out").exists()
    assert len(hidden(here)) == 1
    assert run(*TOOLS[tool]).returncode == 0
    assert hidden(here) == []
    assert sorted(path.name for path in here.iterdir()) == ["data", "out"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_directory_that_is_there_stays_as_it_was(large: Path, root: Path, run: Run, number: signal.Signals) -> None:
    lines = (large / "wav.scp").read_text().splitlines()
    table(large, "wav.scp", *reversed(lines))
    before = content(large)
    end(caught_writing(root, large.parent, ["utils/fix_data_dir.sh", "data"]), number)
    left = {path: text for path, text in content(large).items() if not path.startswith("..writing.")}
    assert left == before
    assert run("utils/fix_data_dir.sh", "data").returncode == 0
    assert hidden(large) == []
    assert (large / "wav.scp").read_text().splitlines() == lines


def test_split_parts_appear_together(large: Path, root: Path, run: Run) -> None:
    words = ["utils/split_scp.pl", "data/wav.scp", *(f"part.{number}" for number in range(200))]
    assert end(caught_writing(root, large.parent, words), signal.SIGKILL) == -signal.SIGKILL
    assert list(large.parent.glob("part.*")) == []
    assert run(*words).returncode == 0
    assert hidden(large.parent) == []
    assert "".join((large.parent / word).read_text() for word in words[2:]) == (large / "wav.scp").read_text()


def test_a_killed_split_is_made_again(large: Path, root: Path, run: Run) -> None:
    assert run("utils/split_data.sh", "data", "4").returncode == 0
    table(large, "wav.scp", *(line + "x" for line in (large / "wav.scp").read_text().splitlines()))
    assert end(caught_writing(root, large.parent, ["utils/split_data.sh", "data", "4"]), signal.SIGKILL) == -9
    assert run("utils/split_data.sh", "data", "4").returncode == 0
    parts = "".join((large / f"split4/{part}/wav.scp").read_text() for part in (1, 2, 3, 4))
    assert parts == (large / "wav.scp").read_text()
    assert hidden(large) == []


def test_what_a_living_process_writes_is_left_alone(large: Path, root: Path, run: Run) -> None:
    process = caught_writing(root, large.parent, TOOLS["combine"])
    assert run("utils/combine_data.sh", "out", "data").returncode == 0
    assert len(hidden(large.parent)) == 1
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=60) == 0
    assert hidden(large.parent) == []


@pytest.mark.parametrize("damage", ["part", "table", "content", "stamp"])
def test_split_remakes_what_is_gone(data: Path, run: Run, damage: str) -> None:
    assert run("utils/split_data.sh", "data", "2").returncode == 0
    whole = content(data)
    if damage == "part":
        for path in (data / "split2/2").iterdir():
            path.unlink()
        (data / "split2/2").rmdir()
    elif damage == "table":
        (data / "split2/1/vad.scp").unlink()
    elif damage == "content":
        (data / "split2/1/vad.scp").write_text("")
    else:
        (data / "split2/.made_from").write_bytes(b'{"from": \xff')
    assert run("utils/split_data.sh", "data", "2").returncode == 0
    assert content(data) == whole
