"""What each network of conf/nnet costs: parameters, multiply-accumulates per second of speech, the time of a step.

    python3 benchmarks/networks.py [--config FILE ...] [--threads 1] [--steps 5] [--json FILE] [--mini FILE]
    python3 benchmarks/networks.py --from FILE --mini exp/networks/mini.json --update docs/results.md

A step is timed on random features of the YAML's batch and mean chunk length. If all steps would take longer than
--max-seconds, a smaller batch is timed, and its time is scaled up. --steps 0 times nothing. --from reads the figures of
an earlier --json instead of measuring. --mini adds the results of benchmarks/networks_mini.py.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # as in steps/train_nnet.sh
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # as in benchmarks/minikaldi.py

import torch  # noqa: E402

from benchmarks.minikaldi_cases.report import machine  # noqa: E402
from benchmarks.network_cases.count import frame_rate, macs_per_second, parameters  # noqa: E402
from benchmarks.network_cases.steps import time_step  # noqa: E402
from benchmarks.network_cases.table import Figures, Report, figures_from  # noqa: E402
from common.doc_sections import replace_section  # noqa: E402
from common.program import Parser, run_program  # noqa: E402
from nnet.config.experiment import load, to_mapping  # noqa: E402
from nnet.model import build  # noqa: E402

SECTION = "figures"
SAME_NETWORK = ("small", "mini_large_margin")  # the network of mini.yaml


def options(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--config", type=Path, nargs="+", metavar="FILE", help="(default: each of conf/nnet once)")
    parser.add_argument("--threads", type=int, default=1, help="of a step (default %(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="timed, after one to warm up (default %(default)s)")
    parser.add_argument("--max-seconds", type=float, default=60.0, help="for these, each network (%(default)s)")
    parser.add_argument("--speakers", type=int, default=60, help="in training: the mini corpus's (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the utterance that is embedded (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and features (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--from", type=Path, dest="earlier", metavar="FILE", help="figures of an earlier --json")
    parser.add_argument("--mini", type=Path, metavar="FILE", help="results on the mini corpus")
    parser.add_argument("--update", type=Path, metavar="FILE", help=f"put the tables into its section `{SECTION}`")
    given = parser.parse_args(argv)
    if given.threads < 1 or given.steps < 0 or given.speakers < 2 or given.seconds <= 0 or given.max_seconds <= 0:
        parser.error("expected --threads >= 1, --steps >= 0, --speakers >= 2, and positive seconds")
    if given.earlier and (given.config or given.json):
        parser.error("--from reads figures: leave out --config and --json")
    known = sorted((ROOT / "conf" / "nnet").glob("*.yaml"))
    given.config = given.config or [path for path in known if path.stem not in SAME_NETWORK]
    return given


def measure(path: Path, given: argparse.Namespace) -> Figures:
    """The figures of one YAML."""
    config = load(path)
    torch.manual_seed(given.seed)
    net = build(config, given.speakers)
    sections, rate = to_mapping(config), frame_rate(config.features)
    shown = f"{config.features.type} {config.features.dim}"
    parts = ", ".join(str(sections[section]["name"]) for section in ("encoder", "pooling", "loss"))
    macs = macs_per_second(net, rate, given.seconds)
    step = time_step(net, config, given.speakers, given.steps, given.max_seconds) if given.steps else None
    return Figures(path.stem, shown, rate, parts, parameters(net), macs, step)


def measured(given: argparse.Namespace) -> Iterator[Figures]:
    """The figures of each YAML, each logged as soon as it is measured."""
    for path in given.config:
        figures = measure(path, given)
        step = figures.step
        timed = "" if step is None else f", step {step.wall:.3g} s, {step.cpu:.3g} CPU s ({step.precision})"
        print(f"{figures.name}: {figures.macs_per_second / 1e6:.4g} MMAC/s{timed}", file=sys.stderr)
        yield figures
        gc.collect()  # frees the gigabytes of this network's step before the next one


def report(given: argparse.Namespace, command: str) -> Report:
    """The figures of a command line, measured or read."""
    mini = json.loads(given.mini.read_text(encoding="utf-8"))["networks"] if given.mini else {}
    if given.earlier:
        mapping = json.loads(given.earlier.read_text(encoding="utf-8"))
        return Report(**{**mapping, "networks": [figures_from(one) for one in mapping["networks"]], "mini": mini})
    torch.set_num_threads(given.threads)
    found = {**machine(), "torch": torch.__version__}
    settings = (given.threads, given.steps, given.speakers, given.seconds)
    return Report(command, found, *settings, list(measured(given)), mini)


def main(argv: Sequence[str]) -> None:
    """Measure, then print and write."""
    given = options(argv)
    figures = report(given, f"python3 benchmarks/networks.py {shlex.join(argv)}".strip())
    print(figures.plain())
    if given.json:
        given.json.write_text(json.dumps(figures.as_json(), indent=1) + "\n", encoding="utf-8")
    if given.update:
        replace_section(given.update, SECTION, figures.markdown())


if __name__ == "__main__":
    run_program(main)
