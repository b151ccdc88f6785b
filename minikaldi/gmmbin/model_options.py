"""Options that several commands of gmmbin and fgmmbin have."""

from __future__ import annotations

from dataclasses import dataclass

from common.options import option
from minikaldi.gmm.low_counts import CountLimits
from minikaldi.options import CommandOptions


@dataclass
class BinaryOptions(CommandOptions):
    """How a model or statistics are written."""

    binary: bool = option(True, "Write output in binary mode")


@dataclass
class AccStatsOptions(BinaryOptions):
    """Options of gmm-global-acc-stats and fgmm-global-acc-stats."""

    gselect: str = option("", "rspecifier of the Gaussians that are used for each frame; empty: all")
    update_flags: str = option("mvw", "Which parameters will be updated: subset of mvw")
    weights: str = option("", "rspecifier of a vector of weights for each utterance, one per frame; empty: 1")


@dataclass
class CountOptions(BinaryOptions):
    """When a Gaussian has too few frames to be updated."""

    min_gaussian_weight: float = option(1e-5, "Least weight of a Gaussian that is updated, and not removed")
    min_gaussian_occupancy: float = option(10.0, "Least number of frames of a Gaussian that is updated, not removed")
    remove_low_count_gaussians: bool = option(True, "If true, remove Gaussians that fall below these floors")

    def limits(self) -> CountLimits:
        """The three as one."""
        return CountLimits(self.min_gaussian_weight, self.min_gaussian_occupancy, self.remove_low_count_gaussians)


@dataclass
class EstOptions(CountOptions):
    """Options of gmm-global-est and fgmm-global-est."""

    mix_up: int = option(0, "Increase the number of Gaussians to this; 0: leave it as it is")
    perturb_factor: float = option(0.01, "While mixing up, perturb means by this many standard deviations")
    update_flags: str = option("mvw", "Which parameters will be updated: subset of mvw")
