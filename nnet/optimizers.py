"""Optimizers by name, and which parameters are kept from weight decay.

`OPTIMIZERS` maps a name of the YAML's `optimizer:` section to the dataclass of its options. torch is imported when an
optimizer is built, so that a config can be read and checked without it.
The rate that an optimizer is built with is never used: the training loop sets it before each update (schedules.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from nnet.options import at_least, require

if TYPE_CHECKING:
    import torch

    from nnet.model import SpeakerNet

class OptimizerOptions(Protocol):
    """Options of an optimizer, which builds itself from parameter groups."""

    @property
    def weight_decay(self) -> float:
        """Decay of the parameters that are not exempt."""

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


def build_optimizer(options: OptimizerOptions, net: SpeakerNet) -> torch.optim.Optimizer:
    """An optimizer with a group that decays and one that does not; parameters that need no gradient are left out.

    Of some weights only the direction counts (the class weights of angular losses). Decay would shrink their norm, and
    so change nothing but the effective angular rate: they are always exempt, besides those that the options name.
    """
    invariant = net.scale_invariant_parameters()
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    exempt = {
        name for name in trained if name in invariant or any(fnmatchcase(name, each) for each in options.decay_exempt)
    }
    groups: list[dict[str, object]] = [
        {"params": [p for name, p in trained.items() if name not in exempt], "weight_decay": options.weight_decay},
        {"params": [p for name, p in trained.items() if name in exempt], "weight_decay": 0.0},
    ]
    return options.build([group for group in groups if group["params"]])
