"""Comparing a file that a command wrote with the one that Kaldi wrote; tests/golden/README.md has the tolerances."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minikaldi.io import DOUBLE_MATRIX, DOUBLE_VECTOR, WAVE, expect_token, read_matrix, read_vector
from minikaldi.io.compressed import read_compressed_header, read_compressed_parts
from minikaldi.io.entries import next_key
from minikaldi.io.primitives import Reader, read_binary_header
from tests.minikaldi.helpers.extractor_files import extractor_arrays, is_extractor_file
from tests.minikaldi.helpers.golden_models import model_parts

_BINARY_ARCHIVE = re.compile(rb"\S+ (\0B|RIFF)")
_SEVERAL_UTTERANCES = 20000  # values; an utterance of four seconds has 12,000
_INTEGER = re.compile(r"[-+]?\d+")


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be apart: all within `most`, 99.9 % within `usual`; perhaps of the largest magnitude."""

    usual: float
    most: float
    relative: bool


FEATURES = Tolerance(5e-3, 0.1, relative=False)  # the float32 FFT
EXACT_ARITHMETIC = Tolerance(1e-4, 1e-4, relative=True)
SAMPLES = Tolerance(1.0, 1.0, relative=False)  # 16-bit rounding


@dataclass(frozen=True)
class Entry:
    """One object of a file: its key, how it is stored, its numbers, and the size of a quantisation step."""

    key: str
    tag: str
    values: npt.NDArray[Any]
    step: float = 0.0


def compare_files(ours: Path, kaldis: Path, out: Path, tolerance: Tolerance, free_sign: bool) -> None:
    """Raises AssertionError where `ours` is not close to `kaldis`; `out` is the folder that $OUT named."""
    if is_extractor_file(kaldis):
        _compare_entries(read_extractor_file(ours), read_extractor_file(kaldis), tolerance, free_sign=False)
        return
    if "plda" in kaldis.name:
        _compare_entries(read_plda(ours), read_plda(kaldis), tolerance, free_sign)
        return
    text_ours, text_kaldis = ours.read_bytes().replace(str(out).encode(), b"$OUT"), kaldis.read_bytes()
    if is_binary(text_kaldis):
        _compare_entries(read_binary_file(ours), read_binary_file(kaldis), tolerance, free_sign)
    else:
        compare_text(text_ours.decode(), text_kaldis.decode(), tolerance)


def compare_text(ours: str, kaldis: str, tolerance: Tolerance) -> None:
    """Words, integers, blanks and line ends equal; other numbers close."""
    numbers: list[tuple[float, float]] = []
    words_ours, words_kaldis = re.split(r"(\s+)", ours), re.split(r"(\s+)", kaldis)
    for mine, theirs in zip(words_ours, words_kaldis, strict=False):
        if mine != theirs:
            assert not (_INTEGER.fullmatch(mine) and _INTEGER.fullmatch(theirs)), f"{mine} is not {theirs}"
            numbers.append((_number(mine, theirs), _number(theirs, mine)))
        elif _is_number(mine):
            numbers.append((float(mine), float(mine)))
    assert len(words_ours) == len(words_kaldis), f"{len(words_ours)} words, Kaldi has {len(words_kaldis)}"
    mine_all, theirs_all = np.array(numbers, dtype=np.float64).reshape(-1, 2).T
    _check_share(_compare_values("text", mine_all, theirs_all, tolerance), tolerance)


def _compare_entries(ours: list[Entry], kaldis: list[Entry], tolerance: Tolerance, free_sign: bool) -> None:
    assert [(e.key, e.tag) for e in ours] == [(e.key, e.tag) for e in kaldis]
    excess = []
    tolerance = SAMPLES if kaldis and kaldis[0].tag == "RIFF" else tolerance
    for mine, theirs in zip(ours, kaldis, strict=True):
        values = mine.values
        assert values.shape == theirs.values.shape, f"{mine.key}: {values.shape}, Kaldi has {theirs.values.shape}"
        if free_sign and values.ndim == 2:
            values = values * np.sign((values * theirs.values).sum(axis=1, keepdims=True))
        excess.append(_compare_values(mine.key, values, theirs.values, tolerance, theirs.step))
    _check_share(np.concatenate(excess) if excess else np.zeros(0), tolerance)


def _compare_values(
    key: str, ours: npt.NDArray[Any], kaldis: npt.NDArray[Any], tolerance: Tolerance, step: float = 0.0
) -> npt.NDArray[np.float64]:
    """Check the largest difference; all differences (n,), relative where the tolerance is."""
    if not kaldis.size:
        return np.zeros(0)
    scale = np.abs(kaldis).max() if tolerance.relative else 1.0
    error = (np.abs(ours.astype(np.float64) - kaldis.astype(np.float64)) - step) / (scale or 1.0)
    worst = np.unravel_index(np.argmax(error), error.shape)
    assert error[worst] <= tolerance.most, f"{key}{list(worst)}: {ours[worst]}, Kaldi has {kaldis[worst]}"
    return error.ravel()


def _check_share(error: npt.NDArray[np.float64], tolerance: Tolerance) -> None:
    # The 99.9 % is of several utterances; in a single one the quiet frames, where the FFTs differ, may be more.
    least = 0.999 if error.size >= _SEVERAL_UTTERANCES else 0.997
    share = float((error <= tolerance.usual).mean()) if error.size else 1.0
    assert share >= least, f"only {share:.4%} of the values are within {tolerance.usual}, expected {least:.1%}"


def is_binary(data: bytes) -> bool:
    """Whether a file holds a wave or binary objects."""
    return data[:4] == b"RIFF" or data[:2] == b"\0B" or bool(_BINARY_ARCHIVE.match(data))


def read_binary_file(path: Path) -> list[Entry]:
    """Every object of an archive, or the one of a file."""
    data = path.read_bytes()
    stream = io.BufferedReader(io.BytesIO(data))
    if data.startswith(b"\0B<"):
        stream.read(2)
        return [Entry(token, kind, np.atleast_1d(values)) for token, kind, values in model_parts(stream)]
    if not _BINARY_ARCHIVE.match(data):
        return [_read_entry("", stream)]
    entries = []
    while key := next_key(stream, str(path)):
        entries.append(_read_entry(key, stream))
    return entries


def _read_entry(key: str, stream: Reader) -> Entry:
    if stream.peek(4)[:4] == b"RIFF":
        return Entry(key, "RIFF", WAVE.read(stream).samples)
    tag = stream.peek(6)[2:6].split(b" ")[0].decode()
    if tag.startswith("CM"):
        rest = stream.peek(1 << 30)
        step = _quantisation_step(rest)
        return Entry(key, tag, DOUBLE_MATRIX.read(stream), step)
    holder = DOUBLE_VECTOR if tag.endswith("V") else DOUBLE_MATRIX
    return Entry(key, tag, holder.read(stream))


def _quantisation_step(data: bytes) -> float:
    """The widest gap between two neighbouring codes of the compressed matrix that starts here."""
    # The header and the quantiles come first; the codes may be cut off by the buffer, so zeros are appended for them.
    stream = io.BufferedReader(io.BytesIO(data + bytes(1 << 20)))
    read_binary_header(stream)
    header = read_compressed_header(stream)
    if header.tag != "CM":
        return float(header.span) / (65535 if header.tag == "CM2" else 255)
    quantiles, _ = read_compressed_parts(stream, header)
    assert quantiles is not None
    gaps = np.diff(quantiles.astype(np.float64), axis=1) / [64, 128, 63]
    return float(gaps.max() * header.span / 65535)


def read_plda(path: Path) -> list[Entry]:
    """Mean, transform and psi of a PLDA model, binary or text."""
    stream = io.BufferedReader(io.BytesIO(path.read_bytes()))
    binary = read_binary_header(stream)
    form = "binary" if binary else "text"
    expect_token(stream, "<Plda>")
    mean = read_vector(stream, binary, np.float64)
    transform = read_matrix(stream, binary, np.float64)
    psi = read_vector(stream, binary, np.float64)
    expect_token(stream, "</Plda>")
    return [Entry("mean", form, mean), Entry("transform", form, transform), Entry("psi", form, psi)]


def read_extractor_file(path: Path) -> list[Entry]:
    """Every array of an i-vector extractor or of its statistics; the signs of dimensions are set by a rule."""
    return [Entry(name, "array", values) for name, values in extractor_arrays(path).items()]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str, other: str) -> float:
    assert _is_number(word), f"found {word!r} beside {other!r}"
    return float(word)
