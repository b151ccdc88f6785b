"""The results of a run: a table for each test set on stdout, and in RESULTS.md with definitions and notes.

    python3 -m scoring.report --test-set test=data/test [--test-set …] \\
        --system "x-vector|PLDA=exp/a/scores/{test}_plda" [--system …] [--note key=value …] [--title …] \\
        --out RESULTS.md [--json results.json]

`{test}` in the path of the scores is replaced by the name of the test set. With `--exp DIR` the notes also name the
code, the machine and the network. With `--ledger FILE` the figures are also appended to the ledger of results. There
the system with the name of the run (`--row`) is the run's own, others are baselines; ᴺ at the end of a name says that
the embeddings were normalised first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.program import Parser, log_message, run_program
from common.whole_files import write_files
from scoring.ledger import append_records
from scoring.ledger_entries import ScoredRun, ledger_records
from scoring.metrics import EER_DEFINITION, MIN_DCF_DEFINITION
from scoring.provenance import Note, git_commit, machine, network_notes, read_record
from scoring.results import TEST_PLACE, Results, System, evaluate
from scoring.results_page import printed_tables, results_json, results_page
from scoring.stage_record import read_stage_record
from scoring.trial_sets import parse_trial_set, read_trial_set

INTERVAL_DEFINITION = (
    "Intervals: 95 %, between percentiles of {resamples} resamples of the speakers with replacement (seed {seed}); a "
    "nontarget trial weighs the product of how often its two speakers were drawn, a target trial how often its speaker "
    "was."
)
BASELINES = "MFCC statistics"
BASELINE_DEFINITION = f"{BASELINES}: mean and standard deviation of the voiced MFCC frames, a baseline without network."


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


def parse_note(text: str) -> Note:
    """`key=value` as a pair.

    Raises:
        argparse.ArgumentTypeError: the key or the equals sign is missing.
    """
    key, equals, value = text.partition("=")
    if not (equals and key):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected `key=value`")
    return key, value


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(prog="python3 -m scoring.report", description="Tables of results with intervals.")
    parser.add_argument(
        "--test-set", required=True, action="append", type=parse_trial_set, metavar="NAME=DATA_DIR",
        help="data directory with trials, utt2spk and, where models are enrolled, enroll2utt; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--system", required=True, action="append", type=parse_system, metavar="NAME|BACK END=PATH",
        help="scores of a system; `{test}` in the path is replaced by the name of the test set; repeatable",
    )  # fmt: skip
    parser.add_argument("--note", action="append", default=[], type=parse_note, help="`key=value`, repeatable")
    parser.add_argument("--exp", type=Path, metavar="DIR", help="the experiment, for notes on its network")
    parser.add_argument("--cores", type=int, help="cores that the run used (default: those of this process)")
    parser.add_argument("--title", default="Results")
    parser.add_argument("--out", required=True, help="Markdown file to write")
    parser.add_argument("--json", help="JSON file to write")
    resamples = "resamples for the intervals (default %(default)s)"
    parser.add_argument("--num-resamples", type=int, default=1000, help=resamples)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the resamples (default %(default)s)")
    _add_ledger_arguments(parser)
    return parser


def _add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("ledger of results, with --exp")
    group.add_argument("--ledger", type=Path, metavar="FILE", help="append the figures to this ledger")
    group.add_argument("--row", metavar="NAME", help="name of the run in it (default: of the experiment directory)")
    group.add_argument(
        "--own-system", metavar="NAME",
        help="what it calls the system that has the run's name (default: as trained.yaml says, else network)",
    )  # fmt: skip
    group.add_argument("--data", type=Path, metavar="DIR", help="the corpus's data directories, for the data's hash")
    group.add_argument("--run-command", metavar="TEXT", help="command line of the run")
    group.add_argument("--benchmark", metavar="NAME", help="the --benchmark run that it belongs to")


def check_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with an error if there are no resamples, or if two test sets would share a name or their scores."""
    names = [name for name, _ in args.test_set]
    if args.ledger and not args.exp:
        parser.error("--ledger needs --exp")
    if args.num_resamples < 1:
        parser.error(f"--num-resamples is {args.num_resamples}, expected an integer >= 1")
    if len(set(names)) < len(names):
        parser.error(f"--test-set: a name is given twice in {', '.join(names)}")
    for system in args.system:
        if len(names) > 1 and TEST_PLACE not in system.scores:
            parser.error(f"--system: {system.scores} has no `{TEST_PLACE}`, but there are {len(names)} test sets")


def run_notes(exp: Path, tests: Sequence[str], cores: int | None) -> list[Note]:
    """The code, the machine and the network of an experiment.

    Args:
        exp: the experiment.
        tests: names of the test sets.
        cores: cores that the run used; None: those of this process.

    Raises:
        InputError: a record of the experiment cannot be read.
    """
    return [("git commit", git_commit()), ("machine", machine(cores)), *network_notes(exp, tests)]


def write_ledger(args: argparse.Namespace, results: Sequence[Results]) -> None:
    """Append the figures to the ledger.

    Raises:
        InputError: a record of the experiment cannot be read, or the ledger cannot be written.
    """
    run = ScoredRun(
        exp=args.exp,
        row=args.row or args.exp.name,
        own_system=args.own_system or read_record(args.exp / "trained.yaml").get("system") or "network",
        data=args.data,
        resamples=args.num_resamples,
        seed=args.seed,
        cores=args.cores,
        command=args.run_command or None,
        benchmark=args.benchmark or None,
        stages=read_stage_record(args.exp).times,
    )
    added = append_records(args.ledger, ledger_records(run, args.system, results))
    log_message(f"{added} results added to {args.ledger}" if added else f"{args.ledger} has these results already")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables and write the files."""
    parser = build_parser()
    args = parser.parse_args(argv)
    check_arguments(parser, args)
    trial_sets = [read_trial_set(name, data_dir) for name, data_dir in args.test_set]
    results = [evaluate(args.system, trial_set, args.num_resamples, args.seed) for trial_set in trial_sets]
    interval = INTERVAL_DEFINITION.format(resamples=args.num_resamples, seed=args.seed)
    definitions = [EER_DEFINITION, MIN_DCF_DEFINITION, interval]
    if any(system.name.startswith(BASELINES) for system in args.system):
        definitions.append(BASELINE_DEFINITION)
    notes = [
        *args.note,
        *(run_notes(args.exp, [name for name, _ in args.test_set], args.cores) if args.exp else []),
    ]
    outputs = [(args.out, results_page(args.title, args.system, results, definitions, notes))]
    if args.json:
        outputs.append((args.json, [results_json(args.system, results, notes)]))
    write_files(outputs)
    if args.ledger:
        write_ledger(args, results)
    print("\n".join(printed_tables(args.system, results)))
    return 0


if __name__ == "__main__":
    run_program(main)
