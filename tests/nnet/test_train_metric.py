"""Training with metric losses, from lists to checkpoint: resumed runs, speakers left out, and that it learns."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnet.train import main
from nnet.training.checkpoint import load_checkpoint
from tests.nnet.helpers.training_runs import curve, equal_states, terminated_at

GROUPS = ("data.balance=groups", "data.utterances_per_speaker=4", "data.batch_size=16")
LOSSES = {
    "ge2e": ("loss={name: ge2e}", *GROUPS),
    "ge2e-contrast": ("loss={name: ge2e, variant: contrast}", *GROUPS),
    "angular_prototypical": ("loss={name: angular_prototypical}", *GROUPS),
    "triplet": ("loss={name: triplet}", "data.balance=triplets", "data.batch_size=12"),
    "triplet-random": ("loss={name: triplet, mining: random}", *GROUPS),
    "triplet-semi_hard": ("loss={name: triplet, mining: semi_hard}", *GROUPS),
    "sum": ("loss={name: sum, losses: [{name: aam}, {name: ge2e, weight: 0.1}]}", *GROUPS),
}


def keep_of_each_speaker(lists: Path, counts: dict[str, int]) -> None:
    """Leave so many training utterances of the speakers that are named."""
    kept, left = [], dict(counts)
    for line in (lists / "train.scp").read_text().splitlines(keepends=True):
        speaker = line.partition("-")[0]
        left[speaker] = left.get(speaker, 99) - 1
        if left[speaker] >= 0:
            kept.append(line)
    (lists / "train.scp").write_text("".join(kept))


# Step 10 is within a period of the log, which begins after 8, and within a round of the six speakers.
@pytest.mark.parametrize("name", ["ge2e", "triplet", "triplet-random", "sum"])
def test_a_run_on_groups_or_triplets_stopped_and_resumed_equals_an_uninterrupted_one(
    tiny_corpus: Any, tmp_path: Path, name: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(tiny_corpus.command(whole, *LOSSES[name])) == 0
    with terminated_at(10):
        assert main(tiny_corpus.command(parts, *LOSSES[name])) == 128 + signal.SIGTERM
    stopped = load_checkpoint(parts / "last.pt")
    assert stopped.step == 10
    assert stopped.meter["decisions"] == 2 * (4 if name == "triplet" else 16)
    assert stopped.meter["chunks"] == 2 * (12 if name == "triplet" else 16)
    assert main(tiny_corpus.command(parts, *LOSSES[name])) == 0
    assert equal_states(load_checkpoint(whole / "last.pt"), load_checkpoint(parts / "last.pt"))
    assert equal_states(load_checkpoint(whole / "best.pt"), load_checkpoint(parts / "best.pt"))
    assert curve(whole) == curve(parts)


@pytest.mark.parametrize("name", ["ge2e", "triplet"])
def test_loader_processes_change_nothing_about_groups_and_triplets(tiny_corpus: Any, tmp_path: Path, name: str) -> None:
    for exp, workers in (("a", 0), ("b", 2)):
        settings = (*LOSSES[name], f"data.workers={workers}", "training.steps=8")
        assert main(tiny_corpus.command(tmp_path / exp, *settings)) == 0
    assert equal_states(load_checkpoint(tmp_path / "a" / "last.pt"), load_checkpoint(tmp_path / "b" / "last.pt"))
    assert curve(tmp_path / "a") == curve(tmp_path / "b")


FEW = "2 of 6 speakers have fewer than 4 utterances (data.utterances_per_speaker) and are left out (4 utterances)"
ONE = "1 of 6 speakers have one utterance and are used only as negatives of triplets (1 utterances)"


@pytest.mark.parametrize(("name", "message"), [("ge2e", FEW), ("triplet", ONE)])
def test_the_log_reports_once_how_many_speakers_are_left_out(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, message: str
) -> None:
    keep_of_each_speaker(tiny_corpus.lists, {"s1": 3, "s4": 1})
    settings = (*LOSSES[name], "training.steps=3", "data.workers=1")
    assert main(tiny_corpus.command(tmp_path / "exp", *settings)) == 0
    logged = [(each.levelname, each.getMessage()) for each in caplog.records if "speakers have" in each.getMessage()]
    assert logged == [("WARNING", message)]


def test_the_log_is_silent_where_every_speaker_has_enough(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(tiny_corpus.command(tmp_path / "exp", *LOSSES["ge2e"], "training.steps=3")) == 0
    assert "speakers have" not in caplog.text


# The first line of the curve is of steps 1 to 5, in which the network has begun to learn. Over the last six lines the
# loss was at most 0.13 of that, and the accuracy at least 0.87.
@pytest.mark.parametrize("name", LOSSES)
def test_a_small_network_learns_to_tell_speakers_in_60_steps(tiny_corpus: Any, tmp_path: Path, name: str) -> None:
    settings = (*LOSSES[name], "training.steps=60", "training.log_every=5", "training.valid_every=60")
    assert main(tiny_corpus.command(tmp_path / "exp", *settings)) == 0
    losses, accuracies = np.array([row[1:3] for row in curve(tmp_path / "exp")[1:]], float).T
    assert len(losses) == 12
    assert losses[6:].mean() < 0.25 * losses[0]
    assert accuracies[6:].mean() > 0.8
