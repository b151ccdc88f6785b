"""Softmax, the additive margins, and what all losses share: the check of labels, hits, weights kept from decay."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from common.options import OptionError, part_of
from nnet.losses import (
    LOSSES,
    AamOptions,
    AmOptions,
    AngularPrototypicalOptions,
    AsoftmaxOptions,
    Ge2eOptions,
    SumOptions,
    TripletOptions,
    WeightedLoss,
)
from nnet.losses.aam import Aam
from nnet.losses.am import Am
from nnet.losses.asoftmax import Asoftmax
from nnet.losses.softmax import Softmax

PLAIN = LOSSES["softmax"]()
CLASSIFICATIONS = [(Softmax, PLAIN), (Asoftmax, AsoftmaxOptions()), (Aam, AamOptions()), (Am, AmOptions())]
METRIC = [Ge2eOptions(), Ge2eOptions(variant="contrast"), AngularPrototypicalOptions(), TripletOptions()]
SUM = SumOptions((WeightedLoss(AamOptions()), WeightedLoss(Ge2eOptions(), 0.1)))
every_loss = pytest.mark.parametrize(
    ("loss_class", "options"), CLASSIFICATIONS, ids=["softmax", "asoftmax", "aam", "am"]
)
OF_THE_TABLE = [kind() for name, kind in LOSSES.items() if name != "sum"]  # so that a new loss is tested too
every_options = pytest.mark.parametrize("options", [*OF_THE_TABLE, *METRIC, SUM])


def test_softmax_by_hand() -> None:
    loss = Softmax(LOSSES["softmax"](), 2, 3)
    loss.linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    loss.linear.bias.data = torch.tensor([0.0, 0.0, 1.0])
    value, hits = loss(torch.tensor([[2.0, 3.0]]), torch.tensor([1]), 1)  # logits 2, 3, 1
    assert hits.tolist() == [True]
    assert value.item() == pytest.approx(math.log(math.e**2 + math.e**3 + math.e) - 3, abs=1e-6)


@every_options
@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_out_of_range_is_named(options: Any, label: int) -> None:
    loss = part_of(options)(options, 3, 4)
    with pytest.raises(ValueError, match=f"label {label} is out of range: the loss has 4 speakers, 0 to 3"):
        loss(torch.randn(2, 3), torch.tensor([0, label]), 1)


@every_options
def test_scale_invariant_weights_are_those_whose_length_changes_nothing(options: Any) -> None:
    torch.manual_seed(0)
    loss = part_of(options)(options, 3, 4)
    inputs = torch.randn(6, 3)
    labels = torch.tensor([0, 0, 1, 2, 2, 3] if options.balance == "triplets" else [0, 0, 3, 3, 1, 1])
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


@pytest.mark.parametrize("options", [AamOptions(margin=0.0, scale=7.0), AmOptions(margin=0.0, scale=7.0)])
def test_without_margin_additive_losses_are_softmax_over_scaled_cosines(options: Any) -> None:
    torch.manual_seed(0)
    loss = part_of(options)(options, 3, 4)
    inputs, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 0])
    cosines = functional.cosine_similarity(inputs[:, None], loss.weight[None], dim=2)
    # 1e-5: float32, times the scale.
    expected = functional.cross_entropy(7 * cosines, labels)
    torch.testing.assert_close(loss(inputs, labels, 1)[0], expected, atol=1e-5, rtol=0)


def test_aams_true_logit_falls_all_the_way_and_follows_the_angle() -> None:
    loss = Aam(AamOptions(margin=0.3), 3, 4)
    angles = torch.linspace(0.01, math.pi - 0.01, 500, dtype=torch.float64)
    with_margin = loss.with_margin(angles.cos(), 0.3)
    assert (with_margin.diff() < 0).all()
    before = angles < math.pi - 0.3
    torch.testing.assert_close(with_margin[before], (angles[before] + 0.3).cos(), atol=1e-10, rtol=0)


def test_am_by_hand() -> None:
    loss = Am(AmOptions(margin=0.35, scale=10.0), 2, 2)
    loss.weight.data = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    value, hits = loss(torch.tensor([[3.0, 4.0], [4.0, 3.0]]), torch.tensor([1, 1]), 1)  # cosines .6 .8 and .8 .6
    first, second = math.log(1 + math.exp(10 * (0.6 - 0.45))), math.log(1 + math.exp(10 * (0.8 - 0.25)))
    assert value.item() == pytest.approx((first + second) / 2, abs=1e-5)  # float32, times the scale
    assert hits.tolist() == [True, False]


@pytest.mark.parametrize("options_class", [AamOptions, AmOptions])
def test_the_nearest_sub_centre_of_a_class_counts(options_class: Any) -> None:
    torch.manual_seed(0)
    one, three = options_class(), options_class(sub_centres=3)
    loss, plain = part_of(three)(three, 5, 4), part_of(one)(one, 5, 4)
    inputs, labels = torch.randn(7, 5), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    cosines = torch.empty(7, 4)
    for row in range(7):
        for label in range(4):
            centres = loss.weight[3 * label : 3 * label + 3]
            cosines[row, label] = max(functional.cosine_similarity(inputs[row], each, dim=0) for each in centres)
    torch.testing.assert_close(loss.cosines(inputs), cosines)
    # With the other sub-centres pointing away from all inputs, what is left is the loss with one.
    inputs[:, 0] = inputs[:, 0].abs() + 3
    loss.weight.data.view(4, 3, 5)[:, 1:] = torch.tensor([-1.0, 0, 0, 0, 0])
    loss.weight.data.view(4, 3, 5)[:, 0] = plain.weight.data
    loss.weight.data[:, 0] = torch.where(loss.weight[:, 0] == -1, -1.0, loss.weight[:, 0].abs())
    plain.weight.data[:, 0] = plain.weight[:, 0].abs()
    torch.testing.assert_close(loss(inputs, labels, 1)[0], plain(inputs, labels, 1)[0])


def test_the_margin_grows_evenly_between_its_two_steps_and_depends_on_the_step_alone() -> None:
    options = AamOptions(margin=0.2, margin_steps=(100, 300))
    figures = [options.margin_at(step) for step in (300, 1, 100, 101, 200, 250, 10**9)]
    assert figures == pytest.approx([0.2, 0, 0, 0.001, 0.1, 0.15, 0.2], abs=1e-12)
    assert [AamOptions(margin_steps=(5, 5)).margin_at(step) for step in (4, 5, 6)] == [0, 0.2, 0.2]
    assert AamOptions(margin=0.3).margin_at(1) == 0.3


@pytest.mark.parametrize("options_class", [AamOptions, AmOptions])
def test_the_loss_has_the_margin_of_its_step(options_class: Any) -> None:
    torch.manual_seed(0)
    growing, full = options_class(margin_steps=(0, 10)), options_class()
    half = options_class(margin=0.1)
    losses = [part_of(options)(options, 5, 4) for options in (growing, full, half)]
    for loss in losses[1:]:
        loss.load_state_dict(losses[0].state_dict())
    inputs, labels = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    at_five, at_ten = (losses[0](inputs, labels, step)[0] for step in (5, 10))
    assert at_five == losses[2](inputs, labels, 1)[0] < at_ten == losses[1](inputs, labels, 1)[0]


@pytest.mark.parametrize(
    "options", [AamOptions(margin=0.3), AamOptions(margin=0.3, sub_centres=2), AmOptions(margin=0.3)]
)
def test_gradients_of_additive_margins_agree_with_finite_differences(options: Any) -> None:
    torch.manual_seed(0)
    loss = part_of(options)(options, 4, 3).double()
    inputs, labels = torch.randn(5, 4, dtype=torch.float64, requires_grad=True), torch.tensor([0, 1, 2, 0, 1])

    def value(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(loss, {"weight": weight}, (inputs, labels, 1))[0]

    assert torch.autograd.gradcheck(value, (inputs, loss.weight.detach().requires_grad_()))


@pytest.mark.parametrize("factor", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("options", [AamOptions(), AamOptions(sub_centres=2), AmOptions()])
def test_gradients_of_additive_margins_are_finite_along_against_and_at_zero(options: Any, factor: float) -> None:
    loss = part_of(options)(options, 3, 2)
    inputs = (factor * functional.normalize(loss.weight.data[:1])).requires_grad_()
    loss(inputs, torch.tensor([0]), 1)[0].backward()
    assert inputs.grad is not None
    assert loss.weight.grad is not None
    assert inputs.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 1.5}, "margin is 1.5; expected >= 0 and < 1.5"),
        ({"scale": 0.0}, "scale is 0.0; expected > 0"),
        ({"sub_centres": 0}, "sub_centres is 0; expected >= 1"),
        ({"margin_steps": (9, 3)}, r"margin_steps is \[9, 3\]; expected \[first step, last step\], the first first"),
    ],
)
def test_additive_options_that_mean_nothing_are_refused(change: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        AamOptions(**change)
