"""The phones of the synthetic speakers: textbook formants of an adult male tract, and the noise of obstruents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phone:
    """Targets of one phone.

    Attributes:
        formants: F1, F2, F3 in Hz.
        voicing: amplitude of the glottal source.
        frication: amplitude of the noise source.
        noise_centre: centre of the frication noise in Hz.
        noise_bandwidth: its bandwidth in Hz.
        seconds: mean duration.
        closure: whether a silent hold comes first, as in stops.
    """

    formants: tuple[float, float, float]
    voicing: float
    frication: float
    noise_centre: float
    noise_bandwidth: float
    seconds: float
    closure: bool = False


def _vowel(f1: float, f2: float, f3: float) -> Phone:
    return Phone((f1, f2, f3), 1.0, 0.0, 0.0, 0.0, 0.110)


def _sonorant(f1: float, f2: float, f3: float, voicing: float, seconds: float) -> Phone:
    return Phone((f1, f2, f3), voicing, 0.0, 0.0, 0.0, seconds)


VOWELS: dict[str, Phone] = {
    "i": _vowel(280, 2250, 2900),
    "I": _vowel(400, 1950, 2550),
    "e": _vowel(450, 2050, 2550),
    "E": _vowel(550, 1800, 2480),
    "a": _vowel(750, 1300, 2500),
    "A": _vowel(710, 1100, 2450),
    "o": _vowel(480, 880, 2450),
    "O": _vowel(590, 900, 2450),
    "u": _vowel(310, 870, 2250),
    "U": _vowel(450, 1050, 2250),
    "@": _vowel(500, 1450, 2450),
    "y": _vowel(280, 1800, 2150),
    "3": _vowel(480, 1350, 1700),
    "2": _vowel(400, 1550, 2300),
}

CONSONANTS: dict[str, Phone] = {
    "m": _sonorant(250, 1100, 2300, 0.35, 0.070),
    "n": _sonorant(250, 1600, 2600, 0.35, 0.065),
    "N": _sonorant(250, 2000, 2700, 0.35, 0.070),
    "l": _sonorant(360, 1100, 2700, 0.6, 0.060),
    "r": _sonorant(380, 1200, 1600, 0.6, 0.055),
    "w": _sonorant(300, 700, 2300, 0.6, 0.055),
    "j": _sonorant(270, 2200, 3000, 0.6, 0.055),
    "s": Phone((320, 1600, 2600), 0.0, 0.35, 5800, 2200, 0.095),
    "S": Phone((320, 1800, 2500), 0.0, 0.40, 3200, 1500, 0.095),
    "f": Phone((340, 1100, 2200), 0.0, 0.12, 4500, 5000, 0.085),
    "x": Phone((320, 1600, 2300), 0.0, 0.20, 1900, 1200, 0.080),
    "h": Phone((500, 1500, 2500), 0.0, 0.15, 1500, 2500, 0.060),
    "z": Phone((280, 1600, 2600), 0.30, 0.20, 5800, 2200, 0.075),
    "v": Phone((280, 1100, 2200), 0.35, 0.06, 4500, 5000, 0.060),
    "p": Phone((300, 900, 2200), 0.0, 0.25, 1000, 1500, 0.020, closure=True),
    "t": Phone((300, 1700, 2700), 0.0, 0.35, 4500, 3000, 0.025, closure=True),
    "k": Phone((300, 1900, 2300), 0.0, 0.35, 2000, 1200, 0.030, closure=True),
    "b": Phone((250, 900, 2200), 0.2, 0.10, 900, 1200, 0.035, closure=True),
    "d": Phone((250, 1700, 2700), 0.2, 0.12, 4000, 3000, 0.035, closure=True),
    "g": Phone((250, 1900, 2300), 0.2, 0.12, 1900, 1200, 0.035, closure=True),
}

PAUSE = Phone((500, 1500, 2500), 0.0, 0.0, 0.0, 0.0, 0.090)
PHONES: dict[str, Phone] = {**VOWELS, **CONSONANTS}
