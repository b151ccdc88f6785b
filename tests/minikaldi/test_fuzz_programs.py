"""Commands and bash scripts with damaged lists and option files: results or errors of one line, and nothing is run."""

from __future__ import annotations

import io
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from minikaldi import running
from minikaldi.command import Command, CommandRun
from minikaldi.io import WAVE, Wave, write_object
from minikaldi.options import NoOptions
from minikaldi.running import run_command
from tests.minikaldi.helpers.fuzzing import cuts, damaged, memory_limit, mixtures

pytestmark = pytest.mark.filterwarnings("error")

ROOT = Path(__file__).resolve().parents[2]
VECTORS = b"a  [ 1 2 ]\nb  [ 3 4 ]\n"
# A command, and a good list for its {list}.
COMMANDS = [
    (["compute-eer", "{list}"], b"1.5 target\n-2 nontarget\n"),
    (["ivector-compute-dot-products", "{list}", "ark:{vectors}", "ark:{vectors}", "{out}"], b"a b\nb b\n"),
    (["extract-segments", "scp:{waves}", "{list}", "ark:{out}"], b"s1 w 0 0.05\ns2 w 0.05 -1 0\n"),
    (["compute-mfcc-feats", "--config={list}", "scp:{waves}", "ark:{out}"], b"--num-ceps=5\n--dither=0\n"),
    (["ivector-mean", "ark:{list}", "ark:{vectors}", "ark:{out}"], b"s1 a b\ns2 b\n"),
    (["copy-vector", "ark:{list}", "ark,t:{out}"], VECTORS),
    (["ivector-copy-plda", "{list}", "{out}"], b"<Plda>  [ 1 2 ]\n [\n  1 0 \n  0 1 ]\n [ 2 1 ]\n</Plda> "),
]


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[list[str], bytes], None]:
    """command(words, list): run it over the list; fails the test on anything but a result or an error of one line."""
    (tmp_path / "vectors").write_bytes(VECTORS)
    write_object(f"{tmp_path}/w.wav", WAVE, Wave(8000.0, np.ones((1, 800), dtype=np.float32)))
    (tmp_path / "waves").write_text(f"w {tmp_path}/w.wav\n")
    names = {name: tmp_path / name for name in ("list", "vectors", "waves", "out")}
    (tmp_path / "list").touch()

    def run(words: list[str], data: bytes) -> None:
        with names["list"].open("r+b", buffering=0) as file:
            file.truncate(file.write(data))
        code = run_command([word.format(**names) for word in words], io.BytesIO(), io.BytesIO(), allow_pipes=False)
        said = capfd.readouterr().err
        assert "a fault of" not in said and "Traceback" not in said, f"{data[:200]!r}: {said[-2000:]}"
        assert said.count("ERROR (") == (code == 255 or said.count("ERROR (")), said

    return run


@pytest.mark.parametrize(("words", "good"), COMMANDS, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_commands_have_no_faults_of_their_own_with_damaged_lists(
    words: list[str], good: bytes, command: Callable[[list[str], bytes], None]
) -> None:
    command(words, good)
    with memory_limit():
        for data in [*damaged(good, seed=13, mixed=20, header=0, places=1), *cuts(good, 10)]:
            command(words, data)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "good"), COMMANDS, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_commands_have_no_faults_of_their_own_with_lists_damaged_in_many_places(
    words: list[str], good: bytes, command: Callable[[list[str], bytes], None]
) -> None:
    with memory_limit():
        for data in damaged(good, seed=14, mixed=400, header=40, places=4):
            command(words, data)


def faulty(fault: Exception) -> Command:
    """A command that is at fault itself."""

    def main(run: CommandRun, options: object, args: list[str]) -> int:
        raise fault

    return Command("copy-feats", "", "", (0, 0), NoOptions, main)


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_fault_of_a_command_is_one_line_and_the_traceback_is_for_who_asks(
    verbose: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "load_command", lambda name: faulty(IndexError("list index\nout of range")))
    code = run_command(["copy-feats", "--print-args=false", f"--verbose={verbose}"], io.BytesIO(), io.BytesIO())
    said = capsys.readouterr().err.splitlines()
    assert code == 255
    assert re.fullmatch(
        r"ERROR \(copy-feats\[minikaldi\]:main\(\):test_fuzz_programs.py:\d+\) a fault of copy-feats itself, where it "
        r"should have read or refused its input: IndexError: list index out of range; please report it, .*",
        said[0],
    )
    assert bool(said[1:]) == (verbose == 1) and all("Traceback" in line for line in said[1:2])


def test_memory_that_ran_out_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "load_command", lambda name: faulty(MemoryError()))
    assert run_command(["copy-feats"], io.BytesIO(), io.BytesIO()) == 255
    assert "memory ran out" in capsys.readouterr().err


@pytest.mark.parametrize(("closed", "words"), [("<&-", "ark:- ark:/dev/null"), (">&-", "ark:/dev/null ark:-")])
def test_a_closed_standard_stream_is_reported(closed: str, words: str, command_env: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"copy-feats {words} {closed}"], env=command_env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 255
    assert re.search(r"ERROR .* the standard (in|out)put is closed", done.stderr) and "Traceback" not in done.stderr


BASH_READERS = {
    "parse_options.sh": (
        """nj=4; flag=true; opts=(); PATH_=x
        read_one() { set -- --config "$1"; . utils/parse_options.sh; }""",
        b"# jobs\nnj=8\nflag='false'\nopts=\"a b\"\nopts=c # two\n",
    ),
}


def bash_outcomes(name: str, inputs: list[bytes], folder: Path) -> Iterator[tuple[bytes, int, str]]:
    """(input, exit code, what was said) of a reader that is a bash script."""
    for number, data in enumerate(inputs):
        (folder / f"in.{number}").write_bytes(data)
    program = f"""set -euo pipefail
        {BASH_READERS[name][0]}
        for i in $(seq 0 {len(inputs) - 1}); do
          code=0; ( read_one "{folder}/in.$i" ) > "{folder}/out.$i" 2>&1 || code=$?; echo $code
        done"""
    done = subprocess.run(["bash", "-c", program, "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for number, code in enumerate(done.stdout.split()):
        said = (folder / f"out.{number}").read_text(errors="surrogateescape")
        yield inputs[number], int(code), said


# What a reader reports of a file that it goes on to read: its encoding's mark and line ends.
KINDS = "the file begins with a byte order mark|line ends are CRLF|carriage returns inside lines"
REPORT = re.compile(rf"^[\w.]+: [^:\n]*: ({KINDS})[^\n]*\n", re.MULTILINE)


def check_bash(name: str, inputs: list[bytes], folder: Path) -> None:
    for data, code, everything in bash_outcomes(name, inputs, folder):
        said = REPORT.sub("", everything)
        assert code in (0, 1), f"{code} for {data!r}: {said}"
        assert (code == 0) == (said == ""), f"{code} for {data!r}: {said}"
        assert code == 0 or re.search(rf"^[\w.]+: {folder}/in\.\d+:\d+: ", said), f"{data!r}: {said}"
    assert not (folder / "canary").exists()


def hostile_options(folder: Path) -> list[bytes]:
    values = ["$(touch {c})", "`touch {c}`", "'; touch {c}; '", '"; touch {c}; "', "x; touch {c}", "a[$(touch {c})]"]
    lines = [f"{key}={value}" for value in values for key in ("nj", "opts", "name", "nnet_opts", "PATH", "IFS", "a[0]")]
    lines += ["x[$(touch {c})]=1", "$(touch {c})=1", "[$(touch {c})]=1", "=", "=1"]
    return [line.format(c=folder / "canary").encode() + b"\n" for line in lines]


@pytest.mark.parametrize("name", BASH_READERS)
def test_bash_option_files_are_read_or_refused_and_never_run(name: str, tmp_path: Path) -> None:
    good = BASH_READERS[name][1]
    outcomes = list(bash_outcomes(name, [good], tmp_path))
    assert outcomes[0][1:] == (0, "")
    rng = random.Random(15)
    check_bash(name, [*hostile_options(tmp_path), *mixtures(good, rng, 100), *cuts(good, 20)], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", BASH_READERS)
def test_bash_option_files_damaged_in_many_places_are_read_or_refused(name: str, tmp_path: Path) -> None:
    check_bash(name, list(damaged(BASH_READERS[name][1], seed=16, mixed=500, header=30, places=3)), tmp_path)
