"""Learning rates as pure functions of the step and of the held-out error rates before it.

So a resumed run has the rates of an uninterrupted one: the checkpoint keeps the step and these error rates.
Steps count from 1: step n is the n-th update, and the rate is set before it. (Set after it, the first update would run
with the optimizer's own default, thousands of times Noam's first rate.)
`SCHEDULES` maps a name of the YAML's `schedule:` section to the dataclass of its options; nothing here needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

from common.options import at_least, require

Eers = Mapping[int, float]  # held-out equal error rates so far: step of the validation -> share, in rising order
NO_EERS: Eers = MappingProxyType({})
SAME_EER = 1e-9  # error rates closer than this differ by rounding alone


class Schedule(Protocol):
    """Options of a schedule together with its formula."""

    @property
    def needs_eers(self) -> bool:
        """Whether the rate depends on held-out error rates, so that something must be held out."""

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Learning rate of update `step`, 1 … `total_steps`, where validations before it gave `eers`."""


def stale_steps(eers: Eers, step: int, patience: int) -> list[int]:
    """Validations before `step` that were the last of `patience` without a lower error rate; each is counted once.

    Args:
        eers: the held-out error rates; those of `step` and later are not looked at.
        step: the update that is asked for.
        patience: validations in a row, 1 or more.

    Returns:
        The steps of these validations.
    """
    lowest, waited, stale = math.inf, 0, []
    for at, eer in eers.items():
        if at >= step:
            break
        waited = 0 if eer < lowest - SAME_EER else waited + 1
        lowest = min(lowest, eer)
        if waited == patience:
            stale.append(at)
            waited = 0
    return stale


def _cosine(start: float, end: float, done: float) -> float:
    """Half a cosine from `start` (done = 0) to `end` (done = 1)."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Constant:
    """The same rate at each step."""

    peak_lr: float = 1e-3
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """The rate of each step."""
        return self.peak_lr


@dataclass(frozen=True)
class Noam:
    """Linear warm-up, then decay with the inverse square root of the step.

    speed_up_after: where the held-out error rate has not fallen for so many validations, the schedule's clock runs at
    twice its speed from then on, and the count begins anew; null: always at the same speed.
    Source: Vaswani et al. 2017, "Attention is all you need", section 5.3, times `factor`. The faster clock is that of
    the LDE systems, which asked for the accuracy on known speakers after each epoch, and doubled after three.
    """

    d_model: int = 64
    warmup_steps: int = 8000
    factor: float = 1.0
    speed_up_after: int | None = None

    def __post_init__(self) -> None:
        require(self.d_model > 0, "d_model", self.d_model, "more than 0")
        require(self.warmup_steps > 0, "warmup_steps", self.warmup_steps, "more than 0")
        require(self.factor > 0, "factor", self.factor, "more than 0")
        at_least(1, speed_up_after=self.speed_up_after)

    @property
    def needs_eers(self) -> bool:
        """Only where the clock may change."""
        return self.speed_up_after is not None

    def clock(self, step: int, eers: Eers) -> int:
        """n: the step itself until the clock first speeds up.

        n grows after each update by 2^k, k the number of doublings before it, so doubling i, at step v, adds 2^(i - 1)
        for each later update before `step`.
        """
        if self.speed_up_after is None:
            return step
        doublings = stale_steps(eers, step, self.speed_up_after)
        added = sum(2**number * (step - 1 - at) for number, at in enumerate(doublings))
        return min(step + added, 2**1000)  # a greater whole number is no float

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """factor · d_model^-0.5 · min(n^-0.5, n · warmup^-1.5)."""
        n = self.clock(step, eers)
        return self.factor * self.d_model**-0.5 * min(n**-0.5, n * self.warmup_steps**-1.5)


@dataclass(frozen=True)
class ModifiedNoam:
    """From `peak_lr` down with the inverse square root of the step, without a warm-up.

    Source: the published GE2E transformer's schedule (peak 2e-3, base 4000).
    """

    peak_lr: float = 1e-3
    base_steps: int = 4000
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        at_least(1, base_steps=self.base_steps)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · (base / (n + base))^0.5."""
        return self.peak_lr * (self.base_steps / (step + self.base_steps)) ** 0.5


@dataclass(frozen=True)
class OneCycle:
    """Up by half a cosine from peak / start_div in the first `warmup_share` of the run, then down to peak / end_div.

    Source: Smith and Topin 2018, "Super-convergence", with cosine flanks.
    """

    peak_lr: float = 1e-3
    warmup_share: float = 0.3
    start_div: float = 25.0
    end_div: float = 1e4
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(0 <= self.warmup_share < 1, "warmup_share", self.warmup_share, "0 <= share < 1")
        require(self.start_div >= 1, "start_div", self.start_div, "1 or more")
        require(self.end_div >= 1, "end_div", self.end_div, "1 or more")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Peak at step round(warmup_share · total_steps), the lowest rate at the last step."""
        top = max(1, round(self.warmup_share * total_steps))
        if step < top:
            return _cosine(self.peak_lr / self.start_div, self.peak_lr, (step - 1) / (top - 1))
        return _cosine(self.peak_lr, self.peak_lr / self.end_div, min(1.0, (step - top) / max(1, total_steps - top)))


@dataclass(frozen=True)
class LinearOneCycle:
    """Straight up from `start_lr` to `peak_lr` in the first `warmup_share` of the run, then straight down to `end_lr`.

    Update n runs at place n - 1 of the line over `total_steps`; the end itself would be the rate of one more update.
    Source: the published ConvGRU's schedule, with its rates.
    """

    start_lr: float = 1e-6
    peak_lr: float = 5e-5
    end_lr: float = 3e-7
    warmup_share: float = 0.15
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(0 < self.start_lr <= self.peak_lr, "start_lr", self.start_lr, "more than 0, at most peak_lr")
        require(0 < self.end_lr <= self.peak_lr, "end_lr", self.end_lr, "more than 0, at most peak_lr")
        require(0 <= self.warmup_share < 1, "warmup_share", self.warmup_share, "0 <= share < 1")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Peak at place warmup_share · total_steps."""
        place, top = step - 1, self.warmup_share * total_steps
        if place < top:
            return self.start_lr + (self.peak_lr - self.start_lr) * place / top
        return self.peak_lr + (self.end_lr - self.peak_lr) * min(1.0, (place - top) / (total_steps - top))


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up to `peak_lr` at step `warmup_steps`, then half a cosine down to `final_lr` at the last step.

    Source: Loshchilov and Hutter 2017, "SGDR", one period, with a warm-up.
    """

    peak_lr: float = 1e-3
    warmup_steps: int = 0
    final_lr: float = 0.0
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(self.warmup_steps >= 0, "warmup_steps", self.warmup_steps, "0 or more")
        require(0 <= self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "from 0 to peak_lr")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
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
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(self.every > 0, "every", self.every, "more than 0")
        require(0 < self.gamma <= 1, "gamma", self.gamma, "0 < gamma <= 1")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Steps 1 … every have the peak rate, every + 1 … 2·every the next lower."""
        return self.peak_lr * self.gamma ** ((step - 1) // self.every)


@dataclass(frozen=True)
class Exponential:
    """From `peak_lr` at the first step to `final_lr` at the last one by a constant factor, with a linear warm-up."""

    peak_lr: float = 1e-3
    final_lr: float = 1e-5
    warmup_steps: int = 0
    needs_eers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(0 < self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "more than 0, at most peak_lr")
        require(self.warmup_steps >= 0, "warmup_steps", self.warmup_steps, "0 or more")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · (final / peak)^((n - 1) / (total - 1)), times n / warmup while warming up."""
        done = min(1.0, (step - 1) / max(1, total_steps - 1))
        warm = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.peak_lr * (self.final_lr / self.peak_lr) ** done


@dataclass(frozen=True)
class Plateau:
    """`peak_lr`, times `gamma` each time the held-out error rate has not fallen for `patience` validations.

    The count begins anew with each fall of the rate; the lowest error rate stays the one to beat. Not below
    `final_lr`; with a linear warm-up.
    """

    peak_lr: float = 1e-3
    gamma: float = 0.5
    patience: int = 3
    final_lr: float = 0.0
    warmup_steps: int = 0
    needs_eers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.peak_lr > 0, "peak_lr", self.peak_lr, "more than 0")
        require(0 < self.gamma < 1, "gamma", self.gamma, "0 < gamma < 1")
        require(0 <= self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "from 0 to peak_lr")
        at_least(1, patience=self.patience)
        at_least(0, warmup_steps=self.warmup_steps)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · gamma^(times that the patience ended before the step), times n / warmup while warming up."""
        warm = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        falls = len(stale_steps(eers, step, self.patience))
        return warm * max(self.final_lr, self.peak_lr * self.gamma**falls)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "exponential": Exponential,
    "linear_one_cycle": LinearOneCycle,
    "modified_noam": ModifiedNoam,
    "noam": Noam,
    "one_cycle": OneCycle,
    "plateau": Plateau,
    "step": Step,
}
