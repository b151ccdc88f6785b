"""The Gaussian mixtures: selection, posteriors, statistics and updates, as commands with one thread.

A rate is that of the frames after the first utterance, so that the start and the loading of the model do not count.
Below it stand the time of the computation, without reading and writing, over that of its plain matrix products, both
timed in one process, and the share of the machine's peak at which these products are done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.ivector_cases.mixtures_data import (
    MIN_POST,
    NUM_SELECTED,
    UTTERANCE_FRAMES,
    MixtureSize,
    Timed,
    time_in_process,
    write_frames,
    write_mixture,
)
from benchmarks.minikaldi_cases.data import in_child
from benchmarks.minikaldi_cases.measure import Usage, figures
from benchmarks.minikaldi_cases.place import Place, Row

PART = "mixtures"
TIMES_KALDI = 1.5  # the goal
MOST_TIMES_PLAIN = 2.0
MOST_MB = 3000


@dataclass(frozen=True)
class MixtureCase:
    """A mixture with real Kaldi's figures on an AVX2 machine; None: not known.

    Attributes:
        size: of the mixture.
        utterances: of `UTTERANCE_FRAMES` frames.
        selection: Kaldi's frames/s of gmm-gselect.
        posteriors: of fgmm-global-gselect-to-post.
        statistics: of fgmm-global-acc-stats.
        estimate: Kaldi's CPU seconds of fgmm-global-est.
    """

    size: MixtureSize
    utterances: int
    selection: float | None = None
    posteriors: float | None = None
    statistics: float | None = None
    estimate: float | None = None


_MINI = MixtureCase(MixtureSize(256, 72), 400, 107e3, 91e3, 14.9e3, 0.56)
_LARGE = MixtureCase(MixtureSize(2048, 72), 600, 15.3e3, 31e3, 9.5e3, 1.6)
CASES = {
    "full": (_MINI, _LARGE),
    "small": (MixtureCase(MixtureSize(256, 72), 100, 107e3, 91e3, 14.9e3, 0.56),),
    "tiny": (MixtureCase(MixtureSize(8, 3), 3),),
}


def rows(place: Place) -> Iterator[Row]:
    """The part `mixtures`."""
    for number, case in enumerate(CASES[place.scale]):
        folder = place.folder / f"mixture{number}"
        folder.mkdir()
        in_child(write_mixture, folder, case.size, place.seed)
        in_child(write_frames, folder, case.size, case.utterances, place.seed)
        yield from _case(place, case, folder.name)


def _case(place: Place, case: MixtureCase, folder: str) -> Iterator[Row]:
    size, timed = case.size, in_child(time_in_process, place.folder / folder, case.size)
    selected, likes_flops = min(NUM_SELECTED, size.num_gauss), 2.0 * (2 * size.dim + 1) * size.num_gauss
    pair_flops = 2.0 * selected * size.dim**2

    def tables(name: str) -> list[str]:
        return [f"ark:{folder}/feats{name}.ark", f"ark,s,cs:{folder}/gselect{name}.ark"]

    def select(name: str) -> list[str]:
        return ["gmm-gselect", f"--n={selected}", f"{folder}/diag.ubm", tables(name)[0], "ark:/dev/null"]

    def share(name: str) -> list[str]:
        return [
            "fgmm-global-gselect-to-post",
            f"--min-post={MIN_POST}",
            f"{folder}/full.ubm",
            *tables(name),
            "ark:/dev/null",
        ]

    def accumulate(name: str) -> list[str]:
        feats, gselect = tables(name)
        return ["fgmm-global-acc-stats", f"--gselect={gselect}", f"{folder}/full.ubm", feats, f"{folder}/acc{name}"]

    measured = [
        ("gmm-gselect", select, case.selection, timed.selection, likes_flops),
        ("fgmm-global-gselect-to-post", share, case.posteriors, timed.posteriors, pair_flops),
        # Of the second moments, a symmetric matrix, half is computed.
        ("fgmm-global-acc-stats", accumulate, case.statistics, timed.statistics, 1.5 * pair_flops),
    ]
    for what, command, kaldi, seconds, flops in measured:
        start, used = (place.measure(command(name), beside_kaldi=True) for name in ("1", ""))
        yield _rate(case, what, start, used, kaldi)
        yield from _beside_products(case, what, seconds, flops / seconds.products / timed.peak)
    estimate = ["fgmm-global-est", "--remove-low-count-gaussians=false", f"{folder}/full.ubm", f"{folder}/acc"]
    used = place.measure([*estimate, f"{folder}/next.ubm"], beside_kaldi=True)
    ours, here = figures(lambda usage: usage.cpu, used)
    yield Row(
        PART, f"fgmm-global-est, {size}", "s CPU", ours, case.estimate, None, False, used.peak_mb, MOST_MB,
        True, here,
    )  # fmt: skip


def _rate(case: MixtureCase, what: str, start: Usage, used: Usage, kaldi: float | None) -> Row:
    """Frames/s, with peak memory."""
    count = (case.utterances - 1) * UTTERANCE_FRAMES
    ours, here = figures(lambda used, start: count / used.after(start), used, start)
    goal = None if kaldi is None else TIMES_KALDI * kaldi
    return Row(PART, f"{what}, {case.size}", "frames/s", ours, kaldi, goal, True, used.peak_mb, MOST_MB, True, here)


def _beside_products(case: MixtureCase, what: str, seconds: Timed, share: float) -> Iterator[Row]:
    """The time over the plain products', and the share of the peak."""
    # With few Gaussians their product takes less time than the choice among them.
    limit = MOST_TIMES_PLAIN if case is _LARGE else None
    times = seconds.computation / seconds.products
    name = f"{what}, {case.size}"
    yield Row(PART, f"{name}: computation over its plain products", "times", times, None, limit, full_only=True)
    yield Row(PART, f"{name}: plain products, share of the peak", "share", share, full_only=True)
