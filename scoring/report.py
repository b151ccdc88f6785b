"""The results of a run: one table on stdout, the same in RESULTS.md with definitions, counts and circumstances.

`python3 -m scoring.report --trials T --utt2spk U --system "x-vector|PLDA=exp/a/scores/plda" [--system …]
[--note key=value …] [--title …] --out RESULTS.md [--json results.json]`
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from scoring.bootstrap import Summary, summarize, trial_speakers
from scoring.make_trials import read_two_columns
from scoring.metrics import EER_DEFINITION, MIN_DCF_DEFINITION, P_TARGETS
from scoring.program import run_program
from scoring.results_table import HEADER, aligned_table, markdown_table, row_of
from scoring.trials import Trials, align, read_scores, read_trials, write_lines

logger = logging.getLogger(__name__)

INTERVAL_DEFINITION = (
    "Intervals: 95 %, between percentiles of {resamples} resamples of the speakers with replacement (seed {seed}); a "
    "nontarget trial weighs the product of how often its two speakers were drawn, a target trial how often its speaker "
    "was."
)


@dataclass(frozen=True)
class System:
    """A scored system: what made the embeddings, what scored them, and the score file."""

    name: str
    back_end: str
    scores: str


def parse_system(text: str) -> System:
    """`name|back end=path` as a `System`.

    Raises:
        argparse.ArgumentTypeError: a part is missing.
    """
    label, equals, path = text.partition("=")
    name, bar, back_end = label.partition("|")
    if not (equals and bar and name and back_end and path):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected `name|back end=path of the scores`")
    return System(name.strip(), back_end.strip(), path)


def parse_note(text: str) -> tuple[str, str]:
    """`key=value` as a pair.

    Raises:
        argparse.ArgumentTypeError: the key or the equals sign is missing.
    """
    key, equals, value = text.partition("=")
    if not (equals and key):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected `key=value`")
    return key, value


def summarize_systems(
    systems: Sequence[System], trials: Trials, utt2spk: dict[str, str], num_resamples: int, seed: int
) -> list[Summary]:
    """Figures of every system on the same trials and the same resamples.

    Raises:
        ValueError: a score file lacks a trial or holds a NaN, or utt2spk does not belong to the trials.
    """
    enroll, test = trial_speakers(trials, utt2spk)
    summaries = []
    for system in systems:
        scores = align(read_scores(system.scores), trials, system.scores)
        summaries.append(summarize(scores, trials.is_target, enroll, test, P_TARGETS, num_resamples, seed))
    return summaries


def count_lines(trials: Trials, utt2spk: dict[str, str]) -> list[str]:
    """What the figures rest on: trials, targets, nontargets, speakers."""
    speakers = {utt2spk.get(utt_id, utt_id) for pair in trials.pairs for utt_id in pair}
    return [
        f"- trials: {len(trials)}",
        f"- targets: {trials.num_targets}",
        f"- nontargets: {trials.num_nontargets}",
        f"- speakers: {len(speakers)}",
    ]


def results_page(
    title: str, rows: Sequence[Sequence[str]], counts: Sequence[str], notes: Sequence[tuple[str, str]], interval: str
) -> list[str]:
    """The lines of RESULTS.md."""
    circumstances = [f"- {key}: {value}" for key, value in notes]
    page = [f"# {title}", "", *markdown_table(HEADER, rows), "", "## What the figures are", ""]
    page += [f"- {sentence}" for sentence in (EER_DEFINITION, MIN_DCF_DEFINITION, interval)]
    page += ["", "## What they rest on", "", *counts]
    return [*page, "", "## How they were made", "", *circumstances] if circumstances else page


def results_json(systems: Sequence[System], summaries: Sequence[Summary], trials: Trials, notes: dict[str, str]) -> str:
    """The same figures for programs: shares, not per cent."""
    results = []
    for system, summary in zip(systems, summaries, strict=True):
        min_dcf = {f"{p_target:g}": dataclasses.asdict(figure) for p_target, figure in summary.min_dcf.items()}
        results.append({**dataclasses.asdict(system), "eer": dataclasses.asdict(summary.eer), "min_dcf": min_dcf})
    counts = {"targets": trials.num_targets, "nontargets": trials.num_nontargets}
    return json.dumps({"results": results, "trials": counts, "notes": notes}, indent=2, ensure_ascii=False)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m scoring.report", description="Table of results with intervals.")
    parser.add_argument("--trials", required=True, help="lines `enroll test target|nontarget`")
    parser.add_argument("--utt2spk", required=True, help="speakers of the trials' utterances")
    parser.add_argument(
        "--system", required=True, action="append", type=parse_system, help="`name|back end=scores`, repeatable"
    )
    parser.add_argument("--note", action="append", default=[], type=parse_note, help="`key=value`, repeatable")
    parser.add_argument("--title", default="Results")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    parser.add_argument("--json", help="JSON file to write, too")
    parser.add_argument("--num-resamples", type=int, default=1000, help="for the intervals (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples (default %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and write the files."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.num_resamples < 1:
        parser.error("--num-resamples must be at least 1")
    trials, utt2spk = read_trials(args.trials), read_two_columns(args.utt2spk)
    summaries = summarize_systems(args.system, trials, utt2spk, args.num_resamples, args.seed)
    rows = [row_of(s.name, s.back_end, summary, len(trials)) for s, summary in zip(args.system, summaries, strict=True)]
    interval = INTERVAL_DEFINITION.format(resamples=args.num_resamples, seed=args.seed)
    page = results_page(args.title, rows, count_lines(trials, utt2spk), args.note, interval)
    write_lines(args.out, iter(page))
    if args.json:
        write_lines(args.json, iter([results_json(args.system, summaries, trials, dict(args.note))]))
    print("\n".join(aligned_table(HEADER, rows)))
    return 0


if __name__ == "__main__":
    run_program(main)
