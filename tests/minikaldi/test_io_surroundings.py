"""Commands in bad surroundings: closed streams, full disks, Ctrl-C, an output that is the input."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, write_object, writer
from tests.minikaldi.helpers.running import run, table

LIMIT_S = 60


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str]) -> Path:
    """A folder, current, with x.ark, x.scp and the single matrix x.mat."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", command_env["PATH"])
    with writer("ark,scp:x.ark,x.scp", FLOAT_MATRIX) as out:
        for key in ("a", "b"):
            out.write(key, np.eye(3))
    write_object("x.mat", FLOAT_MATRIX, np.eye(3))
    return tmp_path


def shell(line: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_messages_that_nobody_takes_stop_no_command(stderr: str, place: Path, command_env: dict[str, str]) -> None:
    assert shell(f"copy-feats scp:x.scp ark:y.ark {stderr}", command_env).returncode == 0
    assert (place / "y.ark").read_bytes() == (place / "x.ark").read_bytes()
    assert shell(f"copy-feats scp:missing ark:y.ark {stderr}", command_env).returncode == 255
    assert shell(f"copy-feats --typo a b {stderr}", command_env).returncode == 1


def test_inner_pipe_needs_our_standard_output_only_to_write_to_it(place: Path, command_env: dict[str, str]) -> None:
    done = shell("copy-feats scp:x.scp 'ark:| copy-feats ark:- ark:y.ark' >&-", command_env)
    assert done.returncode == 0 and (place / "y.ark").read_bytes() == (place / "x.ark").read_bytes()
    done = shell("copy-feats scp:x.scp 'ark:| copy-feats ark:- ark:-' >&-", command_env)
    assert done.returncode == 255 and "Traceback" not in done.stderr
    assert "the standard output is closed" in done.stderr
    assert "the pipe 'copy-feats ark:- ark:-' failed with exit code 255" in done.stderr


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("copy-feats ark:x.ark ark:/dev/full", "/dev/full"),
        ("copy-matrix x.mat /dev/full", "/dev/full"),
        ("compute-cmvn-stats ark:x.ark /dev/full", "/dev/full"),
        ("feat-to-dim ark:x.ark /dev/full", "/dev/full"),
        ("copy-feats ark:x.ark ark:- > /dev/full", "standard output"),
        ("copy-matrix x.mat - > /dev/full", "standard output"),
        ("feat-to-len ark:x.ark > /dev/full", "standard output"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_reported_by_file(line: str, name: str, unbuffered: str, command_env: dict[str, str]) -> None:
    done = shell(line, {**command_env, "PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 255
    assert f"{name}: cannot write: No space left on device" in done.stderr.splitlines()[-1]


def test_interrupt_ends_a_command_at_once_whatever_its_pipes_do(command_env: dict[str, str]) -> None:
    """The pipe's command does not end when its output is closed; to close it in order would take a minute."""
    words = ["copy-feats", "ark:cat x.ark; sleep 60 |", "ark:| copy-feats ark:- ark:y.ark"]
    process = subprocess.Popen(words, env=command_env, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stderr is not None
    process.stderr.readline()  # the command line: Python is up, and the pipes are soon
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=LIMIT_S / 4) == -signal.SIGINT
    process.stderr.close()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("ark:x.ark", "ark:x.ark"),
        ("ark,bg:./x.ark", "ark,t:x.ark"),
        ("ark:link.ark", "ark:x.ark"),
        ("ark:x.ark", "ark,scp:y.ark,x.ark"),
        ("scp:x.scp", "ark,scp:y.ark,x.scp"),
    ],
)
def test_file_that_is_being_read_is_not_written_to(
    source: str, target: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / "link.ark").symlink_to("x.ark")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert run("copy-feats", source, target)[0] == 255
    assert "cannot write to a file that is being read" in capfd.readouterr().err
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_vectors_that_are_asked_by_key_are_not_overwritten(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with writer("ark:vad.ark", FLOAT_VECTOR) as out:
        out.write("a", np.ones(3))
    assert run("select-voiced-frames", "ark:x.ark", "ark:vad.ark", "ark:vad.ark")[0] == 255
    assert "vad.ark: cannot write to a file that is being read" in capfd.readouterr().err
    assert list(table("ark:vad.ark", FLOAT_VECTOR)) == ["a"]


def test_files_of_a_script_are_converted_in_their_place(place: Path) -> None:
    """Each has been read when it is written, as in Kaldi."""
    Path("in.scp").write_text("a x.mat\n")
    assert run("copy-feats", "scp:in.scp", "scp,t:in.scp")[0] == 0
    assert (place / "x.mat").read_text().startswith(" [\n")
    assert run("copy-matrix", "x.mat", "x.mat")[0] == 0


@pytest.mark.parametrize("utf8", ["0", "1"])
def test_names_of_files_are_bytes_whatever_the_locale(utf8: str, place: Path, command_env: dict[str, str]) -> None:
    env = {**command_env, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": utf8}
    done = shell("copy-feats ark:x.ark ark,scp:é.ark,ö.scp && copy-feats scp:ö.scp ark:y.ark", env)
    assert done.returncode == 0, done.stderr
    assert (place / "y.ark").read_bytes() == (place / "x.ark").read_bytes()
    assert (place / "ö.scp").read_bytes().startswith("a é.ark:2\n".encode())


def test_warning_of_numpy_is_one_line_in_kaldis_form(command_env: dict[str, str]) -> None:
    write_object("inf.mat", FLOAT_MATRIX, np.array([[np.inf], [np.inf]]))
    Path("inf.scp").write_text("a inf.mat\n")
    done = shell("add-deltas --print-args=false scp:inf.scp ark:/dev/null", command_env)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"WARNING \(add-deltas\[minikaldi\]:.*\) invalid value .* at deltas.py:[0-9]+", line)


def test_scale_beyond_float32_gives_infinity_without_a_python_warning(recwarn: pytest.WarningsRecorder) -> None:
    write_object("v", FLOAT_VECTOR, np.array([1.0, 0.0, -1.0]))
    assert run("copy-vector", "--binary=false", "--scale=1e300", "v", "-") == (0, b" [ inf nan -inf ]\n")
    assert not recwarn.list


def test_an_offset_behind_the_end_of_a_file_is_reported_with_its_size(place: Path, command_env: dict[str, str]) -> None:
    (place / "far.scp").write_text("a x.ark:2\nb x.ark:9999\n")
    done = shell("copy-feats scp:far.scp ark:y.ark", command_env)
    size = (place / "x.ark").stat().st_size
    assert done.returncode == 255
    assert f"far.scp: key b: x.ark:9999: byte 9999: the file has only {size} bytes" in done.stderr


def test_a_device_has_no_place_to_tell(command_env: dict[str, str]) -> None:
    done = shell("copy-matrix /dev/zero y.mat", command_env)
    assert done.returncode == 255
    assert "/dev/zero: found a zero byte" in done.stderr
