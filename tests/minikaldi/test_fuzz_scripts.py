"""Script files from strangers: damaged lists give values or one error, and no list starts a process with pipes off."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import (
    FLOAT_MATRIX,
    WAVE,
    Holder,
    StreamContext,
    Wave,
    matrix_shape,
    open_read,
    open_write,
    random_access,
    read_matrix_rows,
    read_object,
    sequential,
    write_object,
    writer,
)
from minikaldi.running import run_command
from tests.minikaldi.helpers.fuzzing import Refusal, cuts, damaged, memory_limit, refusal_or_value

pytestmark = pytest.mark.filterwarnings("error")

MATRICES = {f"utt{number}": np.full((4, 3), number, dtype=np.float32) for number in range(3)}
# The list's line, the object's file and byte, or the file that cannot be opened.
PLACE = r"^standard input(:\d+|: key .+): |^standard input: the key .+ is there twice"


@pytest.fixture
def feats(tmp_path: Path) -> Path:
    """A folder with an archive and its script."""
    with writer(f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp", FLOAT_MATRIX) as out:
        for key, matrix in MATRICES.items():
            out.write(key, matrix)
    return tmp_path


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever would start a process fails, and says so in this list."""
    started: list[str] = []

    def refuse(name: str) -> Callable[..., None]:
        def start(*arguments: object, **options: object) -> None:
            started.append(f"{name} {arguments}")
            raise AssertionError(f"{name} was called: {arguments}")

        return start

    monkeypatch.setattr(subprocess, "Popen", refuse("Popen"))
    for name in ("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve", "spawnv"):
        monkeypatch.setattr(os, name, refuse(name))
    monkeypatch.setattr("threading.Thread.start", refuse("a thread, as pipes of our own commands have"))
    return started


def context(data: bytes, allow_pipes: bool = False) -> StreamContext:
    return StreamContext(io.BytesIO(data), allow_pipes=allow_pipes)


def read_script(data: bytes) -> list[tuple[str, Any]] | Refusal:
    def read() -> list[tuple[str, Any]]:
        with sequential("scp:-", FLOAT_MATRIX, context(data)) as table:
            return list(table)

    return refusal_or_value(read, (KaldiError,), PLACE, data)


def read_script_by_key(data: bytes) -> Any:
    def read() -> Any:
        with random_access("scp:-", FLOAT_MATRIX, context(data)) as table:
            present = "utt1" in table
            return table["utt1"] if present else None

    return refusal_or_value(read, (KaldiError,), PLACE, data)


def lists(folder: Path) -> dict[str, bytes]:
    plain = (folder / "a.scp").read_bytes()
    return {"offsets": plain, "ranges": plain.replace(b"\n", b"[0:2,1:2]\n"), "tabs": plain.replace(b" ", b"\t  ")}


def test_a_script_that_is_not_damaged_gives_the_matrices(feats: Path) -> None:
    for name, data in lists(feats).items():
        entries = read_script(data)
        assert not isinstance(entries, Refusal) and [key for key, _ in entries] == list(MATRICES)
        for key, matrix in entries:
            assert np.array_equal(matrix, MATRICES[key][:3, 1:3] if name == "ranges" else MATRICES[key])


def test_damaged_scripts_are_values_or_one_error(feats: Path, no_process: list[str]) -> None:
    with memory_limit():
        for data in lists(feats).values():
            for bytes_ in [*damaged(data, seed=8, mixed=40, header=40, places=1), *cuts(data, 100)]:
                read_script(bytes_)
                read_script_by_key(bytes_)
    assert not no_process


def test_a_script_that_is_cut_within_its_last_line_warns(feats: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = lists(feats)["offsets"]
    entries = read_script(data[:-1])  # all of the name is there, but who knows
    assert not isinstance(entries, Refusal) and len(entries) == 3
    assert "has no line end; truncated?" in caplog.text


@pytest.mark.slow
def test_scripts_damaged_in_many_places_are_values_or_one_error(feats: Path, no_process: list[str]) -> None:
    with memory_limit():
        for data in lists(feats).values():
            for bytes_ in damaged(data, seed=9, mixed=3000, header=len(data), places=5):
                read_script(bytes_)
                read_script_by_key(bytes_)
    assert not no_process


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_as_a_script_are_a_value_or_one_error(data: bytes, with_key: bool) -> None:
    read_script(b"utt1 " + data if with_key else data)


def hostile_names(canary: Path) -> Iterator[str]:
    """File names that would make the canary, did anybody run them."""
    command = f"touch {canary}"
    yield from (
        f"{command} |",
        f"{command}|",
        f"| {command}",
        f"|{command}",
        f"{command} | cat |",
        f"cat /dev/null; {command} |",
        f"$({command})",
        f"`{command}`",
        f"$({command}) |",
        f"x.ark:`{command}`",
        f"x.ark; {command}",
        f"x.ark && {command} &",
        f"ark:| {command}",
        f"ark:{command} |",
        f"scp:{command} |",
        f"cat <({command}) |",
        f"x.ark\r{command} |",
        f"x.ark\\\n{command} |",
        f"cat x.wav | tee {canary} |",
        f"cat {canary.parent}/x.wav | wav-copy - {canary} |",  # our own commands, which need no process
        f"wav-copy {canary.parent}/x.wav {canary} |",
        f"utils/to_wav.py {canary.parent}/x.wav 8000 | tee {canary} |",
        f"{command} |[0:1]",
        f"{command} |:5",
        f"\u00a0{command} |",
    )


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    write_object(f"{tmp_path}/x.wav", WAVE, Wave(16000.0, np.zeros((1, 400), dtype=np.float32)))
    return tmp_path / "canary"


def read_all(table: str, holder: Holder[Any], line: bytes) -> None:
    with sequential(table, holder, context(line)) as entries:
        list(entries)


def read_one(table: str, holder: Holder[Any], line: bytes) -> None:
    with random_access(table, holder, context(line)) as entries:
        entries["utt1"]


def write_one(table: str, line: bytes) -> None:
    with writer(table, FLOAT_MATRIX, context(line)) as out:
        out.write("utt1", MATRICES["utt0"])


def read_bytes(name: str) -> None:
    with open_read(name, context(b"")) as stream:
        stream.read()


def write_bytes(name: str) -> None:
    with open_write(name, context(b"")) as stream:
        stream.write(b"x")


def uses_of(name: str) -> Iterator[Callable[[], object]]:
    """Everything that takes a file's name, a list or a table's name, with pipes off."""
    line = f"utt1 {name}\n".encode()
    for holder in (FLOAT_MATRIX, WAVE):
        for table in ("scp:-", "scp,p:-", f"ark:{name}", f"scp:{name}", f"ark,p:{name}"):
            yield partial(read_all, table, holder, line)
            yield partial(read_one, table, holder, line)
        yield partial(read_object, name, holder, context(b""))
    yield partial(read_bytes, name)
    yield partial(read_matrix_rows, name, 0, 1)
    yield partial(matrix_shape, name)
    for table in ("scp:-", f"ark:{name}", f"ark,t:{name}", f"ark,scp:/dev/null,{name}", f"scp:{name}"):
        yield partial(write_one, table, line)
    yield partial(write_bytes, name)
    yield partial(write_object, name, FLOAT_MATRIX, MATRICES["utt0"], True, context(b""))


def test_no_hostile_name_starts_a_process_with_pipes_off(
    canary: Path, no_process: list[str], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv("MINIKALDI_NO_PIPES", "1")
    monkeypatch.setenv("PATH", f"{root}/minikaldi/bin:{os.environ['PATH']}")
    monkeypatch.chdir(canary.parent)  # some of these are names of files to write
    for name in hostile_names(canary):
        for attempt in uses_of(name):
            refusal_or_value(attempt, (KaldiError,), "", name)
    assert not no_process and not canary.exists()


def test_with_pipes_on_the_same_names_do_run(canary: Path) -> None:
    name = next(hostile_names(canary))
    with pytest.raises(KaldiError, match="expected"):
        read_object(name, FLOAT_MATRIX, context(b"", allow_pipes=True))
    assert canary.exists()


COMMANDS = (
    ["copy-feats", "scp:{list}", "ark:{out}"],
    ["copy-feats", "ark:{name}", "ark:{out}"],
    ["copy-feats", "ark:/dev/null", "ark:{name}"],
    ["copy-vector", "scp:{list}", "ark:{out}"],
    ["compute-mfcc-feats", "scp:{list}", "ark:{out}"],
    ["extract-segments", "scp:{list}", "{segments}", "ark:{out}"],
    ["wav-copy", "scp:{list}", "ark:{out}"],
    ["wav-copy", "{name}", "{out}"],
    ["wav-to-duration", "scp:{list}", "ark:{out}"],
    ["wav-reverberate", "--impulse-response={name}", "{wave}", "{out}"],
    ["wav-reverberate", "--additive-signals={name}", "--snrs=5", "--start-times=0", "{wave}", "{out}"],
    ["ivector-copy-plda", "{name}", "{out}"],
    ["ivector-mean", "scp:{list}", "{out}"],
    ["compute-eer", "{name}"],
)


@pytest.mark.parametrize("by_option", [True, False], ids=["--no-pipes", "MINIKALDI_NO_PIPES"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_no_command_starts_a_process_with_pipes_off(
    words: list[str], by_option: bool, canary: Path, no_process: list[str], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv("PATH", f"{root}/minikaldi/bin:{os.environ['PATH']}")
    monkeypatch.chdir(canary.parent)
    if not by_option:
        monkeypatch.setenv("MINIKALDI_NO_PIPES", "1")
    script, segments = canary.parent / "list.scp", canary.parent / "segments"
    segments.write_text("seg1 utt1 0 1\n")
    for name in hostile_names(canary):
        script.write_bytes(f"utt1 {name}\n".encode())
        places = {"list": script, "segments": segments, "name": name, "out": "out", "wave": canary.parent / "x.wav"}
        given = [word.format(**places) for word in words]
        argv = [given[0], *(["--no-pipes"] if by_option else []), *given[1:]]
        run_command(argv, io.BytesIO(), io.BytesIO())
    assert not no_process and not canary.exists()


def test_a_process_given_a_hostile_list_makes_no_canary(canary: Path, command_env: dict[str, str]) -> None:
    script = canary.parent / "wav.scp"
    script.write_text("".join(f"utt{number} {name}\n" for number, name in enumerate(hostile_names(canary))))
    for extra, env in ((["--no-pipes"], {}), ([], {"MINIKALDI_NO_PIPES": "1"})):
        command = ["wav-to-duration", *extra, f"scp,p:{script}", "ark,t:-"]
        done = subprocess.run(command, env=command_env | env, capture_output=True, cwd=canary.parent, check=False)
        assert not canary.exists()
        assert done.returncode != 0 and b"refused to run the pipe" in done.stderr


def test_damaged_hostile_lists_start_no_process(canary: Path, no_process: list[str]) -> None:
    names = list(hostile_names(canary))
    rng = random.Random(10)
    for _ in range(400):
        data = "".join(f"utt{number} {rng.choice(names)}\n" for number in range(3)).encode()
        for bytes_ in [data, *list(damaged(data, rng.randrange(1000), mixed=1, header=0, places=0))]:
            read_script(bytes_)
    assert not no_process and not canary.exists()


def test_refusals_name_the_key_and_what_to_do(canary: Path) -> None:
    outcome = read_script(b"utt1 touch x |\n")
    assert isinstance(outcome, Refusal)
    assert re.search(r"^standard input: key utt1: refused to run the pipe 'touch x': pipes are off", outcome.text)
