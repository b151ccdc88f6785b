"""Archives of every form, cut, damaged and forged: whole entries, then one error that names file and byte."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.basebin.copy_int_vector import IntVectorFileHolder
from minikaldi.feat.htk import HtkHolder, SphinxHolder
from minikaldi.featbin.general_matrix import GENERAL_MATRIX, CompressedMatrix
from minikaldi.gmm.diag_gmm import DIAG_GMM, DiagGmm
from minikaldi.gmm.diag_stats import DIAG_STATS, DiagStats
from minikaldi.gmm.flags import GmmFlags
from minikaldi.gmm.full_gmm import FULL_GMM, FullGmm
from minikaldi.gmm.full_stats import FULL_STATS, FullStats
from minikaldi.io import (
    BOOL,
    DOUBLE_MATRIX,
    DOUBLE_VECTOR,
    FLOAT,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    GAUSS_POSTERIOR,
    GSELECT,
    INT32,
    INT32_VECTOR,
    POSTERIOR,
    POSTERIOR_ARRAYS,
    TOKEN,
    TOKEN_VECTOR,
    FrameIndices,
    FramePosteriors,
    Holder,
    StreamContext,
    compressed_matrix,
    matrix_shape,
    random_access,
    read_matrix_rows,
    sequential,
    writer,
)
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.extractor_stats import ExtractorStats
from minikaldi.ivector.plda import Plda
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.extractor_passes import stats_of
from tests.minikaldi.helpers.fuzzing import Refusal, damaged, memory_limit, refusal_or_value
from tests.minikaldi.helpers.slow_extractor import random_extractor, random_utterance
from tests.minikaldi.helpers.slow_mixtures import random_diag, random_full, random_selection

pytestmark = pytest.mark.filterwarnings("error")  # numpy's warnings are silent faults

RNG = np.random.default_rng(20)
MATRIX = RNG.normal(0, 10, (9, 3)).astype(np.float32)
PLACE = r"^standard input: (key .+: )?byte \d+: |^standard input:1: the file is UTF-16"


@dataclass(frozen=True)
class Form:
    """One form of entries: who writes and who reads it, what is in it."""

    name: str
    options: str
    holder: Holder[Any]
    values: tuple[Any, ...]
    reader: Holder[Any] | None = None

    @property
    def read_by(self) -> Holder[Any]:
        return self.reader or self.holder


def model(dim: int) -> Plda:
    return Plda(RNG.normal(size=dim), RNG.normal(size=(dim, dim)), np.sort(RNG.uniform(size=dim))[::-1].copy())


MATRICES = (MATRIX, MATRIX[:2], MATRIX[:, :1])
VECTOR = np.array([0.5, 0.25], dtype=np.float32)
SPHINX = RNG.normal(size=(3, 13)).astype(np.float32)
POSTERIORS = ([[(1, 0.5), (2, 0.25)], []], [], [[(3, 1.0)]])
GAUSS_POSTERIORS = ([[(7, VECTOR), (8, VECTOR)], [(9, VECTOR)]], [[(1, VECTOR)]])
SELECTIONS = (random_selection(3, 9), FrameIndices(np.zeros(0, "i4"), np.zeros(0, "i4")), random_selection(1, 9))
SHARES = tuple(FramePosteriors(one.counts, one.indices, one.indices.astype(np.float32)) for one in SELECTIONS)
DIAG_MODELS = (random_diag(2, 2), random_diag(1, 1), random_diag(3, 2))
FULL_MODELS = (random_full(2, 2), random_full(1, 1), random_full(1, 3))
MVW = GmmFlags.MEANS | GmmFlags.VARIANCES | GmmFlags.WEIGHTS
STATS = (np.ones(2), np.ones((2, 2)))
DIAG_SUMS = (
    DiagStats(MVW, 2, *STATS, np.ones((2, 2))),
    DiagStats(GmmFlags.WEIGHTS, 1, np.ones(1), np.zeros((0, 0)), np.zeros((0, 0))),
)
FULL_SUMS = (FullStats(MVW, 2, *STATS, np.ones((2, 3))),)
EXTRACTORS = (random_extractor(2, 2, 2), random_extractor(1, 1, 1), random_extractor(2, 1, 2, with_weights=True))
EXTRACTOR_SUMS = tuple(stats_of(one, [random_utterance(one, 3, 0)]) for one in EXTRACTORS[:2])
VECTORS = (MATRIX[0], MATRIX[:, 0], MATRIX[0, :1])
FORMS = [
    Form("FM", "ark", FLOAT_MATRIX, MATRICES),
    Form("DM", "ark", DOUBLE_MATRIX, MATRICES),
    Form("DM as float", "ark", DOUBLE_MATRIX, MATRICES, FLOAT_MATRIX),
    Form("CM", "ark", compressed_matrix(2), MATRICES),
    Form("CM2", "ark", compressed_matrix(3), MATRICES),
    Form("CM3", "ark", compressed_matrix(5), MATRICES),
    Form("text matrix", "ark,t", FLOAT_MATRIX, MATRICES),
    Form("FV", "ark", FLOAT_VECTOR, VECTORS),
    Form("DV", "ark", DOUBLE_VECTOR, VECTORS),
    Form("text vector", "ark,t", DOUBLE_VECTOR, VECTORS),
    Form("integers", "ark", INT32_VECTOR, ([1, -2, 3], [], [70000])),
    Form("text integers", "ark,t", INT32_VECTOR, ([1, -2, 3], [], [70000])),
    Form("integer", "ark", INT32, (1, -200, 70000)),
    Form("text integer", "ark,t", INT32, (1, -200, 70000)),
    Form("number", "ark", FLOAT, (1.0, -0.125, 1e30)),
    Form("text number", "ark,t", FLOAT, (1.0, -0.125, 1e30)),
    Form("truth", "ark", BOOL, (True, False, True)),
    Form("text truth", "ark,t", BOOL, (True, False, True)),
    Form("word", "ark", TOKEN, ("speaker", "a", "é")),
    Form("words", "ark", TOKEN_VECTOR, (["utt1", "utt2"], [], ["é"])),
    Form("as stored", "ark", GENERAL_MATRIX, MATRICES),
    Form("CM as stored", "ark", compressed_matrix(2), MATRICES, GENERAL_MATRIX),
    Form("posterior", "ark", POSTERIOR, POSTERIORS),
    Form("text posterior", "ark,t", POSTERIOR, POSTERIORS),
    Form("Gaussian posterior", "ark", GAUSS_POSTERIOR, GAUSS_POSTERIORS),
    Form("text Gaussian posterior", "ark,t", GAUSS_POSTERIOR, GAUSS_POSTERIORS),
    Form("HTK", "ark", HtkHolder(), MATRICES),
    Form("Sphinx", "ark", SphinxHolder(), (SPHINX, SPHINX[:2], SPHINX[:0])),
    Form("integers of a file", "ark", IntVectorFileHolder(), ([1, -2, 3], [], [70000])),
    Form("text integers of a file", "ark,t", IntVectorFileHolder(), ([1, -2, 3], [], [70000])),
    Form("plda", "ark", PLDA, (model(2), model(1), model(3))),
    Form("text plda", "ark,t", PLDA, (model(2), model(1), model(3))),
    Form("selection", "ark", GSELECT, SELECTIONS),
    Form("text selection", "ark,t", GSELECT, SELECTIONS),
    Form("posterior arrays", "ark", POSTERIOR_ARRAYS, SHARES),
    Form("text posterior", "ark,t", POSTERIOR_ARRAYS, SHARES),
    Form("diagonal GMM", "ark", DIAG_GMM, DIAG_MODELS),
    Form("text diagonal GMM", "ark,t", DIAG_GMM, DIAG_MODELS),
    Form("full GMM", "ark", FULL_GMM, FULL_MODELS),
    Form("text full GMM", "ark,t", FULL_GMM, FULL_MODELS),
    Form("diagonal statistics", "ark", DIAG_STATS, DIAG_SUMS),
    Form("text diagonal statistics", "ark,t", DIAG_STATS, DIAG_SUMS),
    Form("full statistics", "ark", FULL_STATS, FULL_SUMS),
    Form("extractor", "ark", EXTRACTOR, EXTRACTORS),
    Form("text extractor", "ark,t", EXTRACTOR, EXTRACTORS),
    Form("extractor statistics", "ark", EXTRACTOR_STATS, EXTRACTOR_SUMS),
    Form("text extractor statistics", "ark,t", EXTRACTOR_STATS, EXTRACTOR_SUMS),
]
LAST_TOKENS = (
    *(b"</Plda>", b"</DiagGMM>", b"</FullGMM>", b"</GMMACCS>"),
    *(b"</IvectorExtractor>", b"</IvectorExtractorStats>"),
)
EACH_FORM = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def plain(value: Any) -> Any:
    """A value in a form that compares by content."""
    if isinstance(value, Plda):
        return [plain(part) for part in (value.mean, value.transform, value.psi)]
    if isinstance(value, FrameIndices | DiagStats | FullStats | DiagGmm | FullGmm | IvectorExtractor | ExtractorStats):
        return [plain(part) for part in vars(value).values()]
    if isinstance(value, CompressedMatrix):
        return [plain(part) for part in (value.header, value.quantiles, value.codes)]
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def written(folder: Path, form: Form) -> tuple[bytes, list[int]]:
    """An archive's bytes, and where its entries end."""
    path = folder / "a.ark"
    ends = []
    for count in range(1, len(form.values) + 1):
        with writer(f"{form.options}:{path}", form.holder) as out:
            for number, value in enumerate(form.values[:count]):
                out.write(f"utt{number}", value)
        ends.append(path.stat().st_size)
    return path.read_bytes(), ends


def read_until_refused(data: bytes, holder: Holder[Any]) -> tuple[list[Any], str | None]:
    """The entries before the error, and its text; fails on any other exception."""
    entries: list[Any] = []

    def read() -> None:
        with sequential("ark:-", holder, StreamContext(io.BytesIO(data))) as table:
            for key, value in table:
                entries.append((key, plain(value)))

    outcome = refusal_or_value(read, (KaldiError,), PLACE, data)
    return entries, outcome.text if isinstance(outcome, Refusal) else None


def whole_from(form: Form, data: bytes, end: int) -> int:
    """From how many bytes on the entry that ends at `end` is whole: a closing mark needs nothing after it."""
    text = data[:end].rstrip(b" \n")
    bracket = form.options == "ark,t" and form.name != "text posterior"  # which is a line
    closed = text.endswith(LAST_TOKENS) or (bracket and text.endswith(b"]"))
    return len(text) if closed else end


@EACH_FORM
def test_a_cut_archive_gives_its_whole_entries_and_then_an_error(form: Form, tmp_path: Path) -> None:
    data, ends = written(tmp_path, form)
    whole, fault = read_until_refused(data, form.read_by)
    assert fault is None and len(whole) == len(form.values)
    borders = {0, *(cut for end in ends for cut in range(whole_from(form, data, end), end + 1))}
    for cut in range(len(data)):
        entries, fault = read_until_refused(data[:cut], form.read_by)
        assert entries == whole[: sum(cut >= whole_from(form, data, end) for end in ends)], cut
        assert (fault is None) == (cut in borders), (cut, fault)


@EACH_FORM
def test_a_damaged_archive_gives_values_or_one_error_with_its_place(form: Form, tmp_path: Path) -> None:
    data, _ = written(tmp_path, form)
    with memory_limit():
        for bytes_ in damaged(data, seed=1, mixed=60, header=20, places=1):
            read_until_refused(bytes_, form.read_by)


@pytest.mark.slow
@EACH_FORM
def test_an_archive_damaged_in_many_places_gives_values_or_one_error(form: Form, tmp_path: Path) -> None:
    data, _ = written(tmp_path, form)
    with memory_limit():
        for bytes_ in damaged(data, seed=2, mixed=3000, header=len(data), places=5):
            read_until_refused(bytes_, form.read_by)
            by_key = partial(read_by_key, bytes_, form.read_by)
            refusal_or_value(by_key, (KaldiError,), "^standard input:(1:)? ", bytes_)


def read_by_key(data: bytes, holder: Holder[Any]) -> Any:
    with random_access("ark:-", holder, StreamContext(io.BytesIO(data))) as table:
        present = "utt1" in table
        return table["utt1"] if present else None


@pytest.mark.parametrize("form", [form for form in FORMS if form.read_by == FLOAT_MATRIX], ids=lambda form: form.name)
def test_rows_of_a_damaged_matrix_are_values_or_one_error(form: Form, tmp_path: Path) -> None:
    data, _ = written(tmp_path, form)
    path = tmp_path / "a.ark"
    name, place = f"{path}:5", rf"^{re.escape(str(path))}:5: .*(byte \d+: |rows 1 to 3)"
    with memory_limit(), path.open("r+b", buffering=0) as file:
        for bytes_ in damaged(data, seed=3, mixed=60, header=20, places=1):
            file.truncate(file.write(bytes_))
            file.seek(0)
            refusal_or_value(lambda: read_matrix_rows(name, 1, 3), (KaldiError,), place, bytes_)
            refusal_or_value(lambda: matrix_shape(name), (KaldiError,), place, bytes_)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.sampled_from(FORMS), st.sampled_from([b"", b"\0B", b"\0BFM \4", b"\0BCM ", b" [ "]))
def test_any_bytes_after_a_key_are_a_value_or_one_error(data: bytes, form: Form, start: bytes) -> None:
    stream = io.BufferedReader(io.BytesIO(start + data))  # type: ignore[arg-type]
    refusal_or_value(lambda: form.read_by.read(stream), (KaldiError,), "", start + data)


def test_a_forged_wide_matrix_takes_no_memory_for_what_it_has_not() -> None:
    cols = 100_000
    header = b"\0BCM " + struct.pack("<ffii", 0, 1, 1, cols)
    data = header + np.tile(np.array([0, 1, 2, 3], "<u2"), cols).tobytes() + bytes(cols)
    tracemalloc.start()
    assert FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(data))).shape == (1, cols)  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * len(data)  # 256 values of each column would be a thousand times that


def test_a_range_beyond_float32_is_infinite_without_a_warning() -> None:
    data = b"\0BCM2 " + struct.pack("<ffii", 3e38, 3e38, 1, 2) + b"\0\0\xff\xff"
    matrix = FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    assert matrix.tolist() == [[np.float32(3e38), np.inf]]
    double = b"\0BDM \4" + struct.pack("<i", 1) + b"\4" + struct.pack("<i", 1) + struct.pack("<d", 1e300)
    assert FLOAT_MATRIX.read(io.BufferedReader(io.BytesIO(double))).tolist() == [[np.inf]]  # type: ignore[arg-type]
