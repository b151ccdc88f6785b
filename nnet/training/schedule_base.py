"""The contract of a learning rate, and what several schedules share. No torch here."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from common.options import OptionSet

Eers = Mapping[int, float]  # held-out equal error rates so far: step of the validation -> share, in rising order
NO_EERS: Eers = MappingProxyType({})
SAME_EER = 1e-9  # error rates closer than this differ by rounding alone
LEAST_WARM_UP = 0.1  # share of a shortened run


OwnSchedule = TypeVar("OwnSchedule", bound="Schedule")


@dataclass(frozen=True)
class Schedule(OptionSet, ABC):
    """Options of a schedule together with its formula; a subclass is a line of `SCHEDULES`, and its `lr`."""

    @property
    def needs_eers(self) -> bool:
        """Whether the rate depends on held-out error rates, so that something must be held out."""
        return False

    @abstractmethod
    def lr(self, step: int, total_steps: int, eers: Eers = NO_EERS) -> float:
        """Learning rate of update `step`, 1 … `total_steps`, after validations that gave `eers`."""

    def shortened(self: OwnSchedule, before: int, now: int) -> OwnSchedule:
        """The same course of the rate in `now` steps in place of `before`: what counts in steps changes."""
        return self


def shorter_warm_up(warmup_steps: int, before: int, now: int, least: float = LEAST_WARM_UP) -> int:
    """Steps of the warm-up in a run of `now` steps in place of `before`: the same share of it, `least` at least."""
    return max(1, round(now * max(warmup_steps / before, least))) if warmup_steps else 0


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
