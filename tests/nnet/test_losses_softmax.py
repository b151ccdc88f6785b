"""Softmax, and the check of labels that all losses share."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from nnet.losses import LOSSES, AamOptions, AsoftmaxOptions, SoftmaxOptions
from nnet.losses.aam import Aam
from nnet.losses.asoftmax import Asoftmax
from nnet.losses.softmax import Softmax

EVERY_LOSS = [(Softmax, SoftmaxOptions()), (Asoftmax, AsoftmaxOptions()), (Aam, AamOptions())]
every_loss = pytest.mark.parametrize(("loss_class", "options"), EVERY_LOSS, ids=["softmax", "asoftmax", "aam"])


def test_each_loss_of_the_table_is_tested_here() -> None:
    assert {type(options) for _, options in EVERY_LOSS} == set(LOSSES.values())


def test_softmax_by_hand() -> None:
    loss = Softmax(SoftmaxOptions(), 2, 3)
    loss.linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    loss.linear.bias.data = torch.tensor([0.0, 0.0, 1.0])
    value, hits = loss(torch.tensor([[2.0, 3.0]]), torch.tensor([1]), 1)  # logits 2, 3, 1
    assert hits.tolist() == [True]
    assert value.item() == pytest.approx(math.log(math.e**2 + math.e**3 + math.e) - 3, abs=1e-6)


@every_loss
@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_out_of_range_is_named(loss_class: Any, options: Any, label: int) -> None:
    loss = loss_class(options, 3, 4)
    with pytest.raises(ValueError, match=f"label {label} is out of range: the loss has 4 speakers, 0 to 3"):
        loss(torch.randn(2, 3), torch.tensor([0, label]), 1)


@every_loss
def test_scale_invariant_weights_are_those_whose_length_changes_nothing(loss_class: Any, options: Any) -> None:
    torch.manual_seed(0)
    loss = loss_class(options, 3, 4)
    inputs, labels = torch.randn(2, 3), torch.tensor([0, 3])
    before, _ = loss(inputs, labels, 1)
    for name, parameter in loss.named_parameters():
        original = parameter.data
        parameter.data = 3 * original
        after, _ = loss(inputs, labels, 1)
        assert torch.allclose(before, after) == (name in loss.scale_invariant)
        parameter.data = original


@every_loss
def test_hits_are_those_of_the_greatest_logit_without_margin(loss_class: Any, options: Any) -> None:
    torch.manual_seed(0)
    loss = loss_class(options, 3, 4)
    weight = loss.linear.weight if loss_class is Softmax else functional.normalize(loss.weight)
    bias = loss.linear.bias if loss_class is Softmax else torch.zeros(4)
    inputs = torch.randn(50, 3)
    inputs[:4] = weight[[0, 1, 2, 3]] + 0.02 * weight[[1, 2, 3, 0]]  # near a weight, where a margin decides
    answers = (inputs @ weight.T + bias).argmax(dim=1)
    for shift in range(4):  # each label is right for some inputs and wrong for others
        labels = (answers + shift) % 4
        labels[::2] = 1
        _, hits = loss(inputs, labels, 1)
        assert hits.dtype == torch.bool
        assert hits.tolist() == (answers == labels).tolist()


def test_without_margin_aam_is_softmax_over_scaled_cosines() -> None:
    torch.manual_seed(0)
    loss = Aam(AamOptions(margin=0.0, scale=7.0), 3, 4)
    inputs, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 0])
    cosines = functional.cosine_similarity(inputs[:, None], loss.weight[None], dim=2)
    # 1e-5: float32, times the scale.
    expected = functional.cross_entropy(7 * cosines, labels)
    torch.testing.assert_close(loss(inputs, labels, 1)[0], expected, atol=1e-5, rtol=0)


def test_aams_true_logit_falls_all_the_way_and_follows_the_angle() -> None:
    loss = Aam(AamOptions(margin=0.3), 3, 4)
    angles = torch.linspace(0.01, math.pi - 0.01, 500, dtype=torch.float64)
    with_margin = loss.with_margin(angles.cos())
    assert (with_margin.diff() < 0).all()
    before = angles < math.pi - 0.3
    torch.testing.assert_close(with_margin[before], (angles[before] + 0.3).cos(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("cosine", [-1.0, 1.0])
def test_aams_gradient_is_finite_along_a_weight(cosine: float) -> None:
    loss = Aam(AamOptions(), 3, 2)
    inputs = (cosine * 2 * functional.normalize(loss.weight.data[:1])).requires_grad_()
    loss(inputs, torch.tensor([0]), 1)[0].backward()
    assert inputs.grad is not None
    assert loss.weight.grad is not None
    assert inputs.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()
