"""Optimizers by name: their options. No torch here: ``nnet.config`` reads this.

`OPTIMIZERS` maps a name of the YAML's `optimizer:` section to the dataclass of its options; torch is imported when an
optimizer is built. The rate that it is built with is never used: the training loop sets it before each update
(schedules.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from common.options import OptionSet, option, require

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(OptionSet, ABC):
    """Options of an optimizer, which builds itself from parameter groups."""

    weight_decay: float = option(1e-4, "decay of the parameters that are not exempt", least=0)
    decay: Literal["weights", "all"] = option(
        "weights", "what decays: matrices and kernels alone, or all, biases and norms too"
    )
    decay_exempt: tuple[str, ...] = option((), "patterns (*, ?) of the names of parameters without decay")

    @abstractmethod
    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """The optimizer over these groups."""


@dataclass(frozen=True)
class AdamOptions(OptimizerOptions):
    """Of Adam and its relatives."""

    betas: tuple[float, float] = option((0.9, 0.98), "decay of the two running moments", least=0, below=1)
    eps: float = option(1e-9, "added to the root of the second moment", above=0)


@dataclass(frozen=True)
class Adam(AdamOptions):
    """Adam with L2 decay added to the gradient (coupled).

    Source: Kingma and Ba 2015; Reddi et al. 2018 for AMSGrad.
    """

    amsgrad: bool = option(True, "whether the largest second moment is kept")

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.Adam."""
        import torch

        return torch.optim.Adam(groups, lr=0.0, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad)


@dataclass(frozen=True)
class AdamW(AdamOptions):
    """Adam with the decay applied to the weights themselves.

    Source: Loshchilov and Hutter 2019.
    """

    betas: tuple[float, float] = option((0.9, 0.999), "decay of the two running moments", least=0, below=1)
    eps: float = option(1e-8, "added to the root of the second moment", above=0)
    weight_decay: float = option(1e-2, "decay of the parameters that are not exempt", least=0)

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.AdamW."""
        import torch

        return torch.optim.AdamW(groups, lr=0.0, betas=self.betas, eps=self.eps)


@dataclass(frozen=True)
class Sgd(OptimizerOptions):
    """Stochastic gradient descent with momentum."""

    momentum: float = option(0.9, "share of the last update that is kept", least=0, below=1)
    nesterov: bool = option(True, "whether the gradient is taken after the momentum's step")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.momentum > 0 or not self.nesterov, "nesterov", self.nesterov, "false where momentum is 0")

    def build(self, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        """torch.optim.SGD."""
        import torch

        return torch.optim.SGD(groups, lr=0.0, momentum=self.momentum, nesterov=self.nesterov)


OPTIMIZERS: dict[str, type[OptimizerOptions]] = {"adam": Adam, "adamw": AdamW, "sgd": Sgd}
