"""Each loss at the end of a network, on the batches that it asks for; sums; what weight decay leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from common.options import part_of
from nnet.config.experiment import load
from nnet.data.lists import StringTable, UtteranceList
from nnet.data.sampler import BatchPlanner
from nnet.model import SpeakerNet, build
from nnet.training.optimizers import build_optimizer
from tests.nnet.helpers.tiny_corpus import CONFIG

COUNTS = [5, 3, 4, 6, 4, 2]

LOSSES: list[tuple[str, str, int]] = [  # loss, balance, decisions of a batch of 12
    ("{name: aam, sub_centres: 2, margin_steps: [0, 10]}", "speakers", 12),
    ("{name: am}", "none", 12),
    ("{name: ge2e}", "groups", 12),
    ("{name: ge2e, variant: contrast, leave_one_out: false, reduction: sum}", "groups", 12),
    ("{name: angular_prototypical}", "groups", 4),
    ("{name: triplet}", "triplets", 4),
    ("{name: triplet, mining: random}", "groups", 12),
    ("{name: triplet, mining: semi_hard}", "groups", 24),
    ("{name: sum, losses: [{name: aam}, {name: ge2e, weight: 0.1, variant: contrast}]}", "groups", 12),
    ("{name: sum, losses: [{name: triplet, weight: 3}, {name: softmax}]}", "triplets", 4),
]
each_loss = pytest.mark.parametrize(("loss", "balance", "decisions"), LOSSES)


def network(tmp_path: Path, loss: str, balance: str) -> tuple[SpeakerNet, BatchPlanner, torch.Tensor]:
    """A small network with this loss, the planner of its batches, and the speaker of each utterance."""
    path = tmp_path / "a.yaml"
    path.write_text(CONFIG)
    settings = [f"loss={loss}", f"data.balance={balance}", "data.batch_size=12", "data.utterances_per_speaker=3"]
    config = load(path, settings)
    torch.manual_seed(0)
    speakers = np.repeat(np.arange(len(COUNTS), dtype=np.int32), COUNTS)
    names = StringTable(str(n) for n in range(len(speakers)))
    utterances = UtteranceList(names, names, np.full(len(speakers), 50, np.int32), speakers)
    data = config.data
    planner = BatchPlanner(utterances, data.chunk_frames, data.batch_size, data.balance, 1, data.utterances_per_speaker)
    return build(config, len(COUNTS)), planner, torch.from_numpy(speakers.astype(np.int64))


@each_loss
def test_a_step_gives_a_finite_loss_and_every_parameter_a_gradient(
    tmp_path: Path, loss: str, balance: str, decisions: int
) -> None:
    net, planner, speakers = network(tmp_path, loss, balance)
    for step in (1, 2, 3):
        net.zero_grad()
        labels = speakers[planner.plan(step).utts]
        value, hits = net.training_loss(torch.randn(12, 30, 8), torch.full((12,), 30), labels, step)
        value.backward()
        assert value.isfinite()
        assert (hits.shape, hits.dtype) == ((decisions,), torch.bool)
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@each_loss
def test_the_weights_after_a_checkpoint_give_the_same_loss(
    tmp_path: Path, loss: str, balance: str, decisions: int
) -> None:
    net, planner, speakers = network(tmp_path, loss, balance)
    other, _, _ = network(tmp_path, loss, balance)
    for parameter in net.parameters():
        parameter.data += 0.1
    other.load_state_dict(net.state_dict())
    embedding, labels = torch.randn(12, 6), speakers[planner.plan(1).utts]
    assert torch.equal(net.loss(embedding, labels, 7)[0], other.loss(embedding, labels, 7)[0])


def test_a_sum_is_the_weighted_sum_of_its_losses_with_the_hits_of_the_first(tmp_path: Path) -> None:
    net, planner, speakers = network(tmp_path, LOSSES[8][0], "groups")
    total = net.loss_function
    inputs, labels = torch.randn(12, 6), speakers[planner.plan(1).utts]
    value, hits = total(inputs, labels, 1)
    (first, first_hits), (second, _) = (each(inputs, labels, 1) for each in total.losses)  # type: ignore[union-attr]
    torch.testing.assert_close(value, first + 0.1 * second)
    assert torch.equal(hits, first_hits)


def test_weight_decay_leaves_directions_and_scales_of_scores_alone(tmp_path: Path) -> None:
    net, _, _ = network(tmp_path, LOSSES[8][0], "groups")
    expected = {"losses.0.weight", "losses.1.scale.raw", "losses.1.b"}
    assert net.scale_invariant_parameters() == {f"loss_function.{name}" for name in expected}
    path = tmp_path / "a.yaml"
    for decay in ("weights", "all"):
        options = load(path, [f"optimizer={{name: sgd, weight_decay: 0.1, decay: {decay}}}"]).optimizer
        groups = build_optimizer(options, net).param_groups
        spared = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
        named = dict(net.loss_function.named_parameters())
        assert set(named) == expected
        assert all(id(parameter) in spared for parameter in named.values())


def test_a_loss_names_its_class_for_whoever_builds_it(tmp_path: Path) -> None:
    net, _, _ = network(tmp_path, "{name: am}", "none")
    path = tmp_path / "a.yaml"
    assert part_of(load(path, ["loss={name: am}"]).loss) is type(net.loss_function)
