"""Train and score each network of conf/nnet on the mini corpus: its equal error rate for the table of docs/results.md.

    python3 benchmarks/networks_mini.py [--config FILE ...] [--steps 2000] [-- options of pipeline.sh]

YAMLs with more steps than --steps are shortened as by `./pipeline.sh --max-steps`; the changes are kept with the
result. Called again, the program skips what is finished, and the recipe continues what was interrupted.
benchmarks/networks.py --mini FILE puts the results into its table.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # as in benchmarks/minikaldi.py

from benchmarks.minikaldi_cases.report import machine  # noqa: E402
from benchmarks.network_cases.mini import collect, command, run  # noqa: E402
from common.program import Parser, log_message, run_program  # noqa: E402
from common.whole_files import write_whole  # noqa: E402
from nnet.config.experiment import load  # noqa: E402
from nnet.config.shortening import shortened  # noqa: E402

SAME_NETWORK = ("small", "mini_large_margin")  # as mini.yaml, trained for other corpora or from another run's weights


def options(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--config", type=Path, nargs="+", metavar="FILE", help="(default: each of conf/nnet once)")
    parser.add_argument("--steps", type=int, default=2000, help="of a run, at most (default %(default)s)")
    parser.add_argument("--exp", type=Path, default=Path("exp/networks"), help="folder of the runs (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("exp/networks/mini.json"), help="results (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="show the commands, and run nothing")
    parser.add_argument("pipeline", nargs="*", help="after --: options for pipeline.sh")
    given = parser.parse_args(argv)
    if given.steps < 1:
        parser.error(f"--steps is {given.steps}; expected an integer >= 1")
    known = sorted((ROOT / "conf" / "nnet").glob("*.yaml"))
    given.config = given.config or [path for path in known if path.stem not in SAME_NETWORK]
    given.exp, given.json = ROOT / given.exp, ROOT / given.json
    return given


def read_results(path: Path) -> dict[str, Any]:
    """The results of an earlier call; {} if there was none."""
    return json.loads(path.read_text(encoding="utf-8"))["networks"] if path.is_file() else {}


def one(path: Path, given: argparse.Namespace, results: dict[str, Any]) -> int:
    """Run a network and write its result; returns the recipe's exit code."""
    changed = [f"{key}={value}" for key, value in shortened(load(path), given.steps).items()]
    exp = given.exp / path.stem
    exp_shown = exp.relative_to(ROOT) if exp.is_relative_to(ROOT) else exp
    words = command(path.resolve(), exp_shown, given.steps, given.pipeline)
    made_by = {"command": shlex.join(words), "config_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    earlier = results.get(path.stem, {})
    if all(earlier.get(key) == value for key, value in made_by.items()) and (exp / "results.json").is_file():
        print(f"{path.stem}: finished before, EER {100 * earlier['eer']:.2f} %", file=sys.stderr)
        return 0
    print(f"{path.stem}: {made_by['command']}", file=sys.stderr)
    if given.dry_run:
        return 0
    code = run(words)
    if code == 0:
        results[path.stem] = {**dataclasses.asdict(collect(exp, changed)), **made_by}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        contents = {"machine": machine(), "networks": results}
        write_whole(given.json, (json.dumps(contents, indent=1) + "\n").encode())
    return code


def main(argv: Sequence[str]) -> int:
    """Run all networks; code 1 if one failed."""
    given = options(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failed = []
    try:
        results = read_results(given.json)
        for path in given.config:
            if one(path, given, results):
                failed.append(path.stem)
    except KeyboardInterrupt:
        log_message("interrupted; the same command continues from here")
        return 130
    if failed:
        log_message(f"failed: {', '.join(failed)}; see their messages above")
    return 1 if failed else 0


if __name__ == "__main__":
    run_program(main)
