"""A run of fewer steps than a YAML asks for, through the same course: what of the YAML is changed.

    python3 -m nnet.shorten --config conf/nnet/lde3.yaml --max-steps 2000

prints `section.key=value` lines for `--set`, and nothing where the YAML asks for no more steps; `./pipeline.sh
--max-steps` uses it. So the networks made for VoxCeleb train on a small corpus in minutes.

The steps are cut, the batch and the chunks too, and what counts in steps (a schedule's, a margin's growth) is shortened
in the same ratio, but no warm-up to less than a tenth of the run. The annealing of A-softmax keeps its steps: it waits
for the first that is learnt, which a shorter run does not learn sooner (annealed within 1,200 steps on the mini corpus,
lde3 was right about 7 % of its chunks after 1,820, where lde1, with softmax, was about 80 %).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from common.program import run_program
from nnet.config.experiment import Config, get, load
from nnet.config.overrides import add_arguments
from nnet.config.sections import DataOptions

ROWS = 32  # of a batch, at most
CHUNK_SECONDS = (1.0, 2.0)  # at most: utterances of small corpora are short
VALIDATIONS = 6
LOG_STEPS = 20
LEAST_WARM_UP = 0.1  # share of the run
IN_STEPS = ("base_steps", "every")  # what else of a schedule counts in steps


def shortened(config: Config, steps: int) -> dict[str, object]:
    """`section.key` -> value for each option that changes in a run of `steps`; empty where it asks for no more.

    Raises:
        ConfigError: the option file of the features, which has the length of a second, cannot be used.
    """
    data, training = config.data, config.training
    if training.steps <= steps:
        return {}
    rate = get(config, "features.frame_rate")
    first, last = (min(own, round(rate * most)) for own, most in zip(data.chunk_frames, CHUNK_SECONDS, strict=True))
    every = max(1, steps // VALIDATIONS)
    changes: dict[str, object] = {
        "training.steps": steps,
        "training.valid_every": every,
        "training.save_every": every,
        "training.log_every": min(training.log_every, LOG_STEPS),
        "data.batch_size": smaller_batch(data, ROWS),
        "data.chunk_frames": f"[{first},{last}]",
    }
    changes.update(_shorter_schedule(config.schedule, training.steps, steps))
    if getattr(config.loss, "margin_steps", None):
        first, last = (round(step * steps / training.steps) for step in config.loss.margin_steps)
        changes["loss.margin_steps"] = f"[{first},{last}]"
    return changes


def smaller_batch(data: DataOptions, rows: float) -> int:
    """The largest batch of whole groups or triplets with at most so many rows; not below the smallest there can be."""
    unit = {"groups": data.utterances_per_speaker, "triplets": 3}.get(data.balance, 1)
    least = 3 if data.balance == "triplets" else 2 * unit
    return min(data.batch_size, max(least, int(rows) // unit * unit))


def _shorter_schedule(schedule: Any, before: int, now: int) -> dict[str, object]:
    """The same course of the rate in `now` steps. Noam's peak lies at warm-up^-0.5; its factor keeps it."""
    found = {key: getattr(schedule, key, 0) for key in IN_STEPS}
    changes: dict[str, object] = {
        f"schedule.{key}": max(1, round(value * now / before)) for key, value in found.items() if value
    }
    warm = getattr(schedule, "warmup_steps", 0)
    if warm:
        shorter = max(1, round(now * max(warm / before, LEAST_WARM_UP)))
        changes["schedule.warmup_steps"] = shorter
        if hasattr(schedule, "d_model"):
            changes["schedule.factor"] = f"{schedule.factor * (shorter / warm) ** 0.5:.4g}"
    return changes


def main(argv: Sequence[str]) -> None:
    """Print the changes; raises ConfigError for a config that cannot be used."""
    about = "Print what of an experiment's YAML is changed so that it trains in fewer steps."
    parser = argparse.ArgumentParser(prog="python3 -m nnet.shorten", description=about)
    parser.add_argument("--config", metavar="FILE", required=True, help="the experiment, e.g. conf/nnet/lde3.yaml")
    add_arguments(parser, "what else is changed; may be repeated")
    parser.add_argument("--max-steps", metavar="N", type=int, required=True, help="the steps of the shorter run")
    options = parser.parse_args(argv)
    if options.max_steps < 1:
        parser.error(f"--max-steps is {options.max_steps}; expected an integer >= 1")
    for key, value in shortened(load(options.config, options.overrides), options.max_steps).items():
        print(f"{key}={value}")


if __name__ == "__main__":
    run_program(main)
