"""The timing that chooses a precision: on batches as the experiment's loss asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_corpus import TinyCorpus

from nnet import precision
from nnet.config import load
from nnet.losses.metric import check_triplets, group_size
from nnet.model import SpeakerNet, build
from nnet.precision import choose_precision
from nnet.train import main

CPU = torch.device("cpu")
GE2E = "loss={name: ge2e}"
SEMI_HARD = "loss={name: triplet, mining: semi_hard}"
TRIPLETS = ("loss={name: triplet}", "data.balance=triplets")
SUM = "loss={name: sum, losses: [{name: aam}, {name: angular_prototypical, weight: 0.1}]}"


def groups(size: int, batch_size: int) -> tuple[str, ...]:
    return "data.balance=groups", f"data.utterances_per_speaker={size}", f"data.batch_size={batch_size}"


@pytest.fixture
def timed_labels(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Labels of the steps that are taken, on a machine that has bf16 instructions."""
    labels: list[torch.Tensor] = []
    real = SpeakerNet.training_loss

    def record(self: SpeakerNet, feats: torch.Tensor, lengths: torch.Tensor, each: torch.Tensor, step: int):  # type: ignore[no-untyped-def]
        assert len(feats) == len(each)
        labels.append(each)
        return real(self, feats, lengths, each, step)

    monkeypatch.setattr(SpeakerNet, "training_loss", record)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    return labels


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ((GE2E, *groups(2, 4)), 4),
        ((GE2E, *groups(4, 64)), 16),
        ((GE2E, *groups(5, 60)), 15),
        ((GE2E, *groups(12, 60)), 24),  # two groups are the least
        ((SEMI_HARD, *groups(4, 64)), 16),
        ((SUM, *groups(3, 6)), 6),
    ],
)
def test_auto_is_decided_on_groups_where_the_loss_compares_groups(
    tiny_corpus: TinyCorpus, timed_labels: list[torch.Tensor], settings: tuple[str, ...], rows: int
) -> None:
    config = load(tiny_corpus.config, ["training.precision=auto", *settings])
    assert choose_precision(build(config, 12), config, CPU, 12) in ("float32", "bf16")
    assert len(timed_labels) == 2 * (1 + precision.TIMED_STEPS)
    for labels in timed_labels:
        assert group_size(labels) == config.data.utterances_per_speaker
        assert len(labels) == rows


@pytest.mark.parametrize(("batch_size", "rows"), [(3, 3), (12, 12), (63, 15)])
def test_auto_is_decided_on_triplets_where_the_loss_compares_triplets(
    tiny_corpus: TinyCorpus, timed_labels: list[torch.Tensor], batch_size: int, rows: int
) -> None:
    config = load(tiny_corpus.config, ["training.precision=auto", *TRIPLETS, f"data.batch_size={batch_size}"])
    assert choose_precision(build(config, 2), config, CPU) in ("float32", "bf16")
    assert len(timed_labels) == 2 * (1 + precision.TIMED_STEPS)
    for labels in timed_labels:
        check_triplets(labels)
        assert len(labels) == rows


def test_the_timed_groups_are_of_no_more_speakers_than_there_are(
    tiny_corpus: TinyCorpus, timed_labels: list[torch.Tensor]
) -> None:
    config = load(tiny_corpus.config, ["training.precision=auto", GE2E, *groups(2, 64)])
    choose_precision(build(config, 3), config, CPU, 3)
    assert all(labels.tolist() == [0, 0, 1, 1, 2, 2] for labels in timed_labels)


@pytest.mark.parametrize("settings", [(GE2E, *groups(4, 16)), (*TRIPLETS, "data.batch_size=12")])
def test_training_with_precision_auto_begins_with_metric_losses(
    tiny_corpus: TinyCorpus, tmp_path: Path, timed_labels: list[torch.Tensor], settings: tuple[str, ...]
) -> None:
    command = tiny_corpus.command(tmp_path / "exp", *settings, "training.precision=auto", "training.steps=2")
    assert main(command) == 0
    assert len(timed_labels) == 2 * (1 + precision.TIMED_STEPS) + 2
