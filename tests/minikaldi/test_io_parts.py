"""Ranges of rows and columns: equal to slices of the whole in every format, and nothing else is read."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import (
    DOUBLE_MATRIX,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    MatrixHolder,
    compressed_matrix,
    matrix_shape,
    random_access,
    read_matrix_rows,
    read_object,
    sequential,
    stored,
    write_object,
    writer,
)

MATRIX = np.random.default_rng(11).normal(size=(60, 5)).astype(np.float32)
FORMATS: dict[str, tuple[str, MatrixHolder]] = {
    "FM": ("ark", FLOAT_MATRIX),
    "DM": ("ark", DOUBLE_MATRIX),
    "CM": ("ark", compressed_matrix(2)),
    "CM2": ("ark", compressed_matrix(3)),
    "CM3": ("ark", compressed_matrix(5)),
    "text": ("ark,t", FLOAT_MATRIX),
}
RANGES = {"[0:59]": (0, 60, 0, 5), "[7:7]": (7, 8, 0, 5), "[:,1:3]": (0, 60, 1, 4), "[20:40,4:4]": (20, 41, 4, 5)}
RANGES |= {"[50:62]": (50, 60, 0, 5), "[0:9,0:0]": (0, 10, 0, 1), "[59:59,0:4]": (59, 60, 0, 5), "[:,:]": (0, 60, 0, 5)}


@pytest.fixture(params=FORMATS)
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A script with a line for each range of the second of two matrices in an archive of one format."""
    form, holder = FORMATS[request.param]
    with writer(f"{form},scp:{tmp_path}/x.ark,{tmp_path}/whole.scp", holder) as out:
        out.write("a", MATRIX + 1)
        out.write("b", MATRIX)
    place = (tmp_path / "whole.scp").read_text().split()[-1]
    (tmp_path / "x.scp").write_text("".join(f"r{i} {place}{text}\n" for i, text in enumerate(RANGES)))
    return tmp_path / "x.scp"


@pytest.fixture(params=["block", "columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """CM read as one block, and column by column."""
    monkeypatch.setattr(stored, "_GAP_BYTES", 1 << 15 if request.param == "block" else 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("holder", [FLOAT_MATRIX, DOUBLE_MATRIX])
def test_range_in_a_script_is_the_slice_of_the_whole(script: Path, holder: MatrixHolder) -> None:
    whole = read_object((script.parent / "whole.scp").read_text().split()[-1], holder)
    with sequential(f"scp:{script}", holder) as table:
        parts = [part for _, part in table]
    with random_access(f"scp:{script}", holder) as table:
        asked = [table[f"r{i}"] for i in reversed(range(len(RANGES)))][::-1]
    for part, again, (first, last, left, right) in zip(parts, asked, RANGES.values(), strict=True):
        assert part.dtype == holder.dtype and part.flags.writeable and part.flags.c_contiguous
        assert np.array_equal(part, whole[first:last, left:right]) and np.array_equal(again, part)


@pytest.mark.parametrize(("text", "what"), [("[0:63]", "row"), ("[60:60]", "row"), ("[0:1,0:5]", "column")])
def test_range_outside_names_file_key_and_size_in_every_format(script: Path, text: str, what: str) -> None:
    (script.parent / "y.scp").write_text(f"far {script.parent}/x.ark:2{text}\n")
    with sequential(f"scp:{script.parent}/y.scp", FLOAT_MATRIX) as table, pytest.raises(KaldiError) as fault:
        list(table)
    printed = str(fault.value)
    named = f"{script.parent}/y.scp: key far: {script.parent}/x.ark:2{text}"
    assert printed.startswith(f"{named}: the {what} range ")
    assert printed.endswith(f"is outside of 0:{59 if what == 'row' else 4}")


def test_vectors_have_ranges_of_elements_and_no_columns(tmp_path: Path) -> None:
    write_object(f"{tmp_path}/v", FLOAT_VECTOR, np.arange(9))
    assert list(read_object(f"{tmp_path}/v[2:4]", FLOAT_VECTOR)) == [2, 3, 4]
    with pytest.raises(KaldiError, match="range can be taken of"):
        read_object(f"{tmp_path}/v[2:4,0:1]", FLOAT_VECTOR)


def test_range_of_what_comes_through_a_pipe_is_cut_from_the_whole(tmp_path: Path) -> None:
    write_object(f"{tmp_path}/m", FLOAT_MATRIX, MATRIX)
    assert np.array_equal(read_object(f"cat {tmp_path}/m; true |[3:5,1:2]", FLOAT_MATRIX), MATRIX[3:6, 1:3])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of every read at a place; reads in another way count by /proc."""
    counts: list[int] = []
    real = os.preadv

    def preadv(descriptor: int, buffers: Any, offset: int) -> int:
        counts.append(real(descriptor, buffers, offset))
        return counts[-1]

    monkeypatch.setattr(os, "preadv", preadv)
    return counts


def read_by_process() -> int:
    """Bytes that this process has asked the kernel for, files and pipes together."""
    return int(Path("/proc/self/io").read_text().split()[1])


ROWS, COLS, FIRST, LAST = 100_000_000, 20, 60_000_000, 60_000_300
HEADERS = {
    "FM": (b"\0BFM " + struct.pack("<bibi", 4, ROWS, 4, COLS), 4 * ROWS * COLS),
    "DM": (b"\0BDM " + struct.pack("<bibi", 4, ROWS, 4, COLS), 8 * ROWS * COLS),
    "CM": (b"\0BCM " + struct.pack("<ffii", -1, 65535, ROWS, COLS) + bytes(range(8)) * COLS, ROWS * COLS),
    "CM2": (b"\0BCM2 " + struct.pack("<ffii", -1, 65535, ROWS, COLS), 2 * ROWS * COLS),
    "CM3": (b"\0BCM3 " + struct.pack("<ffii", -1, 255, ROWS, COLS), ROWS * COLS),
}


@pytest.mark.parametrize("tag", HEADERS)
def test_only_the_bytes_of_the_range_are_read_of_an_enormous_matrix(
    tag: str, tmp_path: Path, counted: list[int]
) -> None:
    """2 to 16 GB; the file system holds the header alone: holes are zeros."""
    header, size = HEADERS[tag]
    with (tmp_path / "x").open("wb") as stream:
        stream.write(header)
        stream.truncate(len(header) + size)
    before = read_by_process()
    tracemalloc.start()
    part = read_object(f"{tmp_path}/x[{FIRST}:{LAST - 1}]", FLOAT_MATRIX)
    rows = read_matrix_rows(f"{tmp_path}/x", FIRST, LAST)
    assert matrix_shape(f"{tmp_path}/x") == (ROWS, COLS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert part.shape == (300, COLS) and np.array_equal(rows, part)
    wanted = 300 * size // ROWS
    # Three headers in buffers of 64 bytes, the quantiles of CM, and what /proc/self/io itself has.
    assert 2 * wanted <= sum(counted) <= 2 * wanted + 6 * 64 + 2 * 8 * COLS + 200
    assert read_by_process() - before <= sum(counted) + 4096
    assert peak < 20 * wanted + 200_000


def test_columns_of_a_compressed_matrix_are_read_alone(tmp_path: Path, counted: list[int]) -> None:
    matrix = np.random.default_rng(1).normal(size=(40_000, 10)).astype(np.float32)
    write_object(f"{tmp_path}/x", compressed_matrix(2), matrix)
    whole = read_object(f"{tmp_path}/x", FLOAT_MATRIX)
    assert np.array_equal(read_object(f"{tmp_path}/x[:,3:4]", FLOAT_MATRIX), whole[:, 3:5])
    assert sum(counted) < 2 * 40_000 + 300
    counted.clear()
    assert np.array_equal(read_object(f"{tmp_path}/x[100:399,3:4]", FLOAT_MATRIX), whole[100:400, 3:5])
    assert sum(counted) < 2 * 300 + 300


@pytest.mark.parametrize("tag", HEADERS)
def test_forged_header_asks_for_no_memory(tag: str, tmp_path: Path) -> None:
    most = struct.pack("<i", 2**31 - 1)
    header = HEADERS[tag][0].replace(struct.pack("<i", ROWS), most).replace(struct.pack("<i", COLS), most)
    (tmp_path / "x").write_bytes(header + bytes(500))
    tracemalloc.start()
    for text in ("[0:2147483600]", "[2147483000:2147483600]", "[5:2000000000,2147483640:2147483646]"):
        with pytest.raises(KaldiError, match="truncated"):
            read_object(f"{tmp_path}/x{text}", FLOAT_MATRIX)
    with pytest.raises(KaldiError, match="truncated"):
        read_matrix_rows(f"{tmp_path}/x", 2**31 - 5, 2**31 - 1)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20  # two blocks of the reader
    tracemalloc.stop()
