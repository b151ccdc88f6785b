"""The i-vector extractor: E-step, M-step and extraction, as commands with one thread.

A rate is that of the utterances after the first, so that the loading of the model does not count; it has a line of its
own. Beside it stand the time over that of the plain matrix products, timed in the same run, and the share of the
machine's peak that these products are done at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.ivector_cases.extractor_data import (
    ExtractorSize,
    plain_product_seconds,
    write_model,
    write_utterances,
)
from benchmarks.minikaldi_cases.data import in_child
from benchmarks.minikaldi_cases.measure import Usage, figures
from benchmarks.minikaldi_cases.place import Place, Row

MOST_MB = 3000
MOST_TIMES_PLAIN = 2.0


@dataclass(frozen=True)
class ExtractorCase:
    """A model size with real Kaldi's figures on another machine (reference/ivectors.md) and the goals.

    Attributes:
        size: of the model.
        utterances: how many are measured.
        e_step: Kaldi's utterances/s of ivector-extractor-acc-stats, and the goal.
        extraction: the same of ivector-extract.
        estimate: Kaldi's CPU seconds of ivector-extractor-est, and the goal.
        loading: Kaldi's seconds from the start of ivector-extract to its first utterance; None: not known.
    """

    size: ExtractorSize
    utterances: int
    e_step: tuple[float | None, float | None]
    extraction: tuple[float | None, float | None]
    estimate: tuple[float | None, float | None]
    loading: float | None


_NONE = (None, None)
_MINI = ExtractorCase(ExtractorSize(256, 72, 100), 1000, (74, 74), (92, 92), (1.9, 1.9), None)
_LARGE = ExtractorCase(ExtractorSize(2048, 72, 400), 500, (2.2, 17), (2.0, 16), (17.6, 17.6), 4.6)
CASES = {
    "full": (_MINI, _LARGE),
    "small": (_MINI,),
    "tiny": (ExtractorCase(ExtractorSize(8, 3, 4), 60, _NONE, _NONE, _NONE, None),),
}


def rows(place: Place) -> Iterator[Row]:
    """The part `extractor`."""
    for number, case in enumerate(CASES[place.scale]):
        folder = place.folder / f"extractor{number}"
        folder.mkdir()
        in_child(write_model, folder, case.size, place.seed)
        in_child(write_utterances, folder, case.size, case.utterances, place.seed)
        yield from _case(place, case, folder.name)


def _case(place: Place, case: ExtractorCase, folder: str) -> Iterator[Row]:
    model, options = f"{folder}/model.ie", ["--num-threads=1"]
    init = ["ivector-extractor-init", f"--ivector-dim={case.size.ivector_dim}", f"{folder}/ubm", f"{folder}/0.ie"]
    used = place.measure(init, 1, beside_kaldi=True)
    yield _seconds(case, "ivector-extractor-init", used, None, None)
    plain_e_step, plain_extraction, peak = in_child(plain_product_seconds, case.size, 100)
    acc = ["ivector-extractor-acc-stats", *options, model, *_tables(folder, ""), f"{folder}/acc"]
    acc_one = [*acc[:-3], *_tables(folder, "1"), f"{folder}/acc1"]
    start, used = (place.measure(command, beside_kaldi=True) for command in (acc_one, acc))
    flops = case.size.e_step_flops()
    yield from _rate(case, "E-step", start, used, case.e_step, plain_e_step, flops / plain_e_step / peak)
    estimate = ["ivector-extractor-est", "--num-threads=1", "--gaussian-min-count=10", model, f"{folder}/acc"]
    used = place.measure([*estimate, f"{folder}/next.ie"], beside_kaldi=True)
    yield _seconds(case, "M-step, ivector-extractor-est", used, *case.estimate)
    extract = ["ivector-extract", *options, model, *_tables(folder, ""), "ark:/dev/null"]
    extract_one = [*extract[:-3], *_tables(folder, "1"), "ark:/dev/null"]
    start, used = (place.measure(command, beside_kaldi=True) for command in (extract_one, extract))
    flops = case.size.extraction_flops()
    yield from _rate(
        case, "extraction", start, used, case.extraction, plain_extraction, flops / plain_extraction / peak
    )
    yield _seconds(case, "ivector-extract of one utterance: loading", start, case.loading, None)


def _tables(folder: str, name: str) -> list[str]:
    return [f"ark:{folder}/feats{name}.ark", f"ark,s,cs:{folder}/post{name}.ark"]


def _seconds(case: ExtractorCase, what: str, used: Usage, kaldi: float | None, goal: float | None) -> Row:
    ours, here = figures(lambda usage: usage.cpu, used)
    return Row(
        "extractor", f"{what}, {case.size}", "s CPU", ours, kaldi, goal, False, used.peak_mb, MOST_MB, True, here
    )


def _rate(
    case: ExtractorCase, what: str, start: Usage, used: Usage, known: tuple[float | None, float | None],
    plain: float, share: float,
) -> Iterator[Row]:  # fmt: skip
    """Utterances/s with peak memory, the time over the plain products', and the share of the peak."""
    kaldi, goal = known
    count = case.utterances - 1
    ours, here = figures(lambda used, start: count / used.after(start), used, start)
    name = f"{what}, {case.size}"
    yield Row("extractor", name, "utterances/s", ours, kaldi, goal, True, used.peak_mb, MOST_MB, True, here)
    # At the mini corpus's size an utterance's products take less time than the reading of its frames.
    limit = MOST_TIMES_PLAIN if case is _LARGE else None
    times = 1.0 / (ours * plain)
    yield Row("extractor", f"{name}: time over its plain products'", "times", times, None, limit, full_only=True)
    yield Row("extractor", f"{name}: plain products, share of the peak", "share", share, full_only=True)
