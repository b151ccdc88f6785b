"""--no-pipes and MINIKALDI_NO_PIPES=1: nothing is run, whatever a list from strangers says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import (
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    WAVE,
    StreamContext,
    Wave,
    matrix_shape,
    open_read,
    open_write,
    random_access,
    read_matrix_rows,
    sequential,
    write_object,
    writer,
)

# Each would make a file called canary: a shell, a shell after a range or a blank, our own command inside, and nested.
COMMANDS = [
    "touch canary |",
    " touch canary |",
    "touch canary |[0:1]",
    "copy-vector x.vec canary |",
    "copy-vector 'touch canary |' - |",
    "cat x.vec | copy-vector - canary |",
    "cat x.vec; touch canary |",
    "$(touch canary) |",
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with x.vec, x.mat, x.wav and lists whose every line is a command; no canary at the end."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(tmp_path)
    write_object("x.vec", FLOAT_VECTOR, np.ones(3))
    write_object("x.mat", FLOAT_MATRIX, np.ones((9, 3)))
    write_object("x.wav", WAVE, Wave(8000.0, np.ones((1, 8000), dtype=np.float32)))
    Path("good.scp").write_text("k x.vec\n")
    Path("wav.scp").write_text("rec x.wav\n")
    Path("segments").write_text("utt rec 0.0 0.5\n")
    for i, command in enumerate(COMMANDS):
        Path(f"{i}.scp").write_text(f"k {command}\nrec {command}\n")
        Path(f"{i}.to.scp").write_text(f"k |{command.rstrip('|')}\n")
    return tmp_path


def run_refusing(words: list[str], by_option: bool, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command as a process, with pipes refused in one of the two ways."""
    if by_option:
        words = [words[0], "--no-pipes", *words[1:]]
    else:
        env = {**env, "MINIKALDI_NO_PIPES": "1"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert not Path("canary").exists(), words
    return done


CALLS = [
    ["copy-vector", "scp:{i}.scp", "ark:y"],
    ["copy-vector", "scp,bg:{i}.scp", "ark:y"],
    ["copy-vector", "ark:{command}", "ark:y"],
    ["copy-vector", "scp:{command}", "ark:y"],
    ["copy-vector", "{command}", "y"],
    ["copy-vector", "x.vec", "| touch canary"],
    ["copy-vector", "x.vec", "| copy-vector - canary"],
    ["copy-vector", "scp:good.scp", "ark:| touch canary"],
    ["copy-vector", "scp:good.scp", "ark,scp:y,| touch canary"],
    ["copy-vector", "scp:good.scp", "scp:{i}.to.scp"],
    ["compute-mfcc-feats", "scp:{i}.scp", "ark:y"],
    ["compute-mfcc-feats", "--vtln-map=ark:{command}", "--utt2spk=ark:good.scp", "scp:{i}.scp", "ark:y"],
    ["extract-segments", "scp:{i}.scp", "segments", "ark:y"],
    ["extract-segments", "scp:wav.scp", "{command}", "ark:y"],
    ["extract-segments", "scp:wav.scp", "segments", "ark:| touch canary"],
    ["wav-reverberate", "--impulse-response={command}", "x.wav", "y.wav"],
    ["wav-reverberate", "--additive-signals={command}", "--start-times=0", "--snrs=3", "x.wav", "y.wav"],
    ["wav-reverberate", "x.wav", "| touch canary"],
    ["wav-to-duration", "scp:{i}.scp", "ark,t:-"],
    ["transform-vec", "{command}", "scp:good.scp", "ark:y"],
    ["select-voiced-frames", "ark:x.ark", "scp:{i}.scp", "ark:y"],
    ["ivector-mean", "ark:{command}", "scp:good.scp", "ark:y"],
    ["ivector-plda-scoring", "{command}", "scp:good.scp", "scp:good.scp", "{command}", "y"],
    ["compute-eer", "{command}"],
]


@pytest.mark.parametrize("call", range(len(CALLS)), ids=lambda call: " ".join(CALLS[call]))
def test_command_refuses_a_pipe_in_every_place(call: int, command_env: dict[str, str]) -> None:
    """One form of a pipe, in turns by the option and by the environment; the other forms are below."""
    with writer("ark:x.ark", FLOAT_MATRIX) as out:
        out.write("k", np.ones((3, 3)))
    words = [word.format(i=0, command=COMMANDS[0]) for word in CALLS[call]]
    done = run_refusing(words, call % 2 == 0, command_env)
    assert done.returncode not in (0, 1), done.stderr
    assert "pipes are off (--no-pipes or MINIKALDI_NO_PIPES=1)" in done.stderr


@pytest.mark.parametrize("i", range(len(COMMANDS)))
def test_every_form_of_a_pipe_is_refused_in_lists_and_names(i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIKALDI_NO_PIPES", "1")
    command = COMMANDS[i]
    reads = {
        "sequential": lambda: list(sequential(f"scp:{i}.scp", FLOAT_VECTOR)),
        "background": lambda: list(sequential(f"scp,bg:{i}.scp", FLOAT_VECTOR)),
        "by key": lambda: random_access(f"scp:{i}.scp", FLOAT_VECTOR)["k"],
        "rows": lambda: read_matrix_rows(command, 0, 1),
        "shape": lambda: matrix_shape(command),
    }
    if "[" not in command:  # which is for tables and objects
        reads["open"] = lambda: open_read(command)
        reads["archive"] = lambda: sequential(f"ark:{command}", FLOAT_VECTOR)
        reads["write"] = lambda: write_object(f"|{command}".rstrip("|"), FLOAT_VECTOR, np.ones(1))
    for what, read in reads.items():
        with pytest.raises(KaldiError, match="pipes are off"):
            read()
        assert not Path("canary").exists(), what


@pytest.mark.parametrize("i", range(len(COMMANDS)))
def test_permissive_tables_pass_over_refused_pipes(i: int, command_env: dict[str, str]) -> None:
    Path(f"{i}.scp").write_text(Path(f"{i}.scp").read_text() + "m x.vec\n")
    done = run_refusing(["copy-vector", f"scp,p:{i}.scp", "ark,t:-"], False, command_env)
    assert (done.returncode, done.stdout) == (0, "m  [ 1 1 1 ]\n")
    assert done.stderr.count("pipes are off") == 2


def test_refusal_by_the_caller_reaches_writers_too() -> None:
    closed = StreamContext(allow_pipes=False)
    for target in ("| touch canary", "|copy-vector - canary"):
        with pytest.raises(KaldiError, match="pipes are off"):
            open_write(target, closed)
        with pytest.raises(KaldiError, match="pipes are off"):
            writer(f"ark:{target}", FLOAT_VECTOR, closed)
    assert not Path("canary").exists()


@pytest.mark.parametrize(("value", "refused"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_environment_says_no_with_anything_but_0(value: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIKALDI_NO_PIPES", value)
    if refused:
        with pytest.raises(KaldiError, match="pipes are off"):
            open_read("touch canary |")
    else:
        with open_read("touch canary |") as stream:
            stream.read()
    assert Path("canary").exists() != refused
