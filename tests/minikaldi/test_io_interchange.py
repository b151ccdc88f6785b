"""Another library of Kaldi's formats reads what we write uncompressed, and we read what it writes.

Not compared: compressed matrices, which it cannot read under this numpy, and ranges, whose end it leaves out where
Kaldi has it in (golden case copy-feats-range).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kaldi_io
import numpy as np
import pytest

from minikaldi.io import (
    DOUBLE_MATRIX,
    DOUBLE_VECTOR,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32_VECTOR,
    POSTERIOR,
    Holder,
    random_access,
    sequential,
    writer,
)

RNG = np.random.default_rng(2)
KEYS = ("spk1-utt1", "spk1-utt2", "spk2")
FRAMES = [[(1, 0.5), (2, 0.5)], [(7, 0.25), (8, 0.75)]]
# Holder, values, how the other library writes one, reads an archive, reads a script.
KINDS: dict[str, tuple[Holder, list[Any], Callable, Callable, Callable | None]] = {
    "float matrix": (
        FLOAT_MATRIX,
        [RNG.normal(size=(rows, 5)).astype(np.float32) for rows in (1, 40, 3)],
        kaldi_io.write_mat,
        kaldi_io.read_mat_ark,
        kaldi_io.read_mat_scp,
    ),
    "double matrix": (
        DOUBLE_MATRIX,
        [RNG.normal(size=(rows, 5)) for rows in (1, 40, 3)],
        kaldi_io.write_mat,
        kaldi_io.read_mat_ark,
        kaldi_io.read_mat_scp,
    ),
    "float vector": (
        FLOAT_VECTOR,
        [RNG.normal(size=dim).astype(np.float32) for dim in (1, 40, 3)],
        kaldi_io.write_vec_flt,
        kaldi_io.read_vec_flt_ark,
        kaldi_io.read_vec_flt_scp,
    ),
    "double vector": (
        DOUBLE_VECTOR,
        [RNG.normal(size=dim) for dim in (1, 40, 3)],
        kaldi_io.write_vec_flt,
        kaldi_io.read_vec_flt_ark,
        kaldi_io.read_vec_flt_scp,
    ),
    "integers": (
        INT32_VECTOR,
        [[5, -6, 7], [2**31 - 1], [0] * 100],
        lambda stream, value, key: kaldi_io.write_vec_int(stream, np.array(value, dtype=np.int32), key=key),
        kaldi_io.read_vec_int_ark,
        None,
    ),
    "posterior": (POSTERIOR, [FRAMES, FRAMES[:1], FRAMES * 3], kaldi_io.write_post, kaldi_io.read_post_ark, None),
}


def same(ours: Any, theirs: Any) -> bool:
    return bool(np.array_equal(np.asarray(ours), np.asarray(theirs)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_library_reads_what_we_write(kind: str, tmp_path: Path) -> None:
    holder, values, _, read_ark, read_scp = KINDS[kind]
    with writer(f"ark,scp:{tmp_path}/x.ark,{tmp_path}/x.scp", holder) as out:
        for key, value in zip(KEYS, values, strict=True):
            out.write(key, value)
    tables = [list(read_ark(f"{tmp_path}/x.ark"))]
    if read_scp is not None:
        tables.append(list(read_scp(f"{tmp_path}/x.scp")))
    for table in tables:
        assert [key for key, _ in table] == list(KEYS)
        assert all(same(value, theirs) for value, (_, theirs) in zip(values, table, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_we_read_what_the_other_library_writes(kind: str, tmp_path: Path) -> None:
    holder, values, write, _, _ = KINDS[kind]
    with (tmp_path / "x.ark").open("wb") as stream:
        for key, value in zip(KEYS, values, strict=True):
            write(stream, value, key=key)
    with sequential(f"ark:{tmp_path}/x.ark", holder) as table:
        read = list(table)
    with random_access(f"ark,s,cs:{tmp_path}/x.ark", holder) as table:
        asked = [(key, table[key]) for key in KEYS]
    for entries in (read, asked):
        assert [key for key, _ in entries] == list(KEYS)
        assert all(same(ours, value) for value, (_, ours) in zip(values, entries, strict=True))


@pytest.mark.parametrize(
    "kind", ["float matrix", "double matrix", "float vector", "double vector", "integers", "posterior"]
)
def test_both_write_the_same_bytes(kind: str, tmp_path: Path) -> None:
    holder, values, write, _, _ = KINDS[kind]
    with (tmp_path / "theirs").open("wb") as stream, writer(f"ark:{tmp_path}/ours", holder) as out:
        for key, value in zip(KEYS, values, strict=True):
            write(stream, value, key=key)
            out.write(key, value)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
