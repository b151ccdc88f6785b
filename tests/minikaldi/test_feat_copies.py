"""copy-matrix, copy-int-vector, copy-vector, and copies of feature tables."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import (
    DOUBLE_MATRIX,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32,
    INT32_VECTOR,
    compressed_matrix,
    read_object,
    write_object,
)
from tests.minikaldi.helpers.running import make_table, random_feats, run, table

MATRIX = random_feats(3, 4) - 3
VECTOR = np.float32([1, -2, 3])


@pytest.fixture(autouse=True)
def in_folder_with_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_table("ark:in.ark", {"a": MATRIX, "none": np.zeros((0, 0), np.float32)})
    write_object("in.mat", FLOAT_MATRIX, MATRIX)
    make_table("ark:vec.ark", {"a": VECTOR}, FLOAT_VECTOR)
    write_object("in.vec", FLOAT_VECTOR, VECTOR)


def slow_softmax(row: np.ndarray) -> list[float]:
    powers = [2.718281828459045 ** float(value) for value in row]
    return [power / sum(powers) for power in powers]


MATRIX_CASES = {
    "plain": ([], lambda x: x),
    "scale": (["--scale=-2.5"], lambda x: -2.5 * x),
    "exp": (["--apply-exp=true"], np.exp),
    "log": (["--apply-log=true"], lambda x: np.log(np.maximum(x, 1e-20))),
    "softmax": (["--apply-softmax-per-row=true"], lambda x: np.array([slow_softmax(row) for row in x])),
    "square": (["--apply-power=2"], np.square),
    "scale then exp then power": (["--scale=2", "--apply-exp=true", "--apply-power=0.5"], np.exp),
}


@pytest.mark.parametrize("case", MATRIX_CASES)
def test_copy_matrix_changes_elements_in_both_forms(case: str) -> None:
    options, expected = MATRIX_CASES[case]
    assert run("copy-matrix", *options, "ark:in.ark", "ark:out.ark")[0] == 0
    assert run("copy-matrix", *options, "in.mat", "out.mat")[0] == 0
    copies = table("ark:out.ark")
    np.testing.assert_allclose(copies["a"], expected(MATRIX.astype(np.float64)), rtol=1e-5)  # float32 powers
    np.testing.assert_array_equal(read_object("out.mat", FLOAT_MATRIX), copies["a"])
    assert copies["none"].shape == (0, 0)


def test_softmax_of_large_numbers_does_not_overflow() -> None:
    write_object("in.mat", FLOAT_MATRIX, np.float32([[1000, 1000], [-1000, 0]]))
    run("copy-matrix", "--apply-softmax-per-row=true", "in.mat", "out.mat")
    np.testing.assert_allclose(read_object("out.mat", FLOAT_MATRIX), [[0.5, 0.5], [0, 1]])


def test_elements_that_lose_their_value_are_reported(capfd: pytest.CaptureFixture[str]) -> None:
    write_object("in.mat", FLOAT_MATRIX, np.float32([[4, -4]]))
    assert run("copy-matrix", "--apply-power=0.5", "in.mat", "out.mat")[0] == 0
    np.testing.assert_array_equal(read_object("out.mat", FLOAT_MATRIX), [[2, np.nan]])
    assert "in.mat: 1 elements have no value" in capfd.readouterr().err


def test_copy_matrix_converts_between_binary_text_and_double(capfd: pytest.CaptureFixture[str]) -> None:
    write_object("double.mat", DOUBLE_MATRIX, MATRIX.astype(np.float64))
    code, text = run("copy-matrix", "--binary=false", "double.mat", "-")
    assert code == 0
    assert text.startswith(b" [\n  ")
    assert run("copy-matrix", "-", "back.mat", stdin=text)[0] == 0
    assert "Copied matrix to back.mat" in capfd.readouterr().err
    np.testing.assert_allclose(read_object("back.mat", FLOAT_MATRIX), MATRIX, rtol=1e-6)  # seven digits


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--apply-log=true", "--apply-exp=true", "in.mat", "o"], "only one of"),
        (["--apply-softmax-per-row=true", "--apply-exp=true", "ark:in.ark", "ark:o"], "only one of"),
        (["ark:in.ark", "o"], "is a table"),
        (["absent.mat", "o"], "absent.mat"),
    ],
)
def test_copy_matrix_refuses(argv: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("copy-matrix", *argv)[0] != 0
    assert said in capfd.readouterr().err
    assert run("copy-matrix", "ark:-", "ark:-") == (1, b"")


def test_integers_in_a_table_and_in_a_file_have_kaldis_two_forms(capfd: pytest.CaptureFixture[str]) -> None:
    Path("in.txt").write_text("a 1 -2 70000 \nnone \n")
    assert run("copy-int-vector", "ark:in.txt", "ark:out.ark")[0] == 0
    assert "Copied 2 vectors of int32." in capfd.readouterr().err
    by_hand = b"".join(struct.pack("<bi", 4, number) for number in (3, 1, -2, 70000))
    assert Path("out.ark").read_bytes() == b"a \0B" + by_hand + b"none \0B" + struct.pack("<bi", 4, 0)
    assert run("copy-int-vector", "ark:out.ark", "ark,t:-") == (0, b"a 1 -2 70000 \nnone \n")
    assert run("copy-int-vector", "-", "out.ali", stdin=b"[ 1 -2 70000 ]\n")[0] == 0
    assert Path("out.ali").read_bytes() == b"\0B" + struct.pack("<bi3i", 4, 3, 1, -2, 70000)
    assert run("copy-int-vector", "--binary=false", "out.ali", "-") == (0, b"[ 1 -2 70000 ]\n")
    assert run("copy-int-vector", "--binary=false", "-", "-", stdin=b"[ ]\n") == (0, b"[ ]\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1 2 3\n", "expected '['"),
        (b"[ 1 x ]\n", "found 'x'"),
        (b"[ 1 2\n", "end of the file"),
        (b"\0B\x04\x05\0\0\0\1\0\0\0", "truncated"),
        (b"\0B\x08\x01\0\0\0\1\0\0\0", "4-byte integers"),
        (b"\0B\x04\xff\xff\xff\xff", "4-byte integers"),
    ],
)
def test_a_file_that_holds_no_integers_is_refused(data: bytes, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.ali").write_bytes(data)
    assert run("copy-int-vector", "bad.ali", "out.ali")[0] == 255
    printed = capfd.readouterr().err
    assert "bad.ali" in printed
    assert said in printed


def test_copy_int_vector_refuses_mixed_forms_and_fails_on_nothing() -> None:
    assert run("copy-int-vector", "ark:in.ark", "o")[0] != 0
    assert run("copy-int-vector", "ark:-", "ark,t:-") == (1, b"")
    make_table("ark:ali.ark", {"a": [1, 2]}, INT32_VECTOR)
    assert run("copy-int-vector", "ark:ali.ark", "ark,t:-") == (0, b"a 1 2 \n")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [1, -2, 3]),
        (["--change_dim=2"], [1, -2]),
        (["--change-dim=5"], [1, -2, 3, 0, 0]),
        (["--change_dim=0"], []),
        (["--scale=-0.5"], [-0.5, 1, -1.5]),
        (["--scale=2", "--change_dim=4"], [2, -4, 6, 0]),
    ],
)
def test_copy_vector_cuts_pads_and_scales_in_both_forms(options: list[str], expected: list[float]) -> None:
    assert run("copy-vector", *options, "ark:vec.ark", "ark:out.ark")[0] == 0
    assert run("copy-vector", *options, "in.vec", "out.vec")[0] == 0
    np.testing.assert_array_equal(table("ark:out.ark", FLOAT_VECTOR)["a"], np.float32(expected))
    np.testing.assert_array_equal(read_object("out.vec", FLOAT_VECTOR), np.float32(expected))


def test_copy_vector_writes_a_file_as_text() -> None:
    assert run("copy-vector", "--binary=false", "in.vec", "-") == (0, b" [ 1 -2 3 ]\n")
    assert run("copy-vector", "in.vec", "ark:o")[0] != 0
    assert run("copy-vector", "ark:-", "ark:-") == (1, b"")


@pytest.mark.parametrize("method", range(1, 8))
def test_compression_into_text_gives_what_is_read_back_from_binary(method: int) -> None:
    feats = random_feats(30, 4) if method < 6 else random_feats(30, 4) / 8
    make_table("ark:feats.ark", {"a": feats})
    argv = ["--compress=true", f"--compression-method={method}", "ark:feats.ark"]
    run("copy-feats", *argv, "ark:packed.ark")
    run("copy-feats", *argv, "ark,t:text.ark")
    packed = table("ark:packed.ark")["a"]
    np.testing.assert_allclose(table("ark:text.ark")["a"], packed, rtol=1e-6, atol=1e-6)  # seven digits
    make_table("ark:library.ark", {"a": feats}, compressed_matrix(method))
    assert Path("library.ark").read_bytes() == Path("packed.ark").read_bytes()


def test_number_of_frames_is_written_for_each_utterance() -> None:
    argv = ["--write-num-frames=ark,t:num_frames", "ark:in.ark", "ark,t:out.txt"]
    assert run("copy-feats", *argv)[0] == 0
    assert Path("num_frames").read_text() == "a 3 \nnone 0 \n"
    assert run("feat-to-len", "ark:in.ark", "ark,t:-") == (0, b"a 3 \nnone 0 \n")
    assert run("feat-to-len", "ark:in.ark") == (0, b"3\n")
    assert run("feat-to-len", "ark:-") == (0, b"0\n")
    assert run("feat-to-dim", "ark:in.ark", "ark,t:-") == (0, b"a 4 \nnone 0 \n")
    assert run("feat-to-dim", "ark:in.ark", "dim") == (0, b"")
    assert Path("dim").read_text() == "4\n"
    assert run("feat-to-dim", "ark:-", "-")[0] == 255
    assert table("ark:num_frames", INT32) == {"a": 3, "none": 0}


@pytest.mark.parametrize("binary", ["true", "false"])
def test_one_matrix_is_copied_as_a_file(binary: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("copy-feats", f"--binary={binary}", "in.mat", "out.mat")[0] == 0
    assert Path("out.mat").read_bytes().startswith(b"\0BFM " if binary == "true" else b" [")
    np.testing.assert_allclose(read_object("out.mat", FLOAT_MATRIX), MATRIX, rtol=1e-6)  # seven digits
    assert "Copied features from in.mat to out.mat" in capfd.readouterr().err
