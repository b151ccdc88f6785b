"""Trials with random scores."""

from __future__ import annotations

import numpy as np


def speaker_trials(
    num_speakers: int, num_utts: int, seed: int, spread: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and speakers of all pairs of the utterances; `spread` makes speakers differ in difficulty."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), num_utts)
    first, second = np.triu_indices(len(speakers), k=1)
    enroll, test = speakers[first], speakers[second]
    is_target = enroll == test
    offset = spread * rng.normal(size=num_speakers)
    scores = rng.normal(size=len(first)) + 2.0 * is_target + offset[enroll] + offset[test]
    return scores, is_target, enroll, test
