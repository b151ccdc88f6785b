"""Archives of many short vectors, which are read by the buffer: the same entries and errors as one at a time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import DOUBLE_VECTOR, FLOAT_VECTOR, random_access, sequential, writer
from minikaldi.io.entries import archive_entries, next_key
from minikaldi.io.matrices import read_vector
from minikaldi.io.primitives import read_binary_header
from tests.minikaldi.helpers.ivector_tables import write_vectors

KEYS = {
    "of one length": [f"utt{i:05}" for i in range(400)],
    "of growing length": [f"utt{i}" for i in range(400)],
    "of changing length": [f"u{i:04}{'-babble' * (i % 3)}" for i in range(400)],
    "of other bytes": [f"ü{i:04}" for i in range(400)],
}


def drawn(keys: list[str], dims: list[int], seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {key: rng.normal(size=dims[i % len(dims)]).astype(np.float32) for i, key in enumerate(keys)}


def slow_entries(data: bytes) -> dict[str, np.ndarray]:
    """The archive, one call after the other."""
    stream = io.BufferedReader(io.BytesIO(data))
    found = {}
    while key := next_key(stream, "x"):
        found[key] = read_vector(stream, read_binary_header(stream))
    return found


@pytest.mark.parametrize("buffer_bytes", [64, 1000, 1 << 16])
@pytest.mark.parametrize("dims", [[7], [0], [300], [7, 7, 7, 9], [1, 2, 3]])
@pytest.mark.parametrize("keys", KEYS)
def test_entries_are_those_read_one_by_one(tmp_path: Path, keys: str, dims: list[int], buffer_bytes: int) -> None:
    vectors = drawn(KEYS[keys], dims)
    write_vectors(tmp_path / "v.ark", vectors)
    data = (tmp_path / "v.ark").read_bytes()
    found = dict(archive_entries(io.BufferedReader(io.BytesIO(data), buffer_bytes), FLOAT_VECTOR, "x"))
    expected = slow_entries(data)
    assert list(found) == list(expected) == list(vectors)
    for key, vector in found.items():
        np.testing.assert_array_equal(vector, expected[key])
        assert vector.dtype == np.float32 and vector.flags.writeable and vector.flags.aligned


def test_text_and_doubles_between_floats_are_read(tmp_path: Path) -> None:
    vectors = drawn(KEYS["of one length"][:90], [5])
    kinds = [("ark", FLOAT_VECTOR), ("ark", DOUBLE_VECTOR), ("ark,t", FLOAT_VECTOR)]
    parts = []
    for part, (kind, holder) in enumerate(kinds):
        with writer(f"{kind}:{tmp_path}/part", holder) as table:
            for key in list(vectors)[part::3]:
                table.write(key, vectors[key])
        parts.append((tmp_path / "part").read_bytes())
    (tmp_path / "v.ark").write_bytes(b"".join(parts))
    with sequential(f"ark:{tmp_path}/v.ark", FLOAT_VECTOR) as table:
        found = dict(table)
    assert list(found) == list(vectors)[::3] + list(vectors)[1::3] + list(vectors)[2::3]
    for key, vector in found.items():
        np.testing.assert_allclose(vector, vectors[key], rtol=1e-6)  # text has seven digits


@pytest.mark.parametrize("cut", [1, 27, 2003])
def test_a_cut_archive_gives_its_whole_entries_and_then_names_the_broken_one(tmp_path: Path, cut: int) -> None:
    vectors = drawn(KEYS["of one length"], [7])
    write_vectors(tmp_path / "v.ark", vectors)
    data = (tmp_path / "v.ark").read_bytes()
    (tmp_path / "v.ark").write_bytes(data[:-cut])
    size = len(data) // 400
    whole = (len(data) - cut) // size
    found = []
    with (
        pytest.raises(KaldiError, match=rf"v\.ark: .*utt{whole:05}.*byte .*truncated"),
        sequential(f"ark:{tmp_path}/v.ark", FLOAT_VECTOR) as table,
    ):
        found.extend(key for key, _ in table)
    assert found == list(vectors)[:whole]


def test_an_archive_is_read_no_further_than_to_the_key_that_is_asked_for(tmp_path: Path) -> None:
    """A fault after it is not an error yet, as in Kaldi, although the buffer holds it."""
    vectors = drawn(["a", "b", "c"], [2])
    write_vectors(tmp_path / "v.ark", vectors)
    data = (tmp_path / "v.ark").read_bytes()
    (tmp_path / "v.ark").write_bytes(data + data[: len(data) // 3])  # the key a once more
    with random_access(f"ark:{tmp_path}/v.ark", FLOAT_VECTOR) as table:
        np.testing.assert_array_equal(table["c"], vectors["c"])
        with pytest.raises(KaldiError, match="the key a is there twice"):
            "d" in table  # noqa: B015 (asking reads on)


def test_the_last_vectors_of_a_run_do_not_share_what_is_written_to_them(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.ark", drawn(KEYS["of one length"], [7]))
    with sequential(f"ark:{tmp_path}/v.ark", FLOAT_VECTOR) as table:
        (_, first), (_, second), *_ = table
    before = second.copy()
    first[:] = 0.0
    np.testing.assert_array_equal(second, before)
