"""LDA, PLDA and a million trials: processor seconds from start to end, and the most memory held."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.minikaldi_cases.data import in_child, write_labels, write_trials, write_vectors
from benchmarks.minikaldi_cases.features import wrappers
from benchmarks.minikaldi_cases.measure import figures
from benchmarks.minikaldi_cases.place import Place, Row

LDA_DIM, EMBEDDING_DIM = 200, 512
TRIALS_MB = 400


def rows(place: Place) -> Iterator[Row]:
    """The part `backend`."""
    sizes = place.sizes
    in_child(write_vectors, place.folder, "wide", sizes.vectors, EMBEDDING_DIM, sizes.speakers, place.seed)
    in_child(write_vectors, place.folder, "vec", sizes.vectors, LDA_DIM, sizes.speakers, place.seed + 1)
    in_child(
        write_vectors, place.folder, "test", sizes.trial_vectors, LDA_DIM, sizes.trial_vectors // 5, place.seed + 2
    )
    in_child(write_trials, place.folder, "trials", "test", sizes.trials, place.seed)
    yield from _training(place)
    yield from _trials(place)
    yield from _scoring_line(place)


def _row(
    place: Place, what: str, command: list[str], kaldi: float | None, goal: float | None, goal_mb: float | None = None
) -> Row:
    used = place.measure(command, beside_kaldi=True)
    ours, kaldi_here = figures(lambda usage: usage.cpu, used)
    return Row("backend", what, "s CPU", ours, kaldi, goal, False, used.peak_mb, goal_mb, True, kaldi_here)


def _training(place: Place) -> Iterator[Row]:
    count, speakers = place.sizes.vectors, place.sizes.speakers
    lda = ["ivector-compute-lda", f"--dim={LDA_DIM}", "ark:wide.ark", "ark:wide.utt2spk", "transform.mat"]
    yield _row(place, f"LDA, {count:,} x {EMBEDDING_DIM} -> {LDA_DIM}, {speakers:,} speakers", lda, 3.1, 2)
    plda = ["ivector-compute-plda", "ark:vec.spk2utt", "ark:vec.ark", "plda"]
    yield _row(place, f"PLDA, 10 iterations, {count:,} x {LDA_DIM}, {speakers:,} speakers", plda, 0.6, 0.6)


def _trials(place: Place) -> Iterator[Row]:
    count, vectors = place.sizes.trials, place.sizes.trial_vectors
    ends = ["ark:test.ark", "ark:test.ark"]
    plda = ["ivector-plda-scoring", "plda", *ends, "trials", "scores"]
    yield _row(place, f"PLDA scores, {count:,} trials, {vectors:,} x {LDA_DIM}", plda, 8, 3, TRIALS_MB)
    dots = ["ivector-compute-dot-products", "trials", *ends, "dots"]
    yield _row(place, f"dot products, {count:,} trials, {vectors:,} x {LDA_DIM}", dots, 1.4, None)
    in_child(write_labels, place.folder, "labels", count, place.seed)
    yield _row(place, f"EER of {count:,} scores", ["compute-eer", "labels"], None, None)


def _scoring_line(place: Place) -> Iterator[Row]:
    """The line of steps/score_plda.sh, eight commands, on few vectors: what its start costs."""
    in_child(_prepare_scoring_line, place)
    chain = (
        "ark:ivector-subtract-global-mean mean.vec scp:few.scp ark:- | transform-vec small.mat ark:- ark:- |"
        " ivector-normalize-length ark:- ark:- |"
    )
    line = [
        *("ivector-plda-scoring", "--normalize-length=true", "ivector-copy-plda --smoothing=0.0 small.plda - |"),
        *(chain, chain, "cut -d ' ' -f 1,2 few_trials |", "few_scores"),
    ]
    inner = place.measure(line, beside_kaldi=True)
    outer = place.measure(line, first_on_path=wrappers(place.folder))
    kaldi_here = figures(lambda usage: usage.wall, inner)[1]
    what = "the recipe's PLDA scoring line (8 commands), 100 trials"
    one = f"{what}, one Python"
    yield Row("backend", one, "s", inner.wall, None, None, False, inner.peak_mb, kaldi_here=kaldi_here)
    yield Row("backend", f"{what}, as processes", "s", outer.wall, None, None, False, outer.peak_mb)


def _prepare_scoring_line(place: Place) -> None:
    """A hundred trials of their own vectors, few.scp; a back end to 50 dimensions: mean.vec, small.mat, small.plda."""
    with (place.folder / "trials").open() as trials:
        pairs = [line.split() for line, _ in zip(trials, range(100), strict=False)]
    (place.folder / "few_trials").write_text("".join(f"{enroll} {test}\n" for enroll, test in pairs))
    (place.folder / "few").write_text(
        "".join(f"{key} {key}\n" for key in sorted({key for pair in pairs for key in pair}))
    )
    place.measure("ivector-mean ark:few ark:test.ark ark,scp:few.ark,few.scp && ivector-mean scp:few.scp mean.vec", 1)
    place.measure("ivector-compute-lda --dim=50 ark:vec.ark ark:vec.utt2spk small.mat", 1)
    vectors = "ark:ivector-subtract-global-mean mean.vec ark:vec.ark ark:- | transform-vec small.mat ark:- ark:- |"
    place.measure(["ivector-compute-plda", "ark:vec.spk2utt", vectors, "small.plda"], 1)
