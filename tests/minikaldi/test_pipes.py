"""Pipes in file names: which run inside, that both kinds give the same bytes, and how failures surface."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, StreamContext, read_object, sequential, write_object, writer
from minikaldi.io.channel import Channel, ChannelReader, ChannelWriter
from minikaldi.io.inner import parse_pipeline
from minikaldi.running import run_command

VECTOR = np.arange(3, dtype=np.float32)


@pytest.fixture
def place(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with x.vec, current, and our commands on PATH."""
    monkeypatch.setenv("PATH", f"{root}/minikaldi/bin:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    write_object("x.vec", FLOAT_VECTOR, VECTOR)
    return tmp_path


def test_our_commands_and_quotes_are_run_inside(place: Path) -> None:
    assert parse_pipeline("copy-vector x.vec -") == [["copy-vector", "x.vec", "-"]]
    assert parse_pipeline("cat x.vec | copy-vector --scale='2' - - |copy-vector \"a b\" -") == [
        ["cat", "x.vec"],
        ["copy-vector", "--scale=2", "-", "-"],
        ["copy-vector", "a b", "-"],
    ]
    nested = """wav-reverberate --additive-signals='wav-copy "n.wav" - |' --snrs='8,0' a.wav -"""
    assert parse_pipeline(nested) == [
        ["wav-reverberate", '--additive-signals=wav-copy "n.wav" - |', "--snrs=8,0", "a.wav", "-"]
    ]


@pytest.mark.parametrize(
    "words",
    [r"my\ noise.wav -", r"it\'s.wav -", r'"to\ wav my\ noise |" -', r"a\\b 'c\d' \$HOME", r'"a\b"c\*d ""'],
)
def test_backslashes_mean_what_they_mean_to_the_shell(place: Path, words: str) -> None:
    shell = subprocess.run(["bash", "-c", rf"printf '%s\n' {words}"], capture_output=True, text=True, check=True).stdout
    assert parse_pipeline(f"copy-vector {words}") == [["copy-vector", *shell.splitlines()]]


def test_to_wav_of_this_checkout_is_run_inside(place: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_pipeline(f"{root}/utils/to_wav.py a.flac 16000") is not None
    monkeypatch.chdir(root)
    assert parse_pipeline("utils/to_wav.py a.flac 16000") is not None


@pytest.mark.parametrize(
    "command",
    [
        "sox x.wav -t wav -",
        "copy-vector x.vec - > y",
        "copy-vector $HOME/x -",
        'copy-vector "$HOME/x" -',
        "copy-vector x -; true",
        "copy-vector *.vec -",
        'copy-vector "x\\"y" -',
        "copy-vector x\\\ny -",
        "copy-vector x - && true",
        "copy-vector x - || true",
        "FOO=1 copy-vector x -",
        "copy-vector x - | gzip -c",
        "copy-vector x '| gzip -c'",
        "copy-feats ark:x 'ark,t:| gzip -c'",
        "copy-vector 'x -",
        "cat a b",
        "cat",
        "",
    ],
)
def test_whatever_needs_a_shell_or_is_not_ours_gets_one(place: Path, command: str) -> None:
    assert parse_pipeline(command) is None


def test_another_program_of_our_name_is_never_bypassed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = place / "wrap" / "copy-vector"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/sh\necho ' [ 42 ]'\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    assert parse_pipeline("copy-vector x.vec -") is None
    assert list(read_object("copy-vector x.vec - |", FLOAT_VECTOR)) == [42]


@pytest.mark.parametrize(
    "command",
    [
        "copy-vector x.vec - |",
        "cat x.vec |",
        "cat x.vec | copy-vector - - | copy-vector --print-args=false - - |",
        "cat x.vec; true |",
        "copy-vector 'copy-vector \"cat x.vec |\" - |' - |",
    ],
)
def test_inside_and_outside_give_the_same(place: Path, command: str) -> None:
    assert np.array_equal(read_object(command, FLOAT_VECTOR), VECTOR)


def test_inner_pipe_starts_no_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert np.array_equal(read_object("copy-vector x.vec - |", FLOAT_VECTOR), VECTOR)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("copy-vector gone - |", 255),
        ("copy-vector gone - | copy-vector - - |", 255),
        ("copy-vector --typo=1 x.vec - |", 1),
    ],
)
def test_failing_inner_pipe_names_its_command_and_code(place: Path, command: str, code: int) -> None:
    with pytest.raises(KaldiError, match=rf"the pipe 'copy-vector .* failed with exit code {code}$"):
        read_object(command, FLOAT_VECTOR)


@pytest.mark.parametrize("command", ["exit 3 |", "cat x.vec; exit 3 |"])
def test_failing_shell_pipe_names_its_command_and_code(place: Path, command: str) -> None:
    with pytest.raises(KaldiError, match="exit 3' failed with exit code 3"):
        read_object(command, FLOAT_VECTOR)


def test_output_pipe_gets_what_is_written_and_fails_aloud(place: Path) -> None:
    write_object("| copy-vector --scale=2 - y.vec", FLOAT_VECTOR, VECTOR)
    write_object("| cat > z.vec", FLOAT_VECTOR, VECTOR)
    assert np.array_equal(read_object("y.vec", FLOAT_VECTOR), 2 * VECTOR)
    assert np.array_equal(read_object("z.vec", FLOAT_VECTOR), VECTOR)
    for command in ("| copy-vector - no/y", "| cat > no/y"):
        with pytest.raises(KaldiError, match="failed with exit code"):
            write_object(command, FLOAT_VECTOR, VECTOR)


@pytest.mark.parametrize("command", ["copy-feats ark:big.ark ark:- |", "cat big.ark; true |"])
def test_reader_that_has_enough_ends_the_command_without_an_error(place: Path, command: str) -> None:
    with writer("ark:big.ark", FLOAT_MATRIX) as out:
        for i in range(8):
            out.write(f"k{i}", np.zeros((10000, 30)))
    before = threading.active_count()
    with sequential(f"ark:{command}", FLOAT_MATRIX) as table:
        assert next(iter(table))[0] == "k0"
    assert threading.active_count() == before


def test_pipes_can_be_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("copy-vector x.vec - |", "true |"):
        with pytest.raises(KaldiError, match="pipes are off"):
            read_object(command, FLOAT_VECTOR, StreamContext(allow_pipes=False))
    monkeypatch.setenv("MINIKALDI_NO_PIPES", "1")
    with pytest.raises(KaldiError, match="pipes are off"):
        read_object("copy-vector x.vec - |", FLOAT_VECTOR)


def test_refusal_reaches_scripts_of_a_command(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "x.scp").write_text("a copy-vector x.vec - |\n")
    with (place / "in").open("wb+") as stdin, (place / "out").open("wb") as stdout:
        assert run_command(["copy-vector", "--no-pipes", "scp:x.scp", "ark:-"], stdin, stdout) == 255
        assert "--no-pipes" in capfd.readouterr().err
        assert run_command(["copy-vector", "scp:x.scp", "ark:-"], stdin, stdout) == 0


def test_channel_is_bounded_and_breaks_when_its_reader_leaves() -> None:
    channel = Channel(capacity=10)
    sent = []

    def send() -> None:
        out = ChannelWriter(channel)
        try:
            for _ in range(100):
                sent.append(out.write(b"12345"))
        except BrokenPipeError:
            sent.append(-1)

    thread = threading.Thread(target=send)
    thread.start()
    reader = ChannelReader(channel)
    assert reader.read(3) == b"123"
    thread.join(timeout=0.2)
    assert thread.is_alive() and len(sent) <= 3  # waits: no more than the capacity and one block are under way
    reader.close()
    thread.join(timeout=5)
    assert not thread.is_alive() and sent[-1] == -1
