"""Several attentions: by hand, against the formulas written out, the penalty, the published size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from common.options import OptionError
from nnet.config.experiment import from_mapping, load, to_mapping
from nnet.model import build
from nnet.pooling import MultiHeadOptions
from nnet.pooling.multi_head import MultiHeadPooling
from nnet.train import main as train

MINI = Path(__file__).resolve().parents[2] / "conf" / "nnet" / "mini.yaml"


def make(heads: int, channels: int = 4, penalty: float = 0.01) -> MultiHeadPooling:
    torch.manual_seed(0)
    pooling = MultiHeadPooling(MultiHeadOptions(heads=heads, hidden=6, penalty=penalty), channels).double().eval()
    for values in (pooling.norm.running_mean, pooling.norm.bias):
        nn.init.uniform_(values, -0.5, 0.5)
    return pooling


def test_two_frames_and_two_heads_by_hand() -> None:
    # One channel: 0 and 1. Head 0 scores ln 3 · x: weights 1/4, 3/4; head 1 scores 0: 1/2, 1/2.
    pooling = MultiHeadPooling(MultiHeadOptions(heads=2, hidden=1), 1).eval()
    nn.init.ones_(pooling.hidden.weight)
    pooling.norm.eps = 1e-12  # the batch norm is then the identity
    pooling.scores.weight.data = torch.tensor([[math.log(3)], [0.0]])
    frames, lengths = torch.tensor([[[0.0], [1.0]]]), torch.tensor([2])
    pooled, penalty = pooling.with_penalty(frames, lengths)
    deviations = [math.sqrt(3 / 4 - 9 / 16 + 1e-5), math.sqrt(1 / 2 - 1 / 4 + 1e-5)]
    torch.testing.assert_close(pooled, torch.tensor([[0.75, 0.5, *deviations]]))
    # AᵀA = [[10/16, 1/2], [1/2, 1/2]]
    squares = [10 / 16 - 1 + 1e-5, 1 / 2 + 1e-5, 1 / 2 + 1e-5, 1 / 2 - 1 + 1e-5]
    assert penalty.item() == pytest.approx(0.01 * math.sqrt(sum(s * s for s in squares)), rel=1e-6)


def test_it_agrees_with_the_formulas_written_out() -> None:
    pooling = make(3)
    frames, lengths = torch.randn(2, 7, 4, dtype=torch.float64), [7, 3]
    pooled, penalty = pooling.with_penalty(frames, torch.tensor(lengths))
    penalties = []
    for utt, length in enumerate(lengths):
        own = frames[utt, :length]  # (T, C)
        norm = pooling.norm
        normalised = (own @ pooling.hidden.weight.T - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        hidden = (normalised * norm.weight + norm.bias).clamp(min=0)
        scores = hidden @ pooling.scores.weight.T
        attention = scores.exp() / scores.exp().sum(dim=0)  # (T, H)
        for channel in range(4):
            for head in range(3):
                weights, values = attention[:, head], own[:, channel]
                mean = (weights * values).sum()
                deviation = ((weights * values**2).sum() - mean**2 + 1e-5).sqrt()
                place = channel * 3 + head  # means first, and for each channel its heads
                torch.testing.assert_close(pooled[utt, place], mean, atol=1e-12, rtol=1e-12)
                torch.testing.assert_close(pooled[utt, 12 + place], deviation, atol=1e-12, rtol=1e-12)
        distance = attention.T @ attention - torch.eye(3) + 1e-5
        penalties.append(distance.square().sum().sqrt())
    torch.testing.assert_close(penalty, 0.01 * torch.stack(penalties).mean(), atol=1e-12, rtol=1e-12)


def test_forward_is_the_first_part_of_with_penalty() -> None:
    pooling, frames, lengths = make(3), torch.randn(2, 5, 4, dtype=torch.float64), torch.tensor([5, 4])
    assert torch.equal(pooling(frames, lengths), pooling.with_penalty(frames, lengths)[0])


def test_the_penalty_is_greater_for_heads_that_look_at_the_same_frame() -> None:
    pooling = make(2, channels=2)
    nn.init.zeros_(pooling.norm.running_mean)
    nn.init.zeros_(pooling.norm.bias)
    pooling.hidden.weight.data = torch.eye(6, 2, dtype=torch.float64)
    frames, lengths = 100 * torch.eye(2, dtype=torch.float64)[None], torch.tensor([2])
    apart, together = torch.eye(2, 6, dtype=torch.float64), torch.eye(2, 6, dtype=torch.float64)
    together[1] = together[0]
    penalties = []
    for weights in (apart, together):
        pooling.scores.weight.data = weights
        penalties.append(pooling.with_penalty(frames, lengths)[1].item())
    # Apart: AᵀA = I, four elements of 1e-5. Together: two elements of 1 + 1e-5 besides.
    assert penalties == pytest.approx([0.01 * 2e-5, 0.01 * math.sqrt(2)], rel=1e-4)


@pytest.mark.parametrize(("heads", "penalty"), [(1, 0.01), (3, 0.0)])
def test_one_head_or_a_weight_of_zero_has_no_penalty(heads: int, penalty: float) -> None:
    pooling = make(heads, penalty=penalty)
    assert pooling.with_penalty(torch.randn(2, 5, 4, dtype=torch.float64), torch.tensor([5, 3]))[1].item() == 0


def test_the_gradient_of_the_penalty_agrees_with_finite_differences() -> None:
    pooling = make(3, penalty=1.0)
    frames = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pooling.with_penalty(x, torch.tensor([5, 3]))[1], (frames,))


def test_the_penalty_is_part_of_the_training_loss() -> None:
    overrides = ["encoder.width=8", "encoder.last_width=12", "pooling={name: multi_head, heads: 3, hidden: 5}"]
    mapping = to_mapping(load(MINI, overrides))
    losses = {}
    for penalty in (0.0, 2.0):
        mapping["pooling"]["penalty"] = penalty
        torch.manual_seed(0)
        net = build(from_mapping(mapping, "test"), 3).eval()
        torch.manual_seed(1)
        feats, lengths, labels = torch.randn(3, 30, 30), torch.full((3,), 30), torch.tensor([0, 1, 2])
        losses[penalty] = net.training_loss(feats, lengths, labels, 1)[0]
        expected = net.pooling.with_penalty(*net.encoder(feats, lengths))[1]  # type: ignore[operator]
    torch.testing.assert_close(losses[2.0] - losses[0.0], expected)
    assert expected > 0


@pytest.mark.parametrize(
    ("option", "expected"),
    [({"heads": 0}, "heads is 0"), ({"hidden": 0}, "hidden is 0"), ({"penalty": -1.0}, r"penalty is -1\.0")],
)
def test_options_out_of_range_are_refused(option: dict[str, int], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        MultiHeadOptions(**option)


def test_its_experiment_differs_from_the_x_vectors_in_the_pooling_alone() -> None:
    attentive, plain = (to_mapping(load(MINI.with_name(f"{name}.yaml"))) for name in ("xvector_attentive", "xvector"))
    assert attentive.pop("pooling") == {"name": "multi_head", "heads": 5, "hidden": 512, "penalty": 0.01}
    del plain["pooling"]
    assert attentive == plain


def test_it_trains_with_its_penalty(tiny_corpus: Any, tmp_path: Path) -> None:
    pooling = "pooling={name: multi_head, heads: 2, hidden: 4, penalty: %s}"
    losses = []
    for number, penalty in enumerate((0.0, 1.0)):
        exp = tmp_path / str(number)
        assert train(tiny_corpus.command(exp, "training.steps=1", pooling % penalty)) == 0
        header, first = ((line.split("\t")) for line in (exp / "curve.tsv").read_text().splitlines()[:2])
        losses.append(float(first[header.index("loss")]))
    # Two heads that begin alike: ‖AᵀA − I‖ is near √2 where the weights are spread over many frames.
    assert losses[1] - losses[0] == pytest.approx(math.sqrt(2), abs=0.2)
