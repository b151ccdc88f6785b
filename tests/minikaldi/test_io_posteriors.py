"""Posteriors: layouts by hand, real Kaldi's files, another library's, refusals."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import kaldi_io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.io import GAUSS_POSTERIOR, POSTERIOR, Holder, sequential, writer

POST = [[(2, 1.0)], [(6, 0.75), (1, 0.25)], []]
INDEX = st.integers(-(2**31), 2**31 - 1)
POSTERIORS = st.lists(st.lists(st.tuples(INDEX, st.floats(width=32, allow_nan=False)), max_size=3), max_size=4)


def dump(holder: Holder, value: object, binary: bool) -> bytes:
    stream = io.BytesIO()
    holder.write(stream, value, binary)
    return stream.getvalue()


def load(holder: Holder, data: bytes) -> object:
    return holder.read(io.BufferedReader(io.BytesIO(data)))


def test_posterior_by_hand() -> None:
    assert dump(POSTERIOR, POST, False) == b"[ 2 1 ] [ 6 0.75 1 0.25 ] [ ] \n"
    pair = "<bibf"
    expected = b"\0B" + struct.pack("<bi", 4, 3) + struct.pack("<bi", 4, 1) + struct.pack(pair, 4, 2, 4, 1.0)
    expected += struct.pack("<bi", 4, 2) + struct.pack(pair, 4, 6, 4, 0.75) + struct.pack(pair, 4, 1, 4, 0.25)
    assert dump(POSTERIOR, POST, True) == expected + struct.pack("<bi", 4, 0)
    assert dump(POSTERIOR, [], False) == b"\n" and load(POSTERIOR, b"\n") == []


@settings(max_examples=50, deadline=None)
@given(POSTERIORS)
def test_posterior_survives_binary_and_text(value: list[list[tuple[int, float]]]) -> None:
    assert load(POSTERIOR, dump(POSTERIOR, value, True)) == value
    read = load(POSTERIOR, dump(POSTERIOR, value, False))
    assert [[index for index, _ in frame] for frame in read] == [[index for index, _ in frame] for frame in value]
    for mine, theirs in zip(read, value, strict=True):
        # Seven digits, in the subnormal numbers fewer.
        np.testing.assert_allclose([x for _, x in mine], [x for _, x in theirs], rtol=1e-6, atol=1e-44)


def test_scaled_posteriors_are_real_kaldis_to_the_byte(shared: Path, tmp_path: Path) -> None:
    """What `scale-post 0.1` wrote, by the same multiplication here."""
    golden = shared / "golden"
    with (
        sequential(f"ark:{golden}/inputs/post.ark", POSTERIOR) as table,
        writer(f"ark,t:{tmp_path}/post.txt", POSTERIOR) as out,
    ):
        for key, frames in table:
            scaled = [
                [(index, float(np.float32(share) * np.float32(0.1))) for index, share in frame] for frame in frames
            ]
            out.write(key, scaled)
    assert (tmp_path / "post.txt").read_bytes() == (golden / "cases/scale-post/out/post.txt").read_bytes()
    with (
        sequential(f"ark:{golden}/inputs/post.ark", POSTERIOR) as table,
        writer(f"ark:{tmp_path}/post.ark", POSTERIOR) as out,
    ):
        for key, frames in table:
            out.write(key, frames)
    assert (tmp_path / "post.ark").read_bytes() == (golden / "inputs/post.ark").read_bytes()


def test_other_library_reads_our_posteriors_and_we_read_its(tmp_path: Path) -> None:
    frames = [[(1, 0.5), (2, 0.5)], [(7, 0.25), (8, 0.75)]]  # of equal length: it writes no others
    with writer(f"ark:{tmp_path}/a", POSTERIOR) as out:
        out.write("utt1", frames)
    with (tmp_path / "b").open("wb") as stream:
        kaldi_io.write_post(stream, frames, key="utt1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(kaldi_io.read_post_ark(f"{tmp_path}/a")) == [("utt1", frames)]
    with sequential(f"ark:{tmp_path}/b", POSTERIOR) as table:
        assert list(table) == [("utt1", frames)]


@pytest.mark.parametrize("binary", [True, False])
def test_gauss_posterior_survives(binary: bool, tmp_path: Path) -> None:
    value = [[(3, np.array([0.5, 0.25], dtype=np.float32))], [], [(0, np.zeros(0)), (9, np.ones(1))]]
    with writer(f"ark{'' if binary else ',t'}:{tmp_path}/x", GAUSS_POSTERIOR) as out:
        out.write("a", value)
        out.write("b", [])
    with sequential(f"ark:{tmp_path}/x", GAUSS_POSTERIOR) as table:
        (key, read), (other, empty) = list(table)
    assert (key, other, empty) == ("a", "b", [])
    assert [[index for index, _ in frame] for frame in read] == [[3], [], [0, 9]]
    assert all(
        np.array_equal(x, y) for f, g in zip(read, value, strict=True) for (_, x), (_, y) in zip(f, g, strict=True)
    )


def test_gauss_posterior_by_hand() -> None:
    value = [[(3, np.array([0.5], dtype=np.float32))]]
    assert dump(GAUSS_POSTERIOR, value, False) == b"1 1 3  [ 0.5 ]\n\n"
    vector = b"FV " + struct.pack("<bif", 4, 1, 0.5)
    assert dump(GAUSS_POSTERIOR, value, True) == b"\0B" + struct.pack("<bibibi", 4, 1, 4, 1, 4, 3) + vector


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"2 1 ]\n", r"byte 0: posterior: expected '\[', found '2'"),
        (b"[ 2 1 ] [ 3 ]\n", r"byte 10: posterior: expected an index and a number"),
        (b"[ 2 1 ] [ 3 x ]\n", "byte 10: "),
        (b"[ 2 1 4\n", "byte 6: "),
        (b"[ 2 1\n", r"the line ends before its '\]'"),
        (b"[ 2 1 ]", "truncated"),
        (b"\0B" + struct.pack("<bi", 4, -1), "claims -1"),
        (b"\0B" + struct.pack("<bi", 4, 2**31 - 1), "truncated"),
        (b"\0B" + struct.pack("<bibi", 4, 1, 4, 2**31 - 1) + bytes(9), "truncated"),
        (b"\0B" + struct.pack("<bibibid", 4, 1, 4, 1, 4, 1, 1.0)[:-3] + bytes(9), "4-byte integers and 4-byte numbers"),
    ],
)
def test_damaged_posterior_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(KaldiError, match=message):
        load(POSTERIOR, data)
