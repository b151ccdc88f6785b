"""Points of a detection error trade-off (DET) curve: thinned evenly as the normal-deviate axes show it.

Source: A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997: both error rates
on the scale of the inverse of the normal distribution, where Gaussian scores give straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.metrics import P_TARGETS, ErrorRates, eer_of_rates, min_dcf_of_rates

MAX_POINTS = 400
LOWEST_RATE, HIGHEST_RATE = 1e-5, 1.0 - 1e-5
"""An error rate of 0 or 1 is at infinity; it is drawn here, outside of the axes."""


@dataclass(frozen=True)
class OperatingPoint:
    """A marked point of a curve.

    Attributes:
        name: "EER", "minDCF(0.01)" …
        fpr: share of nontargets accepted.
        fnr: share of targets rejected.
    """

    name: str
    fpr: float
    fnr: float


@dataclass(frozen=True)
class DetCurve:
    """A curve and its marked points.

    Attributes:
        fpr: float64 (K,), K <= MAX_POINTS, falling.
        fnr: float64 (K,), rising.
        marked: EER, then minDCF by prior.
    """

    fpr: NDArray[np.float64]
    fnr: NDArray[np.float64]
    marked: tuple[OperatingPoint, ...]


def normal_deviate(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of the normal distribution's cumulative function; 0 and 1 are moved to a finite place."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rates, LOWEST_RATE, HIGHEST_RATE)), dtype=np.float64)


def det_curve(rates: ErrorRates) -> DetCurve:
    """The DET curve of the operating points `rates`.

    Args:
        rates: of every threshold.

    Returns:
        At most MAX_POINTS of the operating points: the first, the last, and those that are nearest to places which are
        evenly spaced along the drawn curve. No point is interpolated, except the marked EER.
    """
    x, y = normal_deviate(rates.fpr), normal_deviate(rates.fnr)
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.arange(len(way))
    if len(way) > MAX_POINTS:
        places = np.linspace(0.0, way[-1], MAX_POINTS)
        after = np.searchsorted(way, places).clip(1, len(way) - 1)
        kept = np.unique(np.where(places - way[after - 1] <= way[after] - places, after - 1, after))
    return DetCurve(rates.fpr[kept], rates.fnr[kept], marked_points(rates))


def marked_points(rates: ErrorRates) -> tuple[OperatingPoint, ...]:
    """The EER, and where each minDCF is reached."""
    equal = eer_of_rates(rates)
    points = [OperatingPoint("EER", equal, equal)]
    for p_target in P_TARGETS:
        _, threshold = min_dcf_of_rates(rates, p_target)
        at = int(np.searchsorted(rates.thresholds, threshold))
        points.append(OperatingPoint(f"minDCF({p_target:g})", float(rates.fpr[at]), float(rates.fnr[at])))
    return tuple(points)
