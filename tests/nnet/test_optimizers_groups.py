"""Which parameters of each kind of network decay, by name, and how gradients are limited."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import nn

from nnet.losses import LOSSES
from nnet.model import SpeakerNet
from nnet.parts import Loss
from nnet.training.optimizer_options import OPTIMIZERS, Adam
from nnet.training.optimizers import build_optimizer, clip_gradients, exempt_from_decay


class Angles(Loss):
    """GE2E's two numbers and the weights of angles."""

    def __init__(self) -> None:
        super().__init__(scale_invariant=("weight",))
        self.weight = nn.Parameter(torch.ones(3, 4))
        self.w, self.b = nn.Parameter(torch.tensor(10.0)), nn.Parameter(torch.tensor(-5.0))

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("only the parameters' names are looked at")


class EcapaBlock(nn.Module):
    """The kinds of layers of an ECAPA-TDNN's block: dilated convolution, norm, squeeze and excitation, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 4, 3, dilation=2), nn.BatchNorm1d(4)
        self.squeeze, self.excite = nn.Conv1d(4, 2, 1), nn.Conv1d(2, 4, 1)
        self.slope, self.planes = nn.PReLU(4), nn.LayerNorm((2, 4))


def network(encoder: nn.Module) -> SpeakerNet:
    return SpeakerNet(4, encoder, nn.Identity(), nn.Linear(4, 4), nn.Sequential(nn.BatchNorm1d(4)), Angles())


ALWAYS = {"embedding.bias", "head.0.weight", "head.0.bias", *(f"loss_function.{name}" for name in ("weight", "w", "b"))}


def biases(*layers: str) -> set[str]:
    return {f"encoder.{layer}.bias" for layer in layers}


@pytest.mark.parametrize(
    ("encoder", "exempt"),
    [
        (
            EcapaBlock(),
            biases("conv", "norm", "squeeze", "excite", "planes")
            | {"encoder.norm.weight", "encoder.slope.weight", "encoder.planes.weight"},
        ),
        (nn.Sequential(nn.Conv1d(4, 4, 3), nn.ReLU(), nn.BatchNorm1d(4)), biases("0", "2") | {"encoder.2.weight"}),
        (nn.GRU(4, 4), {"encoder.bias_ih_l0", "encoder.bias_hh_l0"}),
        (
            nn.TransformerEncoderLayer(4, 2, 8),
            biases("self_attn.out_proj", "linear1", "linear2", "norm1", "norm2")
            | {"encoder.self_attn.in_proj_bias", "encoder.norm1.weight", "encoder.norm2.weight"},
        ),
    ],
    ids=["ecapa", "tdnn", "gru", "transformer"],
)
def test_norms_biases_angular_weights_and_ge2e_scale_and_offset_do_not_decay(
    encoder: nn.Module, exempt: set[str]
) -> None:
    net = network(encoder)
    assert exempt_from_decay(Adam(), net) == ALWAYS | exempt
    assert exempt_from_decay(Adam(decay="all"), net) == {"loss_function.weight"}
    decayed, free = build_optimizer(Adam(), net).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (1e-4, 0.0)
    assert len(decayed["params"]) + len(free["params"]) == len(list(net.parameters()))
    assert all(parameter.dim() > 1 for parameter in decayed["params"])


@pytest.mark.parametrize("name", ["aam", "asoftmax", "ge2e"])
def test_no_parameter_of_these_losses_decays(name: str) -> None:
    net = network(nn.Linear(4, 4))
    options = LOSSES[name]()
    module, _, kind = options.implementation.partition(":")
    net.loss_function = getattr(import_module(module), kind)(options, 4, 6)
    of_loss = {name for name, _ in net.named_parameters() if name.startswith("loss_function.")}
    assert of_loss and of_loss <= exempt_from_decay(Adam(), net)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_decay_moves_only_what_decays(name: str) -> None:
    net = network(nn.Linear(4, 4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1.0)
    optimizer = build_optimizer(OPTIMIZERS[name](weight_decay=0.1), net)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = {name for name, parameter in net.named_parameters() if not bool((parameter == 1.0).all())}
    assert moved == {"encoder.weight", "embedding.weight"}


def gradients(net: SpeakerNet, scale: float) -> None:
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, scale)


def norm_of(parameters: Any) -> float:
    return float(torch.cat([parameter.grad.flatten() for parameter in parameters]).norm())


def test_the_loss_has_a_limit_of_its_own() -> None:
    net = network(nn.Linear(4, 4))
    gradients(net, 1.0)
    whole = norm_of(net.parameters())
    assert float(clip_gradients(net, 1.0, 0.5)) == pytest.approx(whole)
    rest = [parameter for name, parameter in net.named_parameters() if not name.startswith("loss_function.")]
    # clip_grad_norm_ divides by the norm plus 1e-6
    assert norm_of(net.loss_function.parameters()) == pytest.approx(0.5, rel=1e-5)
    assert norm_of(rest) == pytest.approx(1.0, rel=1e-5)


def test_without_a_limit_of_its_own_the_loss_is_part_of_the_whole() -> None:
    net = network(nn.Linear(4, 4))
    gradients(net, 1.0)
    clip_gradients(net, 2.0, None)
    assert norm_of(net.parameters()) == pytest.approx(2.0, rel=1e-5)
    gradients(net, 1.0)
    clip_gradients(net, None, 0.5)
    assert float(net.embedding.weight.grad[0, 0]) == 1.0  # type: ignore[union-attr,index]


@pytest.mark.parametrize("part", ["embedding.weight", "loss_function.w"])
def test_a_gradient_that_is_not_finite_shows_in_the_norm(part: str) -> None:
    net = network(nn.Linear(4, 4))
    gradients(net, 1.0)
    net.get_parameter(part).grad.fill_(float("nan"))  # type: ignore[union-attr]
    assert not torch.isfinite(clip_gradients(net, 1.0, 0.5))


def test_a_loss_without_parameters_is_clipped_too() -> None:
    net = network(nn.Linear(4, 4))
    net.loss_function = nn.Identity()
    gradients(net, 1.0)
    assert torch.isfinite(clip_gradients(net, 1.0, 0.5))
