"""steps/train_backend.sh and scoring after it: dimensions that the embeddings support, under minikaldi and Kaldi."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object, writer
from minikaldi.ivector.backend_dims import BackendDims, choose_dims
from minikaldi.ivector.lda import SpeakerScatter

Vectors = list[np.ndarray]  # of each speaker (N, D)

# A Kaldi that refuses what Kaldi's assertions refuse: fewer vectors than dimensions, one utterance for each speaker.
REFUSING = """#!/usr/bin/env bash
echo "$0" >> "$CALLS"
set -euo pipefail
vectors=$(mktemp "$STAND_IN/XXXXXX")
"{root}/minikaldi/bin/copy-vector" --print-args=false "{vectors}" "ark,t:$vectors" 2> /dev/null
read -r count dim < <(awk 'END {{ print NR, NF - 3 }}' "$vectors")
if [ "$count" -{less} "$dim" ]; then
  echo "ASSERTION_FAILED ($(basename "$0")[5.5]) too little data: $count vectors of $dim dimensions" >&2
  exit 134
fi
exec "{root}/minikaldi/bin/$(basename "$0")" "$@"
"""


@dataclass
class Backend:
    """A data directory, its embeddings, and the step run over them."""

    root: Path
    folder: Path

    def write(self, vectors: Vectors) -> None:
        """Embeddings and speakers."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        utts = {f"s{i:02}-u{j:02}": row for i, rows in enumerate(vectors) for j, row in enumerate(rows)}
        with writer(f"ark,scp:{self.folder}/e.ark,{self.folder}/e.scp", FLOAT_VECTOR) as table:
            for utt, row in utts.items():
                table.write(utt, row.astype(np.float32))
        (data / "utt2spk").write_text("".join(f"{utt} {utt.split('-')[0]}\n" for utt in utts))
        spk2utt = {f"s{i:02}": [f"s{i:02}-u{j:02}" for j in range(len(rows))] for i, rows in enumerate(vectors)}
        (data / "spk2utt").write_text("".join(f"{spk} {' '.join(keys)}\n" for spk, keys in spk2utt.items()))

    def train(self, *options: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """Both streams of the step."""
        return self._run(
            code, env, "steps/train_backend.sh", *options, self.folder / "data", self.folder / "e.scp", self.out
        )

    def scores(self, env: dict[str, str] | None = None) -> list[float]:
        """PLDA scores of every utterance with every other, by the recipe's own step."""
        data, enroll = self.folder / "data", self.folder / "enroll"
        self._run(0, env, "steps/make_speaker_models.sh", data / "spk2utt", self.folder / "e.scp", enroll)
        speakers = [line.split()[0] for line in (data / "spk2utt").read_text().splitlines()]
        utts = dict(line.split() for line in (data / "utt2spk").read_text().splitlines())
        label = {True: "target", False: "nontarget"}
        lines = [f"{spk} {utt} {label[utts[utt] == spk]}\n" for spk in speakers for utt in utts]
        (self.folder / "trials").write_text("".join(lines))
        scores = self.folder / "scores" / "plda"
        ends = [self.out, enroll, self.folder / "e.scp", self.folder / "trials", scores]
        self._run(0, env, "steps/score_plda.sh", *ends)
        return [float(line.split()[2]) for line in scores.read_text().splitlines()]

    @property
    def out(self) -> Path:
        """Where the back end is."""
        return self.folder / "backend"

    def _run(self, code: int, env: dict[str, str] | None, *words: object) -> str:
        kept = {key: value for key, value in os.environ.items() if key != "KALDI_ROOT"}
        done = subprocess.run(
            [str(word) for word in words], cwd=self.root, env={**kept, **(env or {})},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def backend(root: Path, tmp_path: Path) -> Backend:
    return Backend(root, tmp_path)


def drawn(num_speakers: int, num_utts: int, dim: int, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_speakers, 1, dim))
    return list(centres + 0.5 * rng.normal(size=(num_speakers, num_utts, dim)))


def stand_in(folder: Path, root: Path) -> dict[str, str]:
    """The environment of a Kaldi whose back-end commands refuse too few vectors."""
    commands = {"ivector-compute-lda": ("${@: -3:1}", "lt"), "ivector-compute-plda": ("${@: -2:1}", "le")}
    for name, (vectors, less) in commands.items():
        path = folder / "src" / "ivectorbin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(REFUSING.format(root=root, vectors=vectors, less=less))
        path.chmod(0o755)
    return {"KALDI_ROOT": str(folder), "STAND_IN": str(folder), "CALLS": str(folder / "calls")}


@pytest.mark.slow
def test_few_utterances_are_reduced_by_pca_and_it_is_printed(backend: Backend, root: Path) -> None:
    """As the tiny corpus: 16 speakers with 6 utterances each, and more dimensions than that."""
    backend.write(drawn(16, 6, 128))
    env = stand_in(backend.folder / "kaldi", root)
    said = backend.train("--lda-dim", "50", env=env)
    assert "PCA: 128 -> 40 dimensions first (96 training embeddings of 16 speakers support no more)" in said
    assert "LDA: 40 -> 15 dimensions (16 training speakers; --lda-dim allows at most 50)" in said
    assert read_object(str(backend.out / "transform.mat"), FLOAT_MATRIX).shape == (15, 129)
    scores = backend.scores(env)
    assert np.isfinite(scores).all() and max(map(abs, scores)) < 1e4
    calls = {Path(line).name for line in (backend.folder / "kaldi" / "calls").read_text().splitlines()}
    assert calls == {"ivector-compute-lda", "ivector-compute-plda"}
    backend.train("--lda-dim", "50")  # and by minikaldi alone
    assert backend.scores() == scores


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(2, 2, 9), (2, 12, 4), (3, 3, 2), (5, 2, 40)])
def test_the_smallest_training_data_give_scores_in_the_usual_range(
    backend: Backend, sizes: tuple[int, int, int]
) -> None:
    backend.write(drawn(*sizes))
    backend.train()
    scores = backend.scores()
    assert np.isfinite(scores).all() and max(map(abs, scores)) < 1e4


def test_the_stand_in_refuses_what_the_step_would_have_asked_before(backend: Backend, root: Path) -> None:
    backend.write(drawn(4, 3, 20))
    env = stand_in(backend.folder / "kaldi", root)
    kaldi = backend.folder / "kaldi" / "src" / "ivectorbin"
    done = subprocess.run(
        [kaldi / "ivector-compute-lda", "--dim=2", f"scp:{backend.folder}/e.scp", "ark:x", "out"],
        env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "12 vectors of 20 dimensions" in done.stderr) == (134, True), done.stderr


def test_enough_utterances_are_not_reduced_first(backend: Backend) -> None:
    backend.write(drawn(8, 6, 12))
    assert "LDA: 12 -> 7 dimensions (8 training speakers; --lda-dim allows at most 200)" in backend.train()
    assert not (backend.out / "pca.mat").exists()
    assert read_object(str(backend.out / "transform.mat"), FLOAT_MATRIX).shape == (7, 13)


@pytest.mark.slow
def test_a_back_end_of_more_embeddings_leaves_no_transform_of_an_earlier_one(backend: Backend) -> None:
    backend.write(drawn(4, 3, 20))
    backend.train()
    assert (backend.out / "pca.mat").exists()
    backend.write(drawn(10, 6, 20))
    backend.train()
    assert not (backend.out / "pca.mat").exists() and not (backend.out / "lda.mat").exists()


def test_what_the_commands_warn_of_is_in_the_steps_own_output(backend: Backend) -> None:
    """A direction along which speakers differ far more than their utterances makes ivector-compute-lda floor others."""
    vectors = drawn(10, 8, 5)
    for number, rows in enumerate(vectors):
        rows[:, 4] += 1e4 * number
    backend.write(vectors)
    said = backend.train("--total-covariance-factor", "1.0")
    assert "train_backend.sh: WARNING (ivector-compute-lda" in said and "Floored 4 of 5 eigenvalues" in said


@pytest.mark.parametrize(("power", "dims"), [(-5, 4), (0, 5)])
def test_directions_that_lda_would_floor_are_left_out_before_it(backend: Backend, power: int, dims: int) -> None:
    vectors = drawn(10, 8, 5)
    for rows in vectors:
        rows[:, 4] *= 10.0**power
    backend.write(vectors)
    said = backend.train()
    assert f"LDA: {dims} -> {dims} dimensions" in said and "WARNING" not in said


def test_an_utterance_without_an_embedding_is_in_the_output_of_the_step_that_makes_models(backend: Backend) -> None:
    backend.write(drawn(3, 2, 4))
    table = backend.folder / "e.scp"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith("s01-u01 ")))
    models = [backend.folder / "data" / "spk2utt", table, backend.folder / "models"]
    said = backend._run(0, None, "steps/make_speaker_models.sh", *models)
    assert "make_speaker_models.sh: WARNING (ivector-mean" in said and "s01-u01" in said


@pytest.mark.parametrize(
    ("vectors", "complaint"),
    [
        (drawn(1, 9, 4), "found 9 vectors of 1 speakers; LDA and PLDA need two or more speakers"),
        (drawn(9, 1, 4), "found 9 vectors of 9 speakers; LDA and PLDA need speakers with two or more utterances"),
        ([np.repeat(rows, 5, axis=0) for rows in drawn(6, 1, 4)], "do not differ within speakers"),
        ([np.full((4, 3), 2.5)] * 5, "do not differ within speakers"),
        ([*drawn(3, 4, 4), np.full((2, 4), np.nan)], "s03-u00: vector holds NaN or infinity"),
    ],
)
def test_embeddings_without_a_back_end_are_refused_with_what_to_do(
    backend: Backend, vectors: Vectors, complaint: str
) -> None:
    backend.write(vectors)
    said = backend.train(code=1)
    assert complaint in said
    assert not (backend.out / "plda").exists()


def test_embeddings_of_other_data_are_refused(backend: Backend) -> None:
    backend.write(drawn(4, 4, 3))
    (backend.folder / "data" / "utt2spk").write_text("x-1 x\nx-2 x\n")
    assert "no vector has a speaker" in backend.train(code=1)


def dims_of(vectors: Vectors, lda_dim: int = 200) -> BackendDims:
    scatter = SpeakerScatter(vectors[0].shape[1])
    for speaker, rows in enumerate(vectors):
        scatter.add(rows, np.full(len(rows), speaker))
    return choose_dims(scatter, lda_dim)


def with_column(vectors: Vectors, column: list[float]) -> Vectors:
    return [np.column_stack([rows, np.full(len(rows), value)]) for rows, value in zip(vectors, column, strict=True)]


def test_dimensions_by_hand() -> None:
    assert dims_of(drawn(16, 6, 128), 50) == BackendDims(128, 40, 15)  # 80 utterances more than speakers, half of them
    assert dims_of(drawn(16, 6, 80), 50) == BackendDims(80, 80, 15)  # just enough
    assert dims_of(drawn(16, 6, 81), 5) == BackendDims(81, 40, 5)
    assert dims_of(drawn(2, 2, 9)) == BackendDims(9, 2, 2)
    assert dims_of(drawn(2, 30, 9)) == BackendDims(9, 9, 2)  # length normalisation leaves nothing of one dimension
    assert dims_of(drawn(2, 30, 9), 1) == BackendDims(9, 9, 1)
    assert dims_of(drawn(3, 2, 1)) == BackendDims(1, 1, 1)
    assert dims_of([*drawn(1, 2, 9), *drawn(4, 1, 9, seed=1)]) == BackendDims(9, 1, 1)  # one speaker has two
    assert dims_of(with_column(drawn(10, 9, 6), [3.5] * 10)) == BackendDims(7, 6, 6)  # a dimension that never varies
    dead = [np.column_stack([rows, rows @ np.ones(6)]) for rows in drawn(10, 9, 6)]
    assert dims_of(dead) == BackendDims(7, 6, 6)  # one that others determine


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_a_dimension_that_is_constant_within_speakers_never_makes_the_covariance_singular(scale: float) -> None:
    vectors = with_column(drawn(10, 9, 6), [scale * i for i in range(10)])
    dims = dims_of(vectors)
    rows = np.concatenate(vectors)
    directions = np.linalg.svd(rows - rows.mean(axis=0))[2][: dims.pca]
    offsets = np.concatenate([speaker - speaker.mean(axis=0) for speaker in vectors]) @ directions.T
    assert np.linalg.matrix_rank(offsets) == dims.pca >= 1


def test_rounding_is_no_direction_and_constant_dimensions_are_named() -> None:
    mixed = [rows @ np.random.default_rng(1).normal(size=(5, 8)) for rows in drawn(20, 8, 5)]
    for digits in (3, 4, 6):
        dims = dims_of([np.array([[float(f"{x:.{digits}f}") for x in row] for row in rows]) for rows in mixed])
        assert (dims.pca, dims.lda, dims.why) == (5, 5, "the embeddings vary along no more directions")
    constant = [np.insert(rows, [1, 4], [2.5, 0.0], axis=1) for rows in drawn(20, 10, 6)]
    dims = dims_of(constant)
    assert (dims.pca, dims.why) == (6, "dimensions 1, 5, counted from 0, are the same in all 200 training embeddings")
    dims = dims_of([np.insert(rows, 0, 1.5, axis=1) for rows in drawn(16, 6, 128)])
    assert dims.pca == 40 and dims.why == (
        "96 training embeddings of 16 speakers support no more; dimension 0, counted from 0, is the same in all 96 "
        "training embeddings"
    )
