"""Every option of the embedding commands against slow versions written from the definitions, in the vectors' own space.

tests/golden has what Kaldi answered to some option values; here are the others, and the same ones once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from scipy.stats import multivariate_normal

from minikaldi.io import DOUBLE_MATRIX, DOUBLE_VECTOR, read_object, write_object
from minikaldi.ivector.plda import Plda, plda_of_covariances
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.ivector_tables import read_vectors, run, write_vectors

DIM = 4
WRITTEN = 2e-7  # tables hold float32 and text seven digits: relative error of what is read back


@dataclass
class Corpus:
    """Vectors of speakers with 1 to 5 utterances, as float32 holds them; tables of them in `folder`."""

    folder: Path
    vectors: dict[str, np.ndarray]

    @property
    def ark(self) -> str:
        return f"ark:{self.folder / 'v.ark'}"

    def table(self, name: str) -> str:
        return f"ark:{self.folder / name}"

    def of_speakers(self) -> dict[str, np.ndarray]:
        """Vectors (N, D) by speaker."""
        speakers = sorted({key.split("-")[0] for key in self.vectors})
        return {s: np.array([v for key, v in self.vectors.items() if key.split("-")[0] == s]) for s in speakers}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(DIM, DIM))
    vectors: dict[str, np.ndarray] = {}
    lines = []
    for speaker in range(14):
        mean = 3.0 * rng.normal(size=DIM)
        keys = [f"s{speaker:02}-{n}" for n in range(rng.integers(1, 6))]
        lines.append(f"s{speaker:02} {' '.join(keys)}\n")
        vectors |= {key: ((mean + rng.normal(size=DIM)) @ mixing + 5.0).astype(np.float32) for key in keys}
    write_vectors(tmp_path / "v.ark", vectors)
    (tmp_path / "spk2utt").write_text("".join(lines))
    (tmp_path / "utt2spk").write_text("".join(f"{key} {key.split('-')[0]}\n" for key in vectors))
    return Corpus(tmp_path, {key: vector.astype(np.float64) for key, vector in vectors.items()})


@pytest.mark.parametrize("binary", [True, False, None])
def test_the_mean_of_a_table_is_written_in_binary_on_demand(corpus: Corpus, binary: bool | None) -> None:
    option = [] if binary is None else [f"--binary={binary}".lower()]
    assert run("ivector-mean", *option, corpus.ark, corpus.folder / "mean")[0] == 0
    expected = sum(corpus.vectors.values()) / len(corpus.vectors)
    np.testing.assert_allclose(read_object(str(corpus.folder / "mean"), DOUBLE_VECTOR), expected, rtol=WRITTEN)
    assert (corpus.folder / "mean").read_bytes().startswith(b"\0BDV ") == (binary is True)


def test_speaker_means_need_no_table_of_counts(corpus: Corpus) -> None:
    assert run("ivector-mean", corpus.table("spk2utt"), corpus.ark, corpus.table("means"))[0] == 0
    for speaker, mean in read_vectors(corpus.folder / "means").items():
        expected = corpus.of_speakers()[speaker].mean(axis=0)
        np.testing.assert_allclose(mean, expected, rtol=WRITTEN, atol=WRITTEN)


@pytest.mark.parametrize("subtract", [True, False, None])
@pytest.mark.parametrize("given", [True, False])
def test_the_mean_is_subtracted_unless_reported_not_to(corpus: Corpus, subtract: bool | None, given: bool) -> None:
    option = [] if subtract is None else [f"--subtract-mean={subtract}".lower()]
    mean = sum(corpus.vectors.values()) / len(corpus.vectors)
    if given:
        mean = np.arange(DIM) + 0.5
        write_object(str(corpus.folder / "mean"), DOUBLE_VECTOR, mean)
        option.append(str(corpus.folder / "mean"))
    assert run("ivector-subtract-global-mean", *option, corpus.ark, corpus.table("out"))[0] == 0
    for key, vector in read_vectors(corpus.folder / "out").items():
        expected = corpus.vectors[key] - (0.0 if subtract is False else mean)
        np.testing.assert_allclose(vector, expected, rtol=WRITTEN, atol=1e-5 if subtract is not False else 0.0)


@pytest.mark.parametrize("normalize", [True, False, None])
@pytest.mark.parametrize("scaleup", [True, False, None])
def test_lengths_are_normalised_as_asked(
    corpus: Corpus, normalize: bool | None, scaleup: bool | None, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [] if normalize is None else [f"--normalize={normalize}".lower()]
    options += [] if scaleup is None else [f"--scaleup={scaleup}".lower()]
    assert run("ivector-normalize-length", *options, corpus.ark, corpus.table("out"))[0] == 0
    ratios = []
    for key, vector in read_vectors(corpus.folder / "out").items():
        given = corpus.vectors[key]
        ratios.append(np.linalg.norm(given) / (1.0 if scaleup is False else np.sqrt(DIM)))
        np.testing.assert_allclose(vector, given / (1.0 if normalize is False else ratios[-1]), rtol=WRITTEN)
    mean, deviation = np.mean(ratios), np.std(ratios)
    assert f"expected length was {mean:.6g}, standard deviation was {deviation:.6g}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["transform-vec", "ivector-transform"])
@pytest.mark.parametrize("affine", [True, False])
def test_vectors_are_multiplied_one_by_one(corpus: Corpus, name: str, affine: bool) -> None:
    matrix = np.random.default_rng(1).normal(size=(3, DIM + affine)).astype(np.float32)
    write_object(str(corpus.folder / "mat"), DOUBLE_MATRIX, matrix)
    assert run(name, corpus.folder / "mat", corpus.ark, corpus.table("out"))[0] == 0
    found = read_vectors(corpus.folder / "out")
    assert list(found) == list(corpus.vectors)
    for key, vector in found.items():
        expected = [
            sum(row[i] * x for i, x in enumerate([*corpus.vectors[key], 1.0][: DIM + affine])) for row in matrix
        ]
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def slow_lda(corpus: Corpus, total_factor: float, floor: float) -> np.ndarray:
    """Generalised eigenvectors of the between-speaker covariance, with the offset that centres; (D, D + 1)."""
    everything = np.array(list(corpus.vectors.values()))
    mean = everything.mean(axis=0)
    within = sum((rows - rows.mean(axis=0)).T @ (rows - rows.mean(axis=0)) for rows in corpus.of_speakers().values())
    total = (everything - mean).T @ (everything - mean)
    unit = (total_factor * total + (1.0 - total_factor) * within) / len(everything)
    variances, axes = np.linalg.eigh(unit)
    unit = axes @ np.diag(np.maximum(variances, floor * variances.max())) @ axes.T
    _, directions = scipy.linalg.eigh((total - within) / len(everything), unit)
    directions = directions.T[::-1]
    return np.column_stack([directions, -directions @ mean])


@pytest.mark.parametrize("total_factor", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("floor", [1e-6, 0.3, 1.0])
@pytest.mark.parametrize("dim", [1, 3, DIM])
def test_lda_equals_the_generalised_eigenvectors(corpus: Corpus, total_factor: float, floor: float, dim: int) -> None:
    options = f"--total-covariance-factor={total_factor}", f"--covariance-floor={floor}", f"--dim={dim}"
    arguments = corpus.ark, corpus.table("utt2spk"), corpus.folder / "lda"
    assert run("ivector-compute-lda", *options, *arguments)[0] == 0
    found, expected = (
        read_object(str(corpus.folder / "lda"), DOUBLE_MATRIX),
        slow_lda(corpus, total_factor, floor)[:dim],
    )
    signs = np.sign((found * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found * signs, expected, atol=WRITTEN * np.abs(expected).max())


@pytest.mark.parametrize("binary", [True, False, None])
def test_lda_is_written_in_binary_unless_reported_not_to(corpus: Corpus, binary: bool | None) -> None:
    option = [] if binary is None else [f"--binary={binary}".lower()]
    assert (
        run("ivector-compute-lda", "--dim=2", *option, corpus.ark, corpus.table("utt2spk"), corpus.folder / "l")[0] == 0
    )
    assert (corpus.folder / "l").read_bytes().startswith(b" [" if binary is False else b"\0BFM ")


def slow_plda(corpus: Corpus, num_iters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and covariances by EM, each speaker's joint Gaussian of mean and utterances written out."""
    speakers = list(corpus.of_speakers().values())
    mean = sum(rows.mean(axis=0) for rows in speakers) / len(speakers)
    num_utts = sum(len(rows) for rows in speakers)
    within = between = np.eye(DIM)
    for _ in range(num_iters):
        new_within, new_between = np.zeros((DIM, DIM)), np.zeros((DIM, DIM))
        for rows in speakers:
            count = len(rows)
            # The speaker's mean m ~ N(0, B); utterances u_i = m + N(0, W): what the utterances say of m.
            joint = np.kron(np.ones((count, count)), between) + np.kron(np.eye(count), within)
            gain = np.kron(np.ones((1, count)), between) @ np.linalg.inv(joint)
            posterior_mean = gain @ (rows - mean).ravel()
            posterior_var = between - gain @ np.kron(np.ones((count, 1)), between)
            new_between += posterior_var + np.outer(posterior_mean, posterior_mean)
            for row in rows - mean:
                new_within += posterior_var + np.outer(row - posterior_mean, row - posterior_mean)
        within, between = new_within / num_utts, new_between / len(speakers)
    return mean, within, between


@pytest.mark.parametrize("num_iters", [0, 1, 2, 5, None])
def test_plda_equals_em_with_every_speakers_joint_gaussian(corpus: Corpus, num_iters: int | None) -> None:
    option = [] if num_iters is None else [f"--num-em-iters={num_iters}"]
    arguments = corpus.table("spk2utt"), corpus.ark, corpus.folder / "plda"
    assert run("ivector-compute-plda", *option, *arguments)[0] == 0
    plda = read_object(str(corpus.folder / "plda"), PLDA)
    mean, within, between = slow_plda(corpus, 10 if num_iters is None else num_iters)
    np.testing.assert_allclose(plda.mean, mean, rtol=1e-12)
    # Double throughout, ten iterations of inverses of well-conditioned matrices.
    np.testing.assert_allclose(plda.covariances(), (within, between), atol=1e-9 * np.abs(between).max())


@pytest.fixture
def model(corpus: Corpus) -> Plda:
    """A model of such vectors, also in the file `plda`."""
    plda = plda_of_covariances(*slow_plda(corpus, 3))
    write_object(str(corpus.folder / "plda"), PLDA, plda)
    return plda


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0, None])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("others", [[], ["--normalize-length=false", "--simple-length-normalization=true"]])
def test_a_copied_model_is_smoothed_and_nothing_else(
    corpus: Corpus, model: Plda, smoothing: float | None, binary: bool, others: list[str]
) -> None:
    options = [f"--binary={binary}".lower(), *others] + ([] if smoothing is None else [f"--smoothing={smoothing}"])
    assert run("ivector-copy-plda", *options, corpus.folder / "plda", corpus.folder / "copy")[0] == 0
    assert (corpus.folder / "copy").read_bytes().startswith(b"\0B<Plda> " if binary else b"<Plda> ")
    copy = read_object(str(corpus.folder / "copy"), PLDA)
    within, between = model.covariances()
    expected = within + (smoothing or 0.0) * between, between
    scale = np.abs(expected).max()
    np.testing.assert_allclose(copy.covariances(), expected, atol=(1e-12 if binary else 1e-5) * scale)
    np.testing.assert_allclose(copy.mean, model.mean, rtol=WRITTEN)


def slow_llr(plda: Plda, enroll: np.ndarray, num_utts: int, test: np.ndarray, normalize: str) -> float:
    """Log-ratio of the densities of the pair, of one speaker and of two, in the vectors' own space."""
    within, between = plda.covariances()
    pair = []
    for vector, count in ((enroll - plda.mean, num_utts), (test - plda.mean, 1)):
        expected = {"full": between + within / count, "simple": within}.get(normalize)
        scale = 1.0 if expected is None else np.sqrt(DIM / (vector @ np.linalg.solve(expected, vector)))
        pair.append(scale * vector)
    apart = scipy.linalg.block_diag(between + within / num_utts, between + within)
    together = apart + np.kron(np.array([[0.0, 1.0], [1.0, 0.0]]), between)
    both = np.concatenate(pair)
    return multivariate_normal.logpdf(both, cov=together) - multivariate_normal.logpdf(both, cov=apart)


@pytest.mark.parametrize("with_num_utts", [True, False])
@pytest.mark.parametrize(
    ("normalize", "options"),
    [
        ("full", []),
        ("full", ["--normalize-length=true", "--simple-length-normalization=false"]),
        ("simple", ["--simple-length-normalization=true"]),
        ("none", ["--normalize-length=false"]),
        ("none", ["--normalize-length=false", "--simple-length-normalization=true"]),
    ],
)
def test_plda_scores_equal_ratios_of_gaussian_densities(
    corpus: Corpus, model: Plda, with_num_utts: bool, normalize: str, options: list[str]
) -> None:
    means = {speaker: rows.mean(axis=0).astype(np.float32) for speaker, rows in corpus.of_speakers().items()}
    counts = {speaker: len(rows) if with_num_utts else 1 for speaker, rows in corpus.of_speakers().items()}
    enroll = write_vectors(corpus.folder / "means", means)
    (corpus.folder / "num_utts").write_text("".join(f"{speaker} {count}\n" for speaker, count in counts.items()))
    (corpus.folder / "trials").write_text("".join(f"{speaker} {utt}\n" for utt in corpus.vectors for speaker in means))
    options = [*options, f"--num-utts={corpus.table('num_utts')}"] if with_num_utts else options
    files = corpus.folder / "trials", corpus.folder / "scores"
    assert run("ivector-plda-scoring", *options, corpus.folder / "plda", enroll, corpus.ark, *files)[0] == 0
    scores = [line.split() for line in files[1].read_text().splitlines()]
    assert [row[:2] for row in scores] == [line.split() for line in files[0].read_text().splitlines()]
    expected = [
        slow_llr(model, means[speaker].astype(np.float64), counts[speaker], corpus.vectors[utt], normalize)
        for speaker, utt, _ in scores
    ]
    np.testing.assert_allclose([float(row[2]) for row in scores], expected, rtol=1e-6, atol=1e-6)  # seven digits


def test_dot_products_equal_sums_of_products(corpus: Corpus) -> None:
    keys = list(corpus.vectors)
    (corpus.folder / "trials").write_text("".join(f"{one} {other}\n" for one in keys for other in keys))
    arguments = corpus.folder / "trials", corpus.ark, corpus.ark, corpus.folder / "scores"
    assert run("ivector-compute-dot-products", *arguments)[0] == 0
    for line in (corpus.folder / "scores").read_text().splitlines():
        one, other, score = line.split()
        expected = sum(a * b for a, b in zip(corpus.vectors[one], corpus.vectors[other], strict=True))
        assert float(score) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def slow_eer(targets: list[float], nontargets: list[float]) -> tuple[float, float]:
    """The first target score from below that exceeds the nontarget score at the same share from above."""
    targets, nontargets = sorted(targets), sorted(nontargets)
    for below, score in enumerate(targets[:-1]):
        above = int(len(nontargets) * below / len(targets))
        if nontargets[max(len(nontargets) - 1 - above, 0)] < score:
            return below / len(targets), score
    return (len(targets) - 1) / len(targets), targets[-1]


@pytest.mark.parametrize("shift", [-3.0, 0.0, 1.0, 9.0])
@pytest.mark.parametrize(("num_targets", "num_nontargets"), [(1, 1), (1, 20), (20, 1), (50, 333), (40, 40)])
def test_eer_equals_the_walk_over_the_sorted_scores(
    shift: float, num_targets: int, num_nontargets: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(num_targets)
    targets = (shift + rng.normal(size=num_targets)).round(1).tolist()  # rounded: some are equal
    nontargets = rng.normal(size=num_nontargets).round(1).tolist()
    labelled = [(score, "target") for score in targets] + [(score, "nontarget") for score in nontargets]
    lines = "".join(f"{score} {label}\n" for score, label in labelled)
    eer, threshold = slow_eer(targets, nontargets)
    assert run("compute-eer", "-", stdin=lines.encode()) == (0, f"{100 * eer:.4g}".encode())
    assert f"Equal error rate is {100 * eer:.6g}%, at threshold {threshold:.6g}" in capsys.readouterr().err
