"""HTK and Sphinx feature files, and copy-feats that reads them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.feat.htk import FBANK_KIND, HtkHolder, SphinxHolder
from minikaldi.io import FLOAT_MATRIX, INT32, read_object
from tests.minikaldi.helpers.running import random_feats, run, table

FEATS = random_feats(4, 13)
# by hand: rows, period of 100 ns, bytes of a row, kind USER with C0
HTK_BYTES = struct.pack(">iihH", 4, 100_000, 52, 0o20011) + FEATS.astype(">f4").tobytes()
SPHINX_BYTES = struct.pack(">i", 52) + FEATS.astype(">f4").tobytes()


@pytest.fixture(autouse=True)
def in_folder_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.htk").write_bytes(HTK_BYTES)
    Path("a.mfc").write_bytes(SPHINX_BYTES)
    Path("htk.scp").write_text("a a.htk\nb cat a.htk |\n")
    Path("mfc.scp").write_text("a a.mfc\nb cat a.mfc |\n")


def read(holder: HtkHolder | SphinxHolder, data: bytes) -> np.ndarray:
    return holder.read(io.BufferedReader(io.BytesIO(data)))


@pytest.mark.parametrize(("holder", "data"), [(HtkHolder(), HTK_BYTES), (SphinxHolder(), SPHINX_BYTES)])
def test_a_file_made_by_hand_is_read_and_written_the_same(holder: HtkHolder | SphinxHolder, data: bytes) -> None:
    np.testing.assert_array_equal(read(holder, data), FEATS)
    stream = io.BytesIO()
    holder.write(stream, FEATS, True)
    assert stream.getvalue() == data
    for cut in (0, 3, 11, 40, len(data) - 1):
        with pytest.raises(KaldiError, match="truncated"):
            read(holder, data[:cut])
    with pytest.raises(KaldiError, match="as text"):
        holder.write(stream, FEATS, False)


def test_a_checksum_is_passed_over_so_that_an_archive_goes_on() -> None:
    with_checksum = struct.pack(">iihH", 4, 100_000, 52, 0o10011) + HTK_BYTES[12:] + b"\xab\xcd"
    Path("two.ark").write_bytes(b"a " + with_checksum + b"b " + HTK_BYTES)
    assert run("copy-feats", "--htk-in=true", "ark:two.ark", "ark:out.ark")[0] == 0
    for matrix in table("ark:out.ark").values():
        np.testing.assert_array_equal(matrix, FEATS)
    with pytest.raises(KaldiError, match="checksum"):
        read(HtkHolder(), with_checksum[:-1])


@pytest.mark.parametrize(
    ("kind", "said"), [(0o2006, "compressed"), (0o40006, "compressed"), (0o20000, "waveform"), (10, "discrete")]
)
def test_htk_files_without_plain_features_are_refused(kind: int, said: str) -> None:
    with pytest.raises(KaldiError, match=said):
        read(HtkHolder(), struct.pack(">iihH", 4, 100_000, 52, kind) + HTK_BYTES[12:])


@pytest.mark.parametrize("header", [(-1, 52), (4, 51), (4, -52), (4, 0)])
def test_a_header_that_is_none_is_refused(header: tuple[int, int]) -> None:
    rows, row_bytes = header
    with pytest.raises(KaldiError, match="expected an HTK header"):
        read(HtkHolder(), struct.pack(">iihH", rows, 100_000, row_bytes, 9) + HTK_BYTES[12:])


def test_no_frames_are_an_empty_matrix() -> None:
    stream = io.BytesIO()
    HtkHolder(FBANK_KIND).write(stream, np.zeros((0, 0), np.float32), True)
    assert read(HtkHolder(), stream.getvalue()).shape == (0, 0)
    assert read(SphinxHolder(), struct.pack(">i", 0)).shape == (0, 13)


@pytest.mark.parametrize("count", [53, -13])
def test_a_count_that_is_no_multiple_of_13_is_refused(count: int) -> None:
    with pytest.raises(KaldiError, match="13 columns, big-endian"):
        read(SphinxHolder(), struct.pack(">i", count) + SPHINX_BYTES[4:])


def test_the_other_byte_order_is_refused_without_a_huge_allocation() -> None:
    with pytest.raises(KaldiError, match="expected 3489660928 bytes, found 208"):
        read(SphinxHolder(), struct.pack("<i", 52) + SPHINX_BYTES[4:])


@pytest.mark.parametrize(("option", "script"), [("--htk-in", "htk.scp"), ("--sphinx-in=true", "mfc.scp")])
@pytest.mark.parametrize("compress", [False, True])
def test_copy_feats_reads_tables_of_foreign_files(option: str, script: str, compress: bool) -> None:
    counts = "--write-num-frames=ark,t:num_frames"
    argv = [option, counts, *(["--compress=true", "--compression-method=3"] if compress else [])]
    assert run("copy-feats", *argv, f"scp:{script}", "ark:out.ark")[0] == 0
    copies = table("ark:out.ark")
    assert list(copies) == ["a", "b"]
    step = np.ptp(FEATS) / 65535 if compress else 0.0
    np.testing.assert_allclose(copies["b"], FEATS, atol=step + 1e-6 * compress)  # two bytes a value; float32
    assert table("ark:num_frames", INT32) == {"a": 4, "b": 4}


def test_copy_feats_reads_one_htk_file() -> None:
    assert run("copy-feats", "--htk-in=true", "a.htk", "out.mat")[0] == 0
    np.testing.assert_array_equal(read_object("out.mat", FLOAT_MATRIX), FEATS)
    code, text = run("copy-feats", "--htk-in=true", "--binary=false", "a.htk", "-")
    assert (code, text[:4]) == (0, b" [\n ")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--sphinx-in=true", "a.mfc", "o"], "--sphinx-in=true is for tables"),
        (["--compress=true", "a.htk", "o"], "--compress=true is for tables"),
        (["--write-num-frames=ark:n", "a.htk", "o"], "--write-num-frames is for tables"),
        (["--htk-in=true", "--sphinx-in=true", "scp:htk.scp", "ark:o"], "contradict"),
        (["--compress=true", "--compression-method=8", "--htk-in", "scp:htk.scp", "ark:o"], "method 8"),
        (["--htk-in=true", "scp:mfc.scp", "ark:o"], "key a"),
        (["scp:htk.scp", "o"], "is a table"),
    ],
)
def test_copy_feats_refuses_with_option_or_key(argv: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("copy-feats", *argv)[0] != 0
    assert said in capfd.readouterr().err


def test_htk_refuses_more_columns_than_its_header_can_tell() -> None:
    stream = io.BytesIO()
    HtkHolder().write(stream, np.zeros((1, 8191), np.float32), True)
    with pytest.raises(KaldiError, match="8191 columns at most, found 8192"):
        HtkHolder().write(stream, np.zeros((1, 8192), np.float32), True)


def test_copying_nothing_fails() -> None:
    assert run("copy-feats", "ark:-", "ark:-") == (1, b"")
