"""Source–filter synthesis: a phone string, a glottal and a noise source, a cascade of five formant resonators.

Control values change every 5 ms; each resonator is the second-order section y[n] = g x[n] - b y[n-1] - r² y[n-2] with
b = -2 r cos(2πF/fs), r = exp(-πB/fs), g = 1 + b + r² (unit gain at 0 Hz), and keeps its state across frames.
Source: D. H. Klatt, Software for a cascade/parallel formant synthesizer, JASA 67 (1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter, sosfilt

from local.minicorpus.phones import CONSONANTS, PAUSE, PHONES, VOWELS, Phone
from local.minicorpus.voices import Drift, Speaker

FRAME_SECONDS = 0.005
BANDWIDTHS_HZ = np.array([60.0, 90.0, 130.0, 200.0, 280.0])
FORMANT_LIMITS_HZ = (150.0, 7200.0)
FORMANT_GLIDE_FRAMES = 13       # 65 ms of co-articulation
AMPLITUDE_GLIDE_FRAMES = 7
F0_TARGET_SECONDS = 0.25        # spacing of the drawn intonation, which is interpolated
DECLINATION = 0.6               # fall of F0 over the utterance, in units of the speaker's range
LIP_RADIATION = 0.9             # zero of the radiation at the lips, about +6 dB an octave
CLOSURE_FRAMES = (8, 14)        # a stop's hold: 40 to 65 ms
VOICE_BAR = 0.15                # amplitude of voicing during a voiced stop's hold


@dataclass
class Controls:
    """The control values of the synthesiser, one row per frame of 5 ms.

    Attributes:
        formants: (T, 5), in Hz.
        voicing: amplitude of the glottal source, (T,).
        frication: amplitude of the noise source, (T,).
        noise_centre: centre of the frication noise in Hz, (T,).
        noise_bandwidth: its bandwidth in Hz, (T,).
    """

    formants: np.ndarray
    voicing: np.ndarray
    frication: np.ndarray
    noise_centre: np.ndarray
    noise_bandwidth: np.ndarray


def synthesise(
    rng: np.random.Generator, speaker: Speaker, drift: Drift, seconds: float, sample_rate: int
) -> np.ndarray:
    """One utterance of a speaker, without channel.

    Args:
        rng: generator of phones, intonation and noise.
        speaker: who speaks.
        drift: the speaker's changes in this session.
        seconds: length; the phone string is cut there.
        sample_rate: in Hz.

    Returns:
        (N,) float64 of arbitrary level, N = seconds rounded to frames of 5 ms.
    """
    frame_length = round(FRAME_SECONDS * sample_rate)
    num_frames = int(seconds / FRAME_SECONDS)
    controls = draw_controls(rng, speaker, drift, num_frames)
    voiced = glottal_source(rng, speaker, drift, controls.voicing, frame_length, sample_rate)
    voiced = formant_cascade(voiced, controls.formants, BANDWIDTHS_HZ * speaker.bandwidth, frame_length, sample_rate)
    noise = frication_noise(rng, speaker, controls, frame_length, sample_rate)
    speech = 0.25 * voiced / (voiced.std() + 1e-9) + 0.25 * noise
    return lfilter([1.0, -LIP_RADIATION], [1.0], speech)


def draw_phones(
    rng: np.random.Generator, speaker: Speaker, rate: float, num_frames: int
) -> list[tuple[Phone, str, int]]:
    """Random syllables with the speaker's phone preferences: (phone, name, frames), at least num_frames in all."""
    vowels, consonants = list(VOWELS), list(CONSONANTS)
    phones: list[tuple[Phone, str, int]] = []
    total = 0

    def add(name: str, stretch: float = 1.0) -> int:
        phone = PHONES.get(name, PAUSE)
        frames = max(2, int(stretch * phone.seconds / rate * rng.uniform(0.8, 1.25) / FRAME_SECONDS))
        phones.append((phone, name, frames))
        return frames

    while total < num_frames:
        for _ in range(rng.integers(1, 4)):
            if rng.random() < 0.9:
                total += add(consonants[rng.choice(len(consonants), p=speaker.consonant_weights)])
            total += add(vowels[rng.choice(len(vowels), p=speaker.vowel_weights)], rng.choice([0.7, 1.0, 1.4]))
            if rng.random() < 0.3:
                total += add(consonants[rng.choice(len(consonants), p=speaker.consonant_weights)])
        if rng.random() < 0.25:
            total += add("pause", rng.uniform(0.5, 2.0))
    return phones


def draw_controls(rng: np.random.Generator, speaker: Speaker, drift: Drift, num_frames: int) -> Controls:
    """The control track of one utterance: phone targets, smoothed over neighbours, in the speaker's formant space."""
    rows: list[np.ndarray] = []
    for phone, name, frames in draw_phones(rng, speaker, speaker.rate * drift.rate, num_frames):
        formants = np.array(phone.formants) * speaker.phone_formants.get(name, np.ones(3))
        noise = [phone.noise_centre, phone.noise_bandwidth]
        if phone.closure:
            hold = VOICE_BAR if phone.voicing > 0 else 0.0
            rows += [np.concatenate([formants, [hold, 0.0], noise])] * rng.integers(*CLOSURE_FRAMES)
        rows += [np.concatenate([formants, [phone.voicing, phone.frication], noise])] * frames
    track = np.stack(rows[:num_frames])     # (T, 7)
    low = _glide(track[:, :3] * speaker.tract_scale * drift.formants, FORMANT_GLIDE_FRAMES)
    high = np.broadcast_to(speaker.high_formants, (num_frames, 2))
    formants = np.concatenate([low, high], axis=1) * speaker.formant_scale
    amplitudes = _glide(track[:, 3:5], AMPLITUDE_GLIDE_FRAMES)
    return Controls(formants.clip(*FORMANT_LIMITS_HZ), amplitudes[:, 0], amplitudes[:, 1], track[:, 5], track[:, 6])


def _glide(values: np.ndarray, width: int) -> np.ndarray:
    """Smooth each column of (T, C) by a Hann window of odd width; the ends are repeated."""
    window = np.hanning(width)
    window /= window.sum()
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), "edge")
    return np.stack([np.convolve(padded[:, column], window, "valid") for column in range(values.shape[1])], axis=1)


def intonation(rng: np.random.Generator, speaker: Speaker, drift: Drift, num_frames: int) -> np.ndarray:
    """F0 in Hz for each frame: (T,); random targets each quarter of a second on a falling line."""
    time = np.arange(num_frames) * FRAME_SECONDS
    targets = np.arange(0.0, time[-1] + 2 * F0_TARGET_SECONDS, F0_TARGET_SECONDS)
    contour = np.interp(time, targets, rng.standard_normal(len(targets)))
    line = np.linspace(0.5, -0.5, num_frames)
    return speaker.f0 * drift.f0 * np.exp(speaker.f0_range * (contour + DECLINATION * line))


def glottal_pulse(phase: np.ndarray, open_quotient: float) -> np.ndarray:
    """Glottal flow at each phase in [0, 1): a raised cosine opens for two thirds of the open phase, a cosine closes."""
    opening = 0.67 * open_quotient
    rise = 0.5 * (1 - np.cos(np.pi * phase / opening))
    fall = np.cos(0.5 * np.pi * (phase - opening) / (open_quotient - opening))
    return np.where(phase < opening, rise, np.where(phase < open_quotient, fall, 0.0))


def glottal_source(
    rng: np.random.Generator, speaker: Speaker, drift: Drift, voicing: np.ndarray, frame_length: int, sample_rate: int
) -> np.ndarray:
    """Differentiated glottal flow with jitter, shimmer, tilt and breath noise while the glottis is open: (N,)."""
    num_frames = len(voicing)
    half = frame_length // 2
    f0 = np.repeat(intonation(rng, speaker, drift, num_frames), frame_length)
    f0 *= np.repeat(1 + speaker.jitter * rng.standard_normal(2 * num_frames), half)
    cycles = np.cumsum(f0 / sample_rate)
    phase = cycles % 1.0
    flow = 20.0 * np.diff(glottal_pulse(phase, speaker.open_quotient), prepend=0.0)
    pole = float(np.clip(speaker.tilt + drift.tilt, 0.0, 0.97))
    source = lfilter([1 - pole], [1, -pole], flow)
    source *= (1 + speaker.shimmer * rng.standard_normal(int(cycles[-1]) + 2))[cycles.astype(int)]
    source += speaker.breath * rng.standard_normal(len(source)) * (phase < speaker.open_quotient)
    amplitude = np.interp(np.arange(2 * num_frames) / 2, np.arange(num_frames), voicing)
    return source * np.repeat(amplitude, half)


def formant_cascade(
    source: np.ndarray, formants: np.ndarray, bandwidths: np.ndarray, frame_length: int, sample_rate: int
) -> np.ndarray:
    """Filter (N,) by resonators in series whose centres change each frame: formants (T, 5), bandwidths (5,), in Hz."""
    radius = np.exp(-np.pi * bandwidths / sample_rate)
    b1 = -2 * radius * np.cos(2 * np.pi * formants / sample_rate)      # (T, 5)
    sections = np.zeros((len(formants), len(bandwidths), 6))
    sections[:, :, 0] = 1 + b1 + radius**2
    sections[:, :, 3] = 1.0
    sections[:, :, 4] = b1
    sections[:, :, 5] = radius**2
    state = np.zeros((len(bandwidths), 2))
    output = np.empty_like(source)
    for frame, section in enumerate(sections):
        span = slice(frame * frame_length, (frame + 1) * frame_length)
        output[span], state = sosfilt(section, source[span], zi=state)
    return output


def frication_noise(
    rng: np.random.Generator, speaker: Speaker, controls: Controls, frame_length: int, sample_rate: int
) -> np.ndarray:
    """Noise of fricatives and bursts, one resonance for each stretch of frication: (N,)."""
    white = rng.standard_normal(len(controls.frication) * frame_length)
    output = np.zeros_like(white)
    active = np.concatenate([[False], (controls.frication > 0.01) & (controls.noise_centre > 0), [False]])
    starts, ends = np.flatnonzero(np.diff(active.astype(int)) == 1), np.flatnonzero(np.diff(active.astype(int)) == -1)
    for start, end in zip(starts, ends, strict=True):
        centre = min(controls.noise_centre[start:end].max() * speaker.frication, 7000.0)
        radius = np.exp(-np.pi * controls.noise_bandwidth[start:end].max() / sample_rate)
        resonator = [1, -2 * radius * np.cos(2 * np.pi * centre / sample_rate), radius**2]
        span = slice(start * frame_length, end * frame_length)
        noise = lfilter([1 - radius], resonator, white[span])
        output[span] = noise / (noise.std() + 1e-9) * np.repeat(controls.frication[start:end], frame_length)
    return output
