"""A recording session: the channel, telephone band, room, noise and level that its utterances share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, lfilter

from local.minicorpus.channels import draw_channel, linear_phase_filter
from local.minicorpus.config import SessionOptions
from local.minicorpus.rooms import room_impulse_response


@dataclass(frozen=True)
class Session:
    """What the utterances of a session share.

    Attributes:
        channel: filter of the recording device, (512,) taps.
        room: impulse response (N,), or None.
        snr_db: speech over noise in dB.
        noise: its kind.
        colour: pole of the noise's low pass.
        hum_hz: fundamental frequency of a hum.
        level_db: peak in dB, relative to 0.9 of full scale.
    """

    channel: np.ndarray
    room: np.ndarray | None
    snr_db: float
    noise: str
    colour: float
    hum_hz: float
    level_db: float


def draw_session(rng: np.random.Generator, options: SessionOptions, sample_rate: int) -> Session:
    """Draw a session."""
    channel_db = draw_channel(rng, options, sample_rate)
    room = None
    if rng.random() < options.room:
        room = room_impulse_response(
            rng, rng.uniform(*options.t60), rng.uniform(*options.direct_to_reverberant_db), sample_rate
        )
    kinds = sorted(options.noises)
    return Session(
        channel=linear_phase_filter(channel_db),
        room=room,
        snr_db=rng.uniform(*options.snr_db),
        noise=str(rng.choice(kinds, p=[options.noises[kind] for kind in kinds])),
        colour=rng.uniform(0.3, 0.97),
        hum_hz=float(rng.choice([50, 60, 100, 120])),
        level_db=rng.uniform(*options.level_db),
    )


def as_recorded(
    rng: np.random.Generator,
    speech: np.ndarray,
    session: Session,
    options: SessionOptions,
    babble_voices: Sequence[np.ndarray],
    sample_rate: int,
) -> np.ndarray:
    """Speech as the session records it: room, noise, channel, level.

    Args:
        rng: generator of the noise.
        speech: clean speech (N,).
        session: the session.
        options: spread of the utterances' SNR, and number of talkers in babble.
        babble_voices: clean speech of other speakers, each (M,).
        sample_rate: in Hz.

    Returns:
        (N,) int16.
    """
    signal = _unit_power(speech)
    if session.room is not None:
        signal = _unit_power(fftconvolve(signal, session.room)[: len(speech)])
    noise = _unit_power(session_noise(rng, len(signal), session, options, babble_voices, sample_rate))
    snr_db = session.snr_db + rng.normal(0, options.snr_utterance_db)
    signal = fftconvolve(signal + noise * 10 ** (-snr_db / 20), session.channel, mode="same")
    peak = 0.9 * 32767 * 10 ** (session.level_db / 20)
    return np.round(signal / (np.abs(signal).max() + 1e-9) * peak).astype(np.int16)


def session_noise(
    rng: np.random.Generator,
    num_samples: int,
    session: Session,
    options: SessionOptions,
    babble_voices: Sequence[np.ndarray],
    sample_rate: int,
) -> np.ndarray:
    """The background noise of one utterance, of arbitrary level: (num_samples,)."""
    if session.noise == "babble":
        talkers = int(rng.integers(options.babble_talkers[0], options.babble_talkers[1] + 1))
        return babble(rng, num_samples, talkers, babble_voices)
    noise = rng.standard_normal(num_samples)
    if session.noise == "white":
        return noise
    noise = lfilter([1.0], [1.0, -session.colour], noise)
    if session.noise == "hum":
        time = np.arange(num_samples) / sample_rate
        for harmonic in range(1, 8):
            tone = np.sin(2 * np.pi * session.hum_hz * harmonic * time + rng.uniform(0, 2 * np.pi))
            noise += rng.uniform(0, 3) * tone
    return noise


def babble(rng: np.random.Generator, num_samples: int, num_talkers: int, voices: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of different voices, each from a random place and repeated to the length: (num_samples,)."""
    mixture = np.zeros(num_samples)
    for index in rng.choice(len(voices), num_talkers, replace=False):
        voice = np.roll(voices[index], -int(rng.integers(len(voices[index]))))
        mixture += rng.uniform(0.4, 1.0) * np.resize(voice, num_samples)
    return mixture


def _unit_power(signal: np.ndarray) -> np.ndarray:
    return signal / (signal.std() + 1e-9)
