"""Reverberation and additive noises for a wave.

Source: Kaldi, featbin/wav-reverberate.cc. It differs if Kaldi divides by a power of zero and gives NaN: a silent noise
or room is left out with a warning, and a silent input stays silent. Without an impulse response, Kaldi's
--shift-output=false drops the last sample; here it is kept.

Convolution is always by FFT, in Kaldi's blocks. scipy's float32 FFT transforms four rows in the time of two, forward
and back in 5 ns per sample, numpy's float64 FFT in 10; so blocks are transformed together, and the response with them.
That is worth the 0.15 s of importing scipy.fft: a process that reads a list of `wav-reverberate … |` imports it once.
The blocks of a long signal are transformed in groups, so that memory is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.log import warning
from common.options import option
from minikaldi.options import CommandOptions

EARLY_SECONDS_BEFORE_PEAK = 0.001
EARLY_SECONDS_AFTER_PEAK = 0.05
GROUP_SAMPLES = 1 << 19
"""Samples transformed at once, or eight blocks if that is more."""
_POWER_BLOCK = 1 << 16


@dataclass
class CorruptionOptions(CommandOptions):
    """Level and length of the wave after reverberation and noises."""

    shift_output: bool = option(
        True, "Shift the output by the delay of the impulse response's peak, and keep the input's length"
    )
    normalize_output: bool = option(True, "Scale the output to the input's power; see also --volume")
    volume: float = option(0.0, "If above 0, scale the output by this instead of normalising it")
    duration: float = option(0.0, "If above 0, length of the output in seconds: cut, or repeated from its start")


@dataclass(frozen=True)
class AddedNoise:
    """A wave to add.

    Attributes:
        samples: float32 (M,).
        snr_db: level below the speech in dB.
        start_time: seconds.
        name: its name in messages.
    """

    samples: NDArray[np.float32]
    snr_db: float
    start_time: float
    name: str


def mean_square(samples: NDArray[np.float32]) -> float:
    """Mean square of the samples (N,); 0 for none.

    Sums within blocks are float32, since a product takes a tenth of the time of float64; sums over blocks are float64.
    """
    blocks = (samples[at : at + _POWER_BLOCK] for at in range(0, len(samples), _POWER_BLOCK))
    return sum(float(block @ block) for block in blocks) / max(1, len(samples))


def samples_in(seconds: float, sample_rate: float) -> int:
    """Whole samples in a time; a float32 product as in Kaldi: 2.01 s at 8 kHz are 16080, in float64 16079.99…"""
    return int(np.float32(seconds) * np.float32(sample_rate))


def block_convolved(signal: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolution by overlap-add, with Kaldi's numbers.

    Kaldi's real FFT packs the values at 0 Hz and at half the sampling rate, both real, into one complex pair, and its
    convolution multiplies that pair as if it were a complex number. So each block of the output gets a small wrong
    constant and alternation (0.4 % of the signal in the golden case), which is kept: the waves must be Kaldi's.

    Args:
        signal: float32 (N,).
        response: float32 (R,), R >= 1.

    Returns:
        float32 (N + R - 1,).

    Source: Kaldi, feat/signal.cc (FFTbasedBlockConvolveSignals, ElementwiseProductOfFft).
    """
    length = len(signal) + len(response) - 1
    fft_length = 1 << (4 * len(response) - 1).bit_length()
    block = fft_length - len(response) + 1
    output = np.zeros(length, np.float32)
    group = max(7, GROUP_SAMPLES // fft_length - 1) * block
    for at in range(0, len(signal), group):
        for piece in _convolved_blocks(signal[at : at + group], response, block, fft_length):
            output[at : at + fft_length] += piece[: length - at]
            at += block
    return output


def _convolved_blocks(
    signal: NDArray[np.float32], response: NDArray[np.float32], block: int, fft_length: int
) -> NDArray[np.float32]:
    """Each block of the signal (N,) with its echo, (ceil(N / block), fft_length)."""
    from scipy.fft import irfft, rfft

    count = -(-len(signal) // block)
    rows = np.zeros((_whole_fours(count + 1), block), np.float32)
    rows.reshape(-1)[: len(signal)] = signal
    rows[count, : len(response)] = response
    spectra = rfft(rows, fft_length, axis=1)
    product, h = spectra[: _whole_fours(count)], spectra[count].copy()
    zero, half = product[:, 0].real.copy(), product[:, -1].real.copy()
    product *= h
    product[:, 0] = zero * h[0].real - half * h[-1].real
    product[:, -1] = zero * h[-1].real + half * h[0].real
    convolved: NDArray[np.float32] = irfft(product, fft_length, axis=1, overwrite_x=True)
    return convolved[:count]


def _whole_fours(rows: int) -> int:
    """This number of rows, or a larger one that takes less time: scipy.fft transforms four rows in the time of two."""
    return rows if rows % 4 < 2 else rows + -rows % 4


def early_response(impulse_response: NDArray[np.float32], sample_rate: float) -> NDArray[np.float32]:
    """The part from 1 ms before to 50 ms after the largest (not the largest absolute) value, (R,) -> (R',)."""
    peak = int(np.argmax(impulse_response))
    start = max(0, int(peak - EARLY_SECONDS_BEFORE_PEAK * sample_rate))
    return impulse_response[start : int(peak + EARLY_SECONDS_AFTER_PEAK * sample_rate)]


def add_noise(signal: NDArray[np.float32], noise: AddedNoise, sample_rate: float, signal_power: float) -> None:
    """Add a noise in place, `snr_db` below `signal_power`. It is cut at the end of the signal.

    Args:
        signal: float32 (N,), changed.
        noise: a noise that ends early is not repeated; one that starts after the end adds nothing.
        sample_rate: Hz of both.
        signal_power: the mean square that the noise's level refers to.
    """
    noise_power = mean_square(noise.samples)
    if noise_power == 0.0:
        warning(f"{noise.name}: the noise is silent, so nothing is added")
        return
    start = samples_in(noise.start_time, sample_rate)
    length = min(len(signal) - start, len(noise.samples))
    if length <= 0:
        return
    scale = np.sqrt(10 ** (-noise.snr_db / 10) * signal_power / noise_power)
    signal[start : start + length] += np.float32(scale) * noise.samples[:length]


def corrupted(
    signal: NDArray[np.float32],
    sample_rate: float,
    impulse_response: NDArray[np.float32] | None,
    noises: list[AddedNoise],
    options: CorruptionOptions,
    room_name: str = "the room",
) -> NDArray[np.float32]:
    """The wave with reverberation and noises, at the wanted level and length.

    Args:
        signal: float32 (N,), N >= 1, in 16-bit scale.
        sample_rate: Hz of signal and noises.
        impulse_response: float32 (R,), where a unit impulse is 1; None for no room.
        noises: waves to add.
        options: level and length.
        room_name: name of the impulse response in warnings.

    Returns:
        float32 (M,): N samples, or those of --duration. With --shift-output=false N + R - 1 samples; the last R - 1
        repeat the first, as in Kaldi.

    Raises:
        KaldiError: there is no sample, --duration has none, or a start time is negative.
    """
    if len(signal) == 0:
        raise KaldiError("the input wave holds no samples")
    if any(noise.start_time < 0 for noise in noises):
        raise KaldiError("--start-times must not be negative")
    if impulse_response is not None and not impulse_response.any():
        warning(f"{room_name}: the impulse response is silent, so the wave is left without a room")
        impulse_response = None
    before = early_power = mean_square(signal)
    if impulse_response is None:
        output, delay = signal.astype(np.float32), 0  # a copy
    else:
        output = block_convolved(signal, impulse_response)
        delay = int(np.argmax(impulse_response)) if options.shift_output else 0
        if noises:  # levels refer to the power of direct sound and early reflections, without the tail
            early_power = mean_square(block_convolved(signal, early_response(impulse_response, sample_rate)))
    wanted = len(signal) if options.shift_output else len(output)
    for noise in noises:
        add_noise(output, noise, sample_rate, early_power)
    output *= np.float32(_gain(before, mean_square(output), options))
    if options.duration > 0:
        wanted = samples_in(options.duration, sample_rate)
        if wanted == 0:
            raise KaldiError(f"--duration={options.duration:g} s holds no sample at {sample_rate:g} Hz")
    output = output[delay : delay + len(signal)]
    return output[:wanted] if wanted <= len(output) else np.resize(output, wanted)


def _gain(power_before: float, power_after: float, options: CorruptionOptions) -> float:
    if options.volume > 0:
        return options.volume
    if not options.normalize_output or power_after == 0.0:
        return 1.0
    return float(np.sqrt(power_before / power_after))
