"""A-softmax: published figures, its definition by angles, its annealing, its edges."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from common.options import OptionError
from nnet.losses import AsoftmaxOptions
from nnet.losses.asoftmax import Asoftmax, chebyshev, psi

MARGINS = [1, 2, 3, 4]


def fixed(margin: int, lambda_: float, in_dim: int = 4, num_classes: int = 3) -> Asoftmax:
    """A loss whose λ stays where it is."""
    torch.manual_seed(0)
    options = AsoftmaxOptions(margin=margin, lambda_base=lambda_, lambda_min=0, lambda_gamma=0)
    return Asoftmax(options, in_dim, num_classes)


@pytest.mark.parametrize(
    ("margin", "lambda_", "expected"),
    [
        (1, 5.0, 0.13206),
        (2, 0.0, 0.32887), (2, 5.0, 0.150566), (2, 1485.1485, 0.132127),
        (3, 0.0, 0.870418), (3, 5.0, 0.176212), (3, 1485.1485, 0.132203),
        (4, 0.0, 1.293983), (4, 5.0, 0.195034), (4, 1485.1485, 0.132255),
    ],
)  # fmt: skip
def test_it_gives_the_independently_computed_losses(margin: int, lambda_: float, expected: float) -> None:
    loss = fixed(margin, lambda_)
    loss.weight.data = torch.tensor([[0.5, -0.2, 0.1, 0.9], [0.3, 0.7, -0.6, 0.2], [-1.0, 0.4, 0.8, -0.5]])
    inputs = torch.tensor([[1.0, 2.0, -1.0, 0.5], [-0.3, 0.8, 1.2, -2.0]])
    value, _ = loss(inputs, torch.tensor([1, 2]), 1)
    assert value.item() == pytest.approx(expected, abs=1e-6)  # the figures have six decimals


@pytest.mark.parametrize("margin", MARGINS)
def test_chebyshev_is_the_cosine_of_the_multiple(margin: int) -> None:
    angles = torch.linspace(0, math.pi, 101, dtype=torch.float64)
    torch.testing.assert_close(chebyshev(angles.cos(), margin), (margin * angles).cos(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("margin", MARGINS)
def test_psi_falls_from_1_to_1_minus_2m_without_a_break(margin: int) -> None:
    angles = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    values = psi(angles.cos(), margin)
    assert values[0].item() == pytest.approx(1)
    assert values[-1].item() == pytest.approx(1 - 2 * margin)
    steps = values.diff()
    assert (steps < 0).all()
    assert steps.abs().max() < 1.1 * margin * math.pi / 20000  # |d cos mθ| <= m dθ: no jump


def test_a_margin_of_one_is_softmax_on_the_plain_logits() -> None:
    loss = fixed(1, 0.0)
    inputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    logits = inputs @ functional.normalize(loss.weight).T
    torch.testing.assert_close(loss(inputs, labels, 1)[0], functional.cross_entropy(logits, labels))


@pytest.mark.parametrize(("step", "expected"), [(1, 1485.1485), (100, 750.0), (1000, 136.3636), (10000, 14.8515)])
def test_lambda_follows_the_published_annealing(step: int, expected: float) -> None:
    assert Asoftmax(AsoftmaxOptions(), 4, 3).lambda_at(step) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("step", [29900, 10**7])
def test_lambda_stops_at_its_minimum(step: int) -> None:
    assert Asoftmax(AsoftmaxOptions(), 4, 3).lambda_at(step) == 5


def test_lambda_at_other_constants() -> None:
    loss = Asoftmax(AsoftmaxOptions(lambda_base=1000, lambda_gamma=0.15), 4, 3)
    figures = [loss.lambda_at(step) for step in (1, 10, 100, 1000, 1327)]
    assert figures == pytest.approx([869.565, 400.0, 62.5, 6.62252, 5.0], abs=1e-3)


def test_only_the_step_moves_lambda() -> None:
    loss, inputs, labels = Asoftmax(AsoftmaxOptions(), 4, 3), torch.randn(2, 4), torch.tensor([0, 1])
    first, _ = loss(inputs, labels, 7)
    loss.eval()
    for _ in range(3):  # a validation pass
        loss(inputs, labels, 7)
    loss.train()
    again, _ = loss(inputs, labels, 7)
    later, _ = loss(inputs, labels, 5000)
    assert first == again
    assert later != first


@pytest.mark.parametrize("margin", MARGINS)
def test_gradients_agree_with_finite_differences(margin: int) -> None:
    loss = fixed(margin, 1.0).double()
    inputs = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0, 1])

    def value(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        result, _ = torch.func.functional_call(loss, {"weight": weight}, (inputs, labels, 1))
        return result

    assert torch.autograd.gradcheck(value, (inputs, loss.weight.detach().requires_grad_()))


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("factor", [2.0, -2.0, 0.0])
def test_value_and_gradients_are_finite_along_against_and_at_zero(margin: int, factor: float) -> None:
    # cos θ = 1, −1, and an input without direction; by way of arccos the first two would be NaN.
    loss = fixed(margin, 0.0)
    inputs = (factor * functional.normalize(loss.weight.data[:1])).requires_grad_()
    value, _ = loss(inputs, torch.tensor([0]), 1)
    value.backward()
    assert inputs.grad is not None
    assert loss.weight.grad is not None
    assert value.isfinite()
    assert inputs.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()


@pytest.mark.parametrize("margin", [0, 5])
def test_a_margin_outside_1_to_4_is_refused(margin: int) -> None:
    with pytest.raises(OptionError, match=f"margin is {margin}; expected >= 1 and <= 4"):
        AsoftmaxOptions(margin=margin)
