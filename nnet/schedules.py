"""Learning rates as pure functions of the step, so that a resumed run has the rate of an uninterrupted one.

Steps count from 1: step n is the n-th update, and the rate is set before it. (Set after it, the first update would run
with the optimizer's own default, thousands of times Noam's first rate.)
`SCHEDULES` maps a name of the YAML's `schedule:` section to the dataclass of its options; nothing here needs torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from nnet.options import require


class Schedule(Protocol):
    """Options of a schedule together with its formula."""

    def lr(self, step: int, total_steps: int) -> float:
        """Learning rate of update `step`, 1 … `total_steps`."""


def _cosine(start: float, end: float, done: float) -> float:
    """Half a cosine from `start` (done = 0) to `end` (done = 1)."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Constant:
    """The same rate at each step."""

    peak_lr: float = 1e-3

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")

    def lr(self, step: int, total_steps: int) -> float:
        """The rate of each step."""
        return self.peak_lr


@dataclass(frozen=True)
class Noam:
    """Linear warm-up, then decay with the inverse square root of the step.

    Source: Vaswani et al. 2017, "Attention is all you need", section 5.3, times `factor`.
    """

    d_model: int = 64
    warmup_steps: int = 8000
    factor: float = 1.0

    def __post_init__(self) -> None:
        require(self.d_model > 0, "d_model", self.d_model, "more than 0")
        require(self.warmup_steps > 0, "warmup_steps", self.warmup_steps, "more than 0")
        require(self.factor > 0, "factor", self.factor, "more than 0")

    def lr(self, step: int, total_steps: int) -> float:
        """factor · d_model^-0.5 · min(n^-0.5, n · warmup^-1.5)."""
        return self.factor * self.d_model**-0.5 * min(step**-0.5, step * self.warmup_steps**-1.5)


@dataclass(frozen=True)
class OneCycle:
    """Up by half a cosine from peak / start_div in the first `warmup_share` of the run, then down to peak / end_div.

    Source: Smith and Topin 2018, "Super-convergence", with cosine flanks.
    """

    peak_lr: float = 1e-3
    warmup_share: float = 0.3
    start_div: float = 25.0
    end_div: float = 1e4

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(0 <= self.warmup_share < 1, "warmup_share", self.warmup_share, "0 <= share < 1")
        require(self.start_div >= 1, "start_div", self.start_div, "1 or more")
        require(self.end_div >= 1, "end_div", self.end_div, "1 or more")

    def lr(self, step: int, total_steps: int) -> float:
        """Peak at step round(warmup_share · total_steps), the lowest rate at the last step."""
        top = max(1, round(self.warmup_share * total_steps))
        if step < top:
            return _cosine(self.peak_lr / self.start_div, self.peak_lr, (step - 1) / (top - 1))
        return _cosine(self.peak_lr, self.peak_lr / self.end_div, min(1.0, (step - top) / max(1, total_steps - top)))


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up to `peak_lr` at step `warmup_steps`, then half a cosine down to `final_lr` at the last step.

    Source: Loshchilov and Hutter 2017, "SGDR", one period, with a warm-up.
    """

    peak_lr: float = 1e-3
    warmup_steps: int = 0
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(self.warmup_steps >= 0, "warmup_steps", self.warmup_steps, "0 or more")
        require(0 <= self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "from 0 to peak_lr")

    def lr(self, step: int, total_steps: int) -> float:
        """peak · n / warmup, then the cosine."""
        if step <= self.warmup_steps:
            return self.peak_lr * step / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        return _cosine(self.peak_lr, self.final_lr, min(1.0, done))


@dataclass(frozen=True)
class Step:
    """`peak_lr`, times `gamma` after each `every` steps."""

    peak_lr: float = 1e-3
    every: int = 10000
    gamma: float = 0.5

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(self.every > 0, "every", self.every, "more than 0")
        require(0 < self.gamma <= 1, "gamma", self.gamma, "0 < gamma <= 1")

    def lr(self, step: int, total_steps: int) -> float:
        """Steps 1 … every have the peak rate, every + 1 … 2·every the next lower."""
        return self.peak_lr * self.gamma ** ((step - 1) // self.every)


@dataclass(frozen=True)
class Exponential:
    """From `peak_lr` at the first step to `final_lr` at the last one by a constant factor, with a linear warm-up."""

    peak_lr: float = 1e-3
    final_lr: float = 1e-5
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(0 < self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "more than 0, at most peak_lr")
        require(self.warmup_steps >= 0, "warmup_steps", self.warmup_steps, "0 or more")

    def lr(self, step: int, total_steps: int) -> float:
        """peak · (final / peak)^((n - 1) / (total - 1)), times n / warmup while warming up."""
        done = min(1.0, (step - 1) / max(1, total_steps - 1))
        warm = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.peak_lr * (self.final_lr / self.peak_lr) ** done


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "exponential": Exponential,
    "noam": Noam,
    "one_cycle": OneCycle,
    "step": Step,
}
