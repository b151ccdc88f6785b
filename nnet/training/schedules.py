"""Learning rates as pure functions of the step and of the held-out error rates before it.

So a resumed run has the rates of an uninterrupted one: the checkpoint keeps the step and these error rates.
Steps count from 1: step n is the n-th update, and the rate is set before it. (Set after it, the first update would run
with the optimizer's own default, thousands of times Noam's first rate.)
`SCHEDULES` maps a name of the YAML's `schedule:` section to the dataclass of its options; nothing here needs torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from common.options import option, require
from nnet.training.schedule_base import LEAST_WARM_UP, NO_EERS, Eers, Schedule, shorter_warm_up, stale_steps

SHORT_WARM_UP = 0.4  # share of a shortened run of Noam, if its warm-up was a small share of the long one


def _cosine(start: float, end: float, done: float) -> float:
    """Half a cosine from `start` (done = 0) to `end` (done = 1)."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at each step."""

    peak_lr: float = option(1e-3, "the rate of each step", above=0)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """The rate of each step."""
        return self.peak_lr


@dataclass(frozen=True)
class Noam(Schedule):
    """Linear warm-up, then decay with the inverse square root of the step.

    If the held-out error rate has not fallen for `speed_up_after` validations, the schedule's clock runs at twice its
    speed from then on, and the count starts again.
    Source: Vaswani et al. 2017, "Attention is all you need", section 5.3, times `factor`. The faster clock is that of
    the LDE systems, which took the accuracy on known speakers after each epoch, and doubled after three.
    """

    d_model: int = option(64, "width that scales the rate, by its power of -0.5", above=0)
    warmup_steps: int = option(8000, "steps of the linear warm-up", above=0)
    factor: float = option(1.0, "by which the rate is multiplied", above=0)
    speed_up_after: int | None = option(
        None, "validations without a lower error rate after which the clock doubles its speed; null: never", least=1
    )

    @property
    def needs_eers(self) -> bool:
        """Only if the clock may change."""
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
        return min(step + added, 2**1000)  # a greater integer has no float

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """factor · d_model^-0.5 · min(n^-0.5, n · warmup^-1.5)."""
        n = self.clock(step, eers)
        return self.factor * self.d_model**-0.5 * min(n**-0.5, n * self.warmup_steps**-1.5)

    def shortened(self, before: int, now: int) -> Noam:
        """The warm-up is shortened; the peak, factor · (d_model · warm-up)^-0.5, stays, to four digits of `factor`.

        From the peak the rate falls with the root of the step, so that a short warm-up of a short run leaves a low rate
        for most of it: in 400 steps a warm-up of 160 did better than one of 40 (docs/results.md).
        """
        brief = self.warmup_steps < LEAST_WARM_UP * before
        warm = shorter_warm_up(self.warmup_steps, before, now, SHORT_WARM_UP if brief else LEAST_WARM_UP)
        factor = self.factor * (warm / self.warmup_steps) ** 0.5
        return replace(self, warmup_steps=warm, factor=float(f"{factor:.4g}"))


@dataclass(frozen=True)
class ModifiedNoam(Schedule):
    """From `peak_lr` down with the inverse square root of the step, without a warm-up.

    Source: the published GE2E transformer's schedule (peak 2e-3, base 4000).
    """

    peak_lr: float = option(1e-3, "the highest rate", above=0)
    base_steps: int = option(4000, "steps over which the rate begins to fall", least=1)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · (base / (n + base))^0.5."""
        return self.peak_lr * (self.base_steps / (step + self.base_steps)) ** 0.5

    def shortened(self, before: int, now: int) -> ModifiedNoam:
        """The base is shortened."""
        return replace(self, base_steps=max(1, round(self.base_steps * now / before)))


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up by half a cosine from peak / start_div in the first `warmup_share` of the run, then down to peak / end_div.

    Source: Smith and Topin 2018, "Super-convergence", with cosine flanks.
    """

    peak_lr: float = option(1e-3, "the highest rate", above=0)
    warmup_share: float = option(0.3, "share of the run in which the rate rises", least=0, below=1)
    start_div: float = option(25.0, "the first rate is peak_lr / start_div", least=1)
    end_div: float = option(1e4, "the last rate is peak_lr / end_div", least=1)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Peak at step round(warmup_share · total_steps), the lowest rate at the last step."""
        top = max(1, round(self.warmup_share * total_steps))
        if step < top:
            return _cosine(self.peak_lr / self.start_div, self.peak_lr, (step - 1) / (top - 1))
        return _cosine(self.peak_lr, self.peak_lr / self.end_div, min(1.0, (step - top) / max(1, total_steps - top)))


@dataclass(frozen=True)
class LinearOneCycle(Schedule):
    """Straight up from `start_lr` to `peak_lr` in the first `warmup_share` of the run, then straight down to `end_lr`.

    Update n runs at place n - 1 of the line over `total_steps`; the end itself would be the rate of one more update.
    Source: the published ConvGRU's schedule, with its rates.
    """

    start_lr: float = option(1e-6, "rate of the first step", above=0)
    peak_lr: float = option(5e-5, "the highest rate", above=0)
    end_lr: float = option(3e-7, "rate at the end of the run", above=0)
    warmup_share: float = option(0.15, "share of the run in which the rate rises", least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.start_lr <= self.peak_lr, "start_lr", self.start_lr, "at most peak_lr")
        require(self.end_lr <= self.peak_lr, "end_lr", self.end_lr, "at most peak_lr")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Peak at place warmup_share · total_steps."""
        place, top = step - 1, self.warmup_share * total_steps
        if place < top:
            return self.start_lr + (self.peak_lr - self.start_lr) * place / top
        return self.peak_lr + (self.end_lr - self.peak_lr) * min(1.0, (place - top) / (total_steps - top))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Linear warm-up to `peak_lr` at step `warmup_steps`, then half a cosine down to `final_lr` at the last step.

    Source: Loshchilov and Hutter 2017, "SGDR", one period, with a warm-up.
    """

    peak_lr: float = option(1e-3, "the highest rate", above=0)
    warmup_steps: int = option(0, "steps of the linear warm-up", least=0)
    final_lr: float = option(0.0, "rate of the last step", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "at most peak_lr")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · n / warmup, then the cosine."""
        if step <= self.warmup_steps:
            return self.peak_lr * step / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        return _cosine(self.peak_lr, self.final_lr, min(1.0, done))

    def shortened(self, before: int, now: int) -> Cosine:
        """The warm-up is shortened."""
        return replace(self, warmup_steps=shorter_warm_up(self.warmup_steps, before, now))


@dataclass(frozen=True)
class Stepwise(Schedule):
    """`peak_lr`, times `gamma` after each `every` steps."""

    peak_lr: float = option(1e-3, "rate of the first steps", above=0)
    every: int = option(10000, "steps between two falls of the rate", above=0)
    gamma: float = option(0.5, "by which the rate is multiplied at each fall", above=0, most=1)

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Steps 1 … every have the peak rate, every + 1 … 2·every the next lower."""
        return self.peak_lr * self.gamma ** ((step - 1) // self.every)

    def shortened(self, before: int, now: int) -> Stepwise:
        """The rate falls as often."""
        return replace(self, every=max(1, round(self.every * now / before)))


@dataclass(frozen=True)
class Exponential(Schedule):
    """From `peak_lr` at the first step to `final_lr` at the last one by a constant factor, with a linear warm-up."""

    peak_lr: float = option(1e-3, "the highest rate", above=0)
    final_lr: float = option(1e-5, "rate of the last step", above=0)
    warmup_steps: int = option(0, "steps of the linear warm-up", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "at most peak_lr")

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · (final / peak)^((n - 1) / (total - 1)), times n / warmup while warming up."""
        done = min(1.0, (step - 1) / max(1, total_steps - 1))
        warm = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.peak_lr * (self.final_lr / self.peak_lr) ** done

    def shortened(self, before: int, now: int) -> Exponential:
        """The warm-up is shortened."""
        return replace(self, warmup_steps=shorter_warm_up(self.warmup_steps, before, now))


@dataclass(frozen=True)
class Plateau(Schedule):
    """`peak_lr`, times `gamma` each time the held-out error rate has not fallen for `patience` validations.

    The count starts again with each fall of the rate; the lowest error rate stays the one to beat. Not below
    `final_lr`; with a linear warm-up.
    """

    peak_lr: float = option(1e-3, "the highest rate", above=0)
    gamma: float = option(0.5, "by which the rate is multiplied at each fall", above=0, below=1)
    patience: int = option(3, "validations without a lower error rate after which the rate falls", least=1)
    final_lr: float = option(0.0, "the least rate", least=0)
    warmup_steps: int = option(0, "steps of the linear warm-up", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.final_lr <= self.peak_lr, "final_lr", self.final_lr, "at most peak_lr")

    @property
    def needs_eers(self) -> bool:
        """Always."""
        return True

    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """peak · gamma^(times that the patience ended before the step), times n / warmup while warming up."""
        warm = min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0
        falls = len(stale_steps(eers, step, self.patience))
        return warm * max(self.final_lr, self.peak_lr * self.gamma**falls)

    def shortened(self, before: int, now: int) -> Plateau:
        """The warm-up is shortened."""
        return replace(self, warmup_steps=shorter_warm_up(self.warmup_steps, before, now))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "exponential": Exponential,
    "linear_one_cycle": LinearOneCycle,
    "modified_noam": ModifiedNoam,
    "noam": Noam,
    "one_cycle": OneCycle,
    "plateau": Plateau,
    "step": Stepwise,
}
