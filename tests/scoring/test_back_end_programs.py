"""The two programs of steps/train_backend.sh: the dimensions of the back end, and LDA after PCA as one transform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object, write_object, writer
from minikaldi.ivector.backend_dims import choose_dims
from scoring.backend_dims import explanation, training_scatter
from scoring.backend_dims import main as print_dims
from scoring.compose_transforms import composed
from scoring.compose_transforms import main as compose


def write_vectors(folder: Path, vectors: dict[str, np.ndarray]) -> list[str]:
    """Vectors with the speaker before the dash of their ids; returns the two rspecifiers."""
    with writer(f"ark:{folder}/v.ark", FLOAT_VECTOR) as table:
        for utt_id, vector in vectors.items():
            table.write(utt_id, vector.astype(np.float32))
    utt2spk = [f"{utt_id} {utt_id.split('-')[0]}\n" for utt_id in vectors if "-" in utt_id]
    (folder / "utt2spk").write_text("".join(utt2spk))
    return [f"ark:{folder}/v.ark", f"ark:{folder}/utt2spk"]


def drawn(num_speakers: int, num_utts: int, dim: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(num_speakers, dim))
    return {f"s{s}-u{u}": centres[s] + rng.normal(size=dim) for s in range(num_speakers) for u in range(num_utts)}


def test_dimensions_are_printed_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = write_vectors(tmp_path, drawn(8, 6, 12))
    assert print_dims(["--lda-dim", "200", *tables]) == 0
    said = "12 12 7 LDA: 12 -> 7 dimensions (8 training speakers; --lda-dim allows at most 200)\n"
    assert capsys.readouterr().out == said


def test_pca_comes_first_if_the_vectors_are_few(tmp_path: Path) -> None:
    scatter = training_scatter(*write_vectors(tmp_path, drawn(4, 3, 20)))
    dims = choose_dims(scatter, 50)
    assert explanation(scatter, dims, 50).startswith(f"PCA: 20 -> {dims.pca} dimensions first (")


def test_vectors_without_a_speaker_do_not_count(tmp_path: Path) -> None:
    vectors = drawn(3, 4, 5)
    alone = training_scatter(*write_vectors(tmp_path, vectors))
    mixed = training_scatter(*write_vectors(tmp_path, {"nobody": np.full(5, 1e6), **vectors}))
    assert choose_dims(mixed, 5) == choose_dims(alone, 5) and mixed.num_speakers == 3


@pytest.mark.parametrize(
    ("vectors", "complaint"),
    [
        ({"a": np.ones(2)}, "no vector has a speaker"),
        ({"a-1": np.ones(2), "a-2": np.ones(3)}, "a-2: vector has 3 dimensions, the first 2"),
        ({"a-1": np.array([1.0, np.nan])}, "a-1: vector holds NaN or infinity"),
    ],
)
def test_wrong_vectors_are_refused_by_name(tmp_path: Path, vectors: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        training_scatter(*write_vectors(tmp_path, vectors))


def test_composed_transforms_do_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    first, affine, vectors = rng.normal(size=(3, 5)), rng.normal(size=(2, 4)), rng.normal(size=(6, 5))
    both = composed(affine, first)
    expected = vectors @ first.T @ affine[:, :3].T + affine[:, 3]
    np.testing.assert_allclose(vectors @ both[:, :5].T + both[:, 5], expected, atol=1e-12)
    assert composed(affine[:, :3], first).shape == (2, 5)


def test_transforms_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="the first transform gives 3 dimensions, the second takes 5 or 6"):
        composed(np.ones((2, 6)), np.ones((3, 4)))


def test_the_program_writes_the_composed_transform(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name, shape in (("lda", (2, 4)), ("pca", (3, 5))):
        write_object(str(tmp_path / name), FLOAT_MATRIX, rng.normal(size=shape))
    second, first = (read_object(str(tmp_path / name), FLOAT_MATRIX) for name in ("lda", "pca"))
    assert compose([str(tmp_path / name) for name in ("lda", "pca", "out")]) == 0
    written = read_object(str(tmp_path / "out"), FLOAT_MATRIX)
    np.testing.assert_allclose(written, composed(second, first).astype(np.float32), rtol=1e-6)  # stored as float32
