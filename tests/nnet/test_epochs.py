"""Runs that are counted in epochs: how many steps they are, and that they resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.options import ConfigError
from nnet.config.experiment import load, to_mapping
from nnet.config.shortening import shortened
from nnet.data.lists import StringTable, UtteranceList, read_lists
from nnet.data.sampler import BatchPlanner
from nnet.train import main
from nnet.training.checkpoint import load_checkpoint
from nnet.training.epochs import epoch_steps, in_steps


def utterances(counts: list[int]) -> UtteranceList:
    """A list with so many utterances of each speaker."""
    speakers = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    names = StringTable([f"u{number}" for number in range(len(speakers))])
    return UtteranceList(names, names, np.full(len(speakers), 100, np.int32), speakers)


@pytest.mark.parametrize(
    ("balance", "batch", "steps"),
    # The published example: 400, 200, 150, 100, 60 and 10 utterances come 400, 200, 150, 200, 180 and 200 times.
    [("jl", 1, 1330), ("jl", 128, 11), ("none", 1, 920), ("speakers", 128, 8), ("speakers", 920, 1)],
)
def test_an_epoch_visits_the_list_once_with_its_repetitions(root: Path, balance: str, batch: int, steps: int) -> None:
    path, settings = root / "conf" / "nnet" / "lde2.yaml", [f"data.balance={balance}"]
    config = load(path, settings)
    config = replace(config, data=replace(config.data, batch_size=max(batch, 2)))
    object.__setattr__(config.data, "batch_size", batch)  # 1, which no batch norm allows, counts the chunks
    assert epoch_steps(config, utterances([400, 200, 150, 100, 60, 10])) == steps


def test_an_epoch_of_jl_is_a_pass_of_the_sampler(root: Path) -> None:
    some, size = utterances([9, 4, 2, 1]), 2
    config = load(root / "conf" / "nnet" / "lde2.yaml", ["data.batch_size=2", "data.chunk_frames=[50, 60]"])
    planner = BatchPlanner(some, (50, 60), size, "jl", 1)
    steps = epoch_steps(config, some)
    seen = np.concatenate([planner.plan(step + 1).utts for step in range(steps)])
    # 9, 4, 2 and 1 utterances come once, once, twice and five times: 22 chunks, 11 batches.
    assert steps == 11 and np.bincount(seen, minlength=16).tolist() == [1] * 13 + [2] * 2 + [5]


def test_a_run_without_epochs_keeps_its_steps(root: Path) -> None:
    config = load(root / "conf" / "nnet" / "lde2.yaml")
    assert in_steps(config, utterances([3, 3])) is config


def test_epochs_train_validate_and_resume(tiny_corpus: Any, tmp_path: Path) -> None:
    settings = ("training.epochs=3", "data.balance=jl", "training.save_every=2")
    each = epoch_steps(load(tiny_corpus.config, settings), read_lists(tiny_corpus.lists).train)
    assert main(tiny_corpus.command(tmp_path / "whole", *settings)) == 0
    whole = load_checkpoint(tmp_path / "whole" / "last.pt")
    assert whole.step == 3 * each and list(whole.valid_eers) == [each, 2 * each, 3 * each]
    assert load(tmp_path / "whole" / "config.yaml").training.steps == 3 * each
    exp = tmp_path / "parts"
    assert main(tiny_corpus.command(exp, *settings)) == 0
    (exp / "last.pt").unlink()  # last-1.pt is of an earlier step
    assert main(tiny_corpus.command(exp, *settings)) == 0
    resumed = load_checkpoint(exp / "last.pt")
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)


def test_a_limit_of_steps_shortens_a_longer_count_by_epochs_by_the_steps_that_it_has(root: Path) -> None:
    path, some = root / "conf" / "nnet" / "lde2.yaml", utterances([400, 200])
    settings = ["data.batch_size=6", "training.epochs=20", "schedule.warmup_steps=400"]
    assert shortened(load(path, settings), 300) == {"training.most_steps": 300}
    cut = in_steps(load(path, [*settings, "training.most_steps=300"]), some)  # of 20 · 100 steps
    whole = load(path, ["data.batch_size=6", "training.steps=2000", "schedule.warmup_steps=400"])
    changes = [f"{key}={value}" for key, value in shortened(whole, 300).items()]
    assert to_mapping(cut) == to_mapping(load(path, [*settings, *changes]))
    assert (cut.training.steps, cut.training.epochs, cut.schedule.warmup_steps) == (300, None, 60)
    assert in_steps(cut, some) is cut  # its config.yaml trains the same run again


def test_a_limit_of_steps_leaves_a_shorter_count_by_epochs_as_it_is(root: Path) -> None:
    path, some = root / "conf" / "nnet" / "lde2.yaml", utterances([400, 200])
    settings = ["data.batch_size=6", "training.epochs=3"]
    assert in_steps(load(path, [*settings, "training.most_steps=300"]), some).training.steps == 300
    for most in (300, 301):
        # The limit is not kept either: the run can be resumed with another one, or none.
        assert in_steps(load(path, [*settings, f"training.most_steps={most}"]), some) == in_steps(
            load(path, settings), some
        )
    limited = load(path, [*settings, "training.most_steps=200"])
    assert shortened(limited, 200) == {} and shortened(limited, 199) == {"training.most_steps": 199}


def test_a_limit_of_steps_without_epochs_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.most_steps is 300; expected epochs beside it; else set steps"):
        load(root / "conf" / "nnet" / "lde2.yaml", ["training.most_steps=300"])


def test_the_later_of_steps_and_epochs_counts(root: Path) -> None:
    path, epochs, steps = root / "conf" / "nnet" / "lde2.yaml", "training.epochs=50", "training.steps=100"
    training = load(path, [epochs, "training.most_steps=70", steps]).training
    assert (training.epochs, training.most_steps, training.steps) == (None, None, 100)
    assert load(path, [steps, epochs]).training.epochs == 50
    assert load(path, [steps, epochs, "training={steps: 7}"]).training.epochs is None


def test_a_limit_of_steps_ends_a_training_in_epochs_and_its_config_repeats_it(tiny_corpus: Any, tmp_path: Path) -> None:
    settings = ("training.epochs=50", "training.most_steps=4")
    for _ in range(2):  # the second session finds it finished
        assert main(tiny_corpus.command(tmp_path / "exp", *settings)) == 0
    state = load_checkpoint(tmp_path / "exp" / "last.pt")
    assert state.step == 4 and [*state.valid_eers] == [1, 2, 3, 4]
    training = load(tmp_path / "exp" / "config.yaml").training
    assert (training.steps, training.epochs, training.most_steps) == (4, None, None)
