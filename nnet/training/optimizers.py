"""Optimizers by name, which parameters are kept from weight decay, and how gradients are limited.

`OPTIMIZERS` maps a name of the YAML's `optimizer:` section to the dataclass of its options. torch is imported when an
optimizer is built, so that a config can be read and checked without it.
The rate that an optimizer is built with is never used: the training loop sets it before each update (schedules.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, Protocol

from common.errors import InputError
from common.options import at_least, require

if TYPE_CHECKING:
    import torch

    from nnet.model import SpeakerNet

Decayed = Literal["weights", "all"]


class OptimizerOptions(Protocol):
    """Options of an optimizer, which builds itself from parameter groups."""

    @property
    def weight_decay(self) -> float:
        """Decay of the parameters that are not exempt."""

    @property
    def decay(self) -> Decayed:
        """What decays: "weights", the matrices and kernels alone, or "all", biases and the parameters of norms too."""

    @property
    def decay_exempt(self) -> tuple[str, ...]:
        """Patterns (`*`, `?`) of the names of parameters without decay."""

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """The optimizer over these groups."""


def _check_adam(betas: tuple[float, float], eps: float, weight_decay: float) -> None:
    require(all(0 <= beta < 1 for beta in betas), "betas", list(betas), "two numbers, 0 <= beta < 1")
    require(eps > 0, "eps", eps, "more than 0")
    at_least(0, weight_decay=weight_decay)


@dataclass(frozen=True)
class Adam:
    """Adam with L2 decay added to the gradient (coupled); `amsgrad` keeps the largest second moment.

    Source: Kingma and Ba 2015; Reddi et al. 2018 for AMSGrad.
    """

    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-9
    weight_decay: float = 1e-4
    amsgrad: bool = True
    decay: Decayed = "weights"
    decay_exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_adam(self.betas, self.eps, self.weight_decay)

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.Adam."""
        import torch

        return torch.optim.Adam(groups, lr=0.0, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad)


@dataclass(frozen=True)
class AdamW:
    """Adam with the decay applied to the weights themselves.

    Source: Loshchilov and Hutter 2019.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-2
    decay: Decayed = "weights"
    decay_exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_adam(self.betas, self.eps, self.weight_decay)

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.AdamW."""
        import torch

        return torch.optim.AdamW(groups, lr=0.0, betas=self.betas, eps=self.eps)


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent with momentum."""

    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    decay: Decayed = "weights"
    decay_exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(0 <= self.momentum < 1, "momentum", self.momentum, "0 <= momentum < 1")
        require(self.momentum > 0 or not self.nesterov, "nesterov", self.nesterov, "false where momentum is 0")
        at_least(0, weight_decay=self.weight_decay)

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.SGD."""
        import torch

        return torch.optim.SGD(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov)


OPTIMIZERS: dict[str, type[OptimizerOptions]] = {"adam": Adam, "adamw": AdamW, "sgd": Sgd}


def exempt_from_decay(options: OptimizerOptions, net: SpeakerNet) -> set[str]:
    """Names of the parameters that do not decay.

    Always those of which only the direction counts (the class weights of angular losses): decay would shrink their
    norm, and so change nothing but the effective angular rate. With `decay: weights` also each bias, scale and slope,
    which is what parameters of less than two dimensions are (a norm's weight, GE2E's w and b), and all of a norm's.
    Besides, those that match a pattern of `decay_exempt`.

    Raises:
        InputError: a pattern that matches none.
    """
    names = [name for name, _ in net.named_parameters()]
    exempt = set(net.scale_invariant_parameters())
    for pattern in options.decay_exempt:
        matched = {name for name in names if fnmatchcase(name, pattern)}
        if not matched:
            known = f"names are like {', '.join(names[:3])}"
            raise InputError(f"optimizer.decay_exempt: {pattern} matches no parameter; {known}")
        exempt |= matched
    if options.decay == "weights":
        exempt |= {name for name, parameter in net.named_parameters() if parameter.dim() < 2} | _norm_parameters(net)
    return exempt.intersection(names)


def _norm_parameters(net: SpeakerNet) -> set[str]:
    """Names of the parameters of normalisation layers."""
    from torch import nn
    from torch.nn.modules.batchnorm import _NormBase

    norms = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return {
        f"{path}.{name}"
        for path, module in net.named_modules()
        if isinstance(module, norms)
        for name, _ in module.named_parameters(recurse=False)
    }


def build_optimizer(options: OptimizerOptions, net: SpeakerNet) -> torch.optim.Optimizer:
    """An optimizer with a group that decays and one that does not; parameters that need no gradient are left out."""
    exempt = exempt_from_decay(options, net)
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    groups: list[dict[str, object]] = [
        {"params": [p for name, p in trained.items() if name not in exempt], "weight_decay": options.weight_decay},
        {"params": [p for name, p in trained.items() if name in exempt], "weight_decay": 0.0},
    ]
    return options.build([group for group in groups if group["params"]])


def clip_gradients(net: SpeakerNet, clip_norm: float | None, loss_clip_norm: float | None) -> torch.Tensor:
    """Scale the gradient down to a norm at most.

    Args:
        net: after the backward pass.
        clip_norm: of the whole gradient; of all but the loss's parameters where they have a limit of their own.
        loss_clip_norm: of the gradient of the loss's parameters (class weights, GE2E's w and b) where it is set.

    Returns:
        The norm of the whole gradient before, a scalar on its device; not finite where an element is not.
    """
    import torch
    from torch.nn.utils import clip_grad_norm_

    limit = clip_norm or float("inf")
    if loss_clip_norm is None:
        return clip_grad_norm_(net.parameters(), limit)
    of_loss = list(net.loss_function.parameters())
    in_loss = {id(parameter) for parameter in of_loss}
    others = [parameter for parameter in net.parameters() if id(parameter) not in in_loss]
    norms = [clip_grad_norm_(others, limit), clip_grad_norm_(of_loss, loss_clip_norm)]
    return torch.stack([norm.to(norms[0].device) for norm in norms]).norm()
