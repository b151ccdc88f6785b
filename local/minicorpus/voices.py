"""The fixed traits of a speaker, and their drift from one session to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from local.minicorpus.config import DriftOptions, SpeakerOptions
from local.minicorpus.phones import CONSONANTS, PHONES, VOWELS

NUM_FORMANTS = 5
FOURTH_FORMANT_HZ = 3500.0
FIFTH_FORMANT_HZ = 4400.0
HIGH_FORMANT_SPREAD = 0.04      # log; the fourth and fifth formants hardly depend on the phone


@dataclass(frozen=True)
class Speaker:
    """Traits that stay with a speaker.

    Attributes:
        gender: `m` or `f`.
        f0: median fundamental frequency in Hz.
        f0_range: its range within an utterance, log.
        tract_scale: factor of the formants, relative to the adult male of phones.py.
        formant_scale: factor of each formant, (5,).
        phone_formants: phone -> factors of its formants, (3,).
        high_formants: fourth and fifth formant in Hz, (2,).
        bandwidth: factor of the bandwidths.
        tilt: pole of the glottal low pass.
        open_quotient: open share of the glottal period.
        breath: amplitude of the breath noise.
        jitter: relative variation of the period.
        shimmer: relative variation of the amplitude.
        rate: factor of the speaking rate.
        frication: factor of the centre of the frication noise.
        vowel_weights: probabilities in the order of phones.py.
        consonant_weights: probabilities in the order of phones.py.
    """

    gender: str
    f0: float
    f0_range: float
    tract_scale: float
    formant_scale: np.ndarray
    phone_formants: dict[str, np.ndarray]
    high_formants: np.ndarray
    bandwidth: float
    tilt: float
    open_quotient: float
    breath: float
    jitter: float
    shimmer: float
    rate: float
    frication: float
    vowel_weights: np.ndarray
    consonant_weights: np.ndarray


@dataclass(frozen=True)
class Drift:
    """A speaker's changes in a session.

    Attributes:
        rate: factor of the speaking rate.
        f0: factor of the fundamental frequency.
        formants: factors of F1 to F3, (3,).
        tilt: offset of the glottal pole.
    """

    rate: float
    f0: float
    formants: np.ndarray
    tilt: float

    def with_f0(self, factor: float) -> Drift:
        """The same session with the fundamental frequency multiplied by a factor."""
        return replace(self, f0=self.f0 * factor)


def draw_speaker(rng: np.random.Generator, gender: str, options: SpeakerOptions) -> Speaker:
    """Draw the traits of one speaker.

    Args:
        rng: the speaker's own generator.
        gender: `m` or `f`; sets the median F0 and the length of the vocal tract.
        options: the spread of each trait.
    """
    tract_scale = math.exp(rng.normal(options.tract_scale_female if gender == "f" else 0.0, options.tract_scale))
    high = np.array([FOURTH_FORMANT_HZ, FIFTH_FORMANT_HZ]) * tract_scale
    return Speaker(
        gender=gender,
        f0=options.f0_hz[gender] * math.exp(rng.normal(0, options.f0)),
        f0_range=rng.uniform(*options.f0_range),
        tract_scale=tract_scale,
        formant_scale=np.exp(rng.normal(0, options.formant_scale, NUM_FORMANTS)),
        phone_formants={phone: np.exp(rng.normal(0, options.phone_formants, 3)) for phone in PHONES},
        high_formants=high * np.exp(rng.normal(0, HIGH_FORMANT_SPREAD, 2)),
        bandwidth=math.exp(rng.normal(0, options.bandwidth)),
        tilt=float(np.clip(rng.normal(*options.tilt), 0.0, 0.95)),
        open_quotient=float(np.clip(rng.normal(*options.open_quotient), 0.35, 0.85)),
        breath=options.breath[0] * math.exp(rng.normal(0, options.breath[1])),
        jitter=options.jitter[0] * math.exp(rng.normal(0, options.jitter[1])),
        shimmer=rng.uniform(*options.shimmer),
        rate=math.exp(rng.normal(0, options.rate)),
        frication=math.exp(rng.normal(0, options.frication)),
        vowel_weights=rng.dirichlet(np.full(len(VOWELS), options.phone_preference)),
        consonant_weights=rng.dirichlet(np.full(len(CONSONANTS), options.phone_preference)),
    )


def draw_drift(rng: np.random.Generator, options: DriftOptions) -> Drift:
    """Draw a speaker's changes in one session."""
    return Drift(
        rate=math.exp(rng.normal(0, options.rate)),
        f0=math.exp(rng.normal(0, options.f0)),
        formants=np.exp(rng.normal(0, options.formants, 3)),
        tilt=rng.normal(0, options.tilt),
    )


NO_DRIFT = Drift(rate=1.0, f0=1.0, formants=np.ones(3), tilt=0.0)
