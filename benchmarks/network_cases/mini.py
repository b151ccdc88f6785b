"""A network on the mini corpus: the run and its result."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.network_cases.count import ROOT
from common.errors import InputError
from nnet.config.experiment import load


@dataclass
class MiniResult:
    """The result of a run.

    Attributes:
        eer: of the best back end, as a share.
        low: lower end of its interval.
        high: upper end of its interval.
        back_end: the best back end.
        baseline: EER of the best baseline, as a share.
        steps: training steps.
        batch: chunks in a batch.
        chunk_frames: fewest and most frames of a chunk.
        seconds: of training.
        changes: changes to the YAML.
    """

    eer: float
    low: float
    high: float
    back_end: str
    baseline: float
    steps: int
    batch: int
    chunk_frames: list[int]
    seconds: float
    changes: list[str] = field(default_factory=list)


def command(path: Path, exp: Path, steps: int, more: list[str]) -> list[str]:
    """The recipe's command line."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return ["./pipeline.sh", "--nnet-config", str(shown), "--exp", str(exp), "--max-steps", str(steps), *more]


def run(words: list[str]) -> int:
    """The recipe, in the checkout; it takes up what was interrupted. Returns its exit code.

    It has a process group of its own: an interruption of this program is handed on, and training saves its state first.
    """
    with subprocess.Popen(words, cwd=ROOT, start_new_session=True) as process:
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise


def collect(exp: Path, changed: list[str]) -> MiniResult:
    """What a finished run says of itself on its test set.

    Raises:
        OSError: it is not finished.
        InputError: it holds no results of this network.
    """
    results = json.loads((exp / "results.json").read_text(encoding="utf-8"))["test_sets"]["test"]["results"]
    own = [result for result in results if result["name"] == exp.name]
    others = [result for result in results if result["name"] != exp.name]
    if not own or not others:
        raise InputError(f"{exp}/results.json: no results of {exp.name}, or none of the baseline; run the recipe again")
    best = min(own, key=lambda result: result["eer"]["value"])
    baseline = min(result["eer"]["value"] for result in others)
    with (exp / "curve.tsv").open(encoding="utf-8", newline="") as stream:
        last = list(csv.DictReader(stream, delimiter="\t"))[-1]
    config = load(exp / "config.yaml")
    eer = best["eer"]
    return MiniResult(
        eer["value"], eer["low"], eer["high"], best["back_end"], baseline, int(last["step"]), config.data.batch_size,
        list(config.data.chunk_frames), float(last["seconds"]), changed,
    )  # fmt: skip
