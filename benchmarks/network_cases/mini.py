"""A network on the mini corpus: what of its YAML is changed so that it trains in minutes, the run, and what came out.

YAMLs of no more steps than the budget stay as they are. Of the others the number of steps, the batch and the chunks are
cut, and what counts in steps (a schedule's, a margin's growth) is shortened in the same ratio, so that the run goes
through the same course; but no warm-up to less than a tenth of the run. The annealing of A-softmax keeps its steps: it
waits for the first that is learnt, which a shorter run does not learn sooner (annealed within 1,200 steps, lde3 was
right about 7 % of its chunks after 1,820, where lde1, with softmax, was about 80 %).
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.network_cases.count import ROOT, frame_rate
from benchmarks.network_cases.steps import smaller_batch
from nnet.config import Config, load
from nnet.errors import NnetError

CHUNK_SECONDS = (1.0, 2.0)  # the corpus's utterances have 2 to 5 s, pauses included
VALIDATIONS = 6
LEAST_RAMP = 0.1  # share of the run that a warm-up takes at least
IN_STEPS = ("base_steps", "every")  # what else of a schedule counts in steps


@dataclass(frozen=True)
class Budget:
    """Of a YAML that asks for more steps: its steps here, and the rows of a batch at most."""

    steps: int = 2000
    batch: int = 32


@dataclass
class MiniResult:
    """What came out. eer, low, high: shares, of the best back end. seconds: of training. changes: of the YAML."""

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


def changes(config: Config, budget: Budget) -> list[str]:
    """`section.key=value` for each option that is changed; none where the YAML has no more steps by itself."""
    data, training = config.data, config.training
    if training.steps <= budget.steps:
        return []
    every = max(1, budget.steps // VALIDATIONS)
    rate = frame_rate(config.features)
    chunk = [min(own, round(rate * seconds)) for own, seconds in zip(data.chunk_frames, CHUNK_SECONDS, strict=True)]
    settings = {
        "training.steps": budget.steps,
        "training.valid_every": every,
        "training.save_every": every,
        "training.log_every": 20,
        "data.batch_size": smaller_batch(data, budget.batch),
        "data.chunk_frames": f"[{chunk[0]},{chunk[1]}]",
        "data.workers": 0,
    }
    settings.update(_shorter_schedule(config.schedule, training.steps, budget.steps))
    if getattr(config.loss, "margin_steps", None):
        first, last = (round(step * budget.steps / training.steps) for step in config.loss.margin_steps)
        settings["loss.margin_steps"] = f"[{first},{last}]"
    return [f"{key}={value}" for key, value in settings.items()]


def _shorter_schedule(schedule: Any, before: int, now: int) -> dict[str, object]:
    """The same course of the rate in `now` steps. Noam's peak lies at warm-up^-0.5; its factor keeps it."""
    found = {key: getattr(schedule, key, 0) for key in IN_STEPS}
    settings: dict[str, object] = {
        f"schedule.{key}": max(1, round(value * now / before)) for key, value in found.items() if value
    }
    warm = getattr(schedule, "warmup_steps", 0)
    if warm:
        shorter = max(1, round(now * max(warm / before, LEAST_RAMP)))
        settings["schedule.warmup_steps"] = shorter
        if hasattr(schedule, "d_model"):
            settings["schedule.factor"] = f"{schedule.factor * (shorter / warm) ** 0.5:.4g}"
    return settings


def command(path: Path, config: Config, exp: Path, changed: list[str], more: list[str]) -> list[str]:
    """The recipe's command line. A training utterance must have a second of frames, whatever their rate."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    words = ["./pipeline.sh", "--nnet-config", str(shown), "--exp", str(exp)]
    words += ["--min-frames", str(round(frame_rate(config.features)))]
    for change in changed:
        words += ["--nnet-opts", change]
    return words + more


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
        NnetError: it holds no results of this network.
    """
    results = json.loads((exp / "results.json").read_text(encoding="utf-8"))["test_sets"]["test"]["results"]
    own = [result for result in results if result["name"] == exp.name]
    others = [result for result in results if result["name"] != exp.name]
    if not own or not others:
        raise NnetError(f"{exp}/results.json: no results of {exp.name}, or none of the baseline; run the recipe again")
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
