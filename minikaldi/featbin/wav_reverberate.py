"""wav-reverberate: add reverberation and noises to a wave. Source: Kaldi, featbin/wav-reverberate.cc.

Differs from Kaldi: a silent noise or room is left out with a warning and a silent input stays silent; Kaldi divides by
zero and writes NaN. Without a room --shift-output=false keeps the last sample, which Kaldi drops. A room of another
sampling rate than the wave's causes a warning; Kaldi uses it without one. Rooms and noises, files or
`to_wav.py <file> … |`, are kept in memory for the next call in the same process, as long as their file stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.feat.reverberate import AddedNoise, CorruptionOptions, corrupted
from minikaldi.feat.wave_cache import SHARED_WAVES
from minikaldi.io import WAVE, Wave
from minikaldi.io.objects import where
from minikaldi.io.specifiers import parse_rxfilename

RIR_SCALE = np.float32(1 / 32768)
"""An impulse response's file holds 16-bit values; full scale is a unit impulse."""


@dataclass
class WavReverberateOptions(CorruptionOptions):
    """Room, noises, channels, level and length."""

    impulse_response: str = option("", "The room's impulse response (rxfilename)")
    additive_signals: str = option("", "Noises to add (rxfilenames with commas between)")
    snrs: str = option("", "Signal-to-noise ratio in dB of each noise, with commas between")
    start_times: str = option("", "Start in seconds of each noise, with commas between; after the end it adds nothing")
    input_wave_channel: int = option(0, "Channel of the input to use")
    rir_channel: int = option(0, "Channel of the impulse response to use")
    noise_channel: int = option(0, "Channel of each noise to use")
    multi_channel_output: bool = option(
        False, "One output channel for each of the impulse response's, with the same channel of the noises"
    )


@command(
    "wav-reverberate",
    usage="[options...] <wav-in-rxfilename> <wav-out-wxfilename>",
    num_args=(2, 2),
    options=WavReverberateOptions,
    about="Corrupt a wave with a room impulse response and additive noises.",
)
def main(run: CommandRun, options: WavReverberateOptions, args: list[str]) -> int:
    """Corrupt one wave."""
    if options.multi_channel_output and (options.rir_channel or options.noise_channel):
        run.warning("--rir-channel and --noise-channel are ignored, as --multi-channel-output is true")
    speech = _read_input(run, args[0], options)
    signal = _channel(speech, options.input_wave_channel, args[0], "--input-wave-channel")
    rir = _read_rir(run, options, speech.sample_rate)
    noises = _read_noises(run, options, speech.sample_rate)
    outputs = []
    for rir_channel, noise_channel in _channel_pairs(options, rir, noises):
        response = None
        if rir is not None:
            response = _channel(rir, rir_channel, options.impulse_response, "--rir-channel") * RIR_SCALE
        added = [_noise(wave, name, noise_channel, snr, start) for wave, name, snr, start in noises]
        outputs.append(_corrupted(args[0], signal, speech.sample_rate, response, added, options))
    samples = np.stack(outputs) if len(outputs) > 1 else outputs[0][None]  # a single one is not copied
    samples = _within_16_bits(run, samples, args[0], [name for _, name, _, _ in noises])
    run.write_object(args[1], WAVE, Wave(speech.sample_rate, samples))
    return 0


def _read_input(run: CommandRun, rxfilename: str, options: WavReverberateOptions) -> Wave:
    """The input; it is kept for later calls only with --duration, which fits a noise to an utterance in recipes."""
    return _shared(run, rxfilename) if options.duration > 0 else run.read_object(rxfilename, WAVE)


def _shared(run: CommandRun, rxfilename: str) -> Wave:
    """A wave that may be kept from an earlier call in this process."""
    name = parse_rxfilename(rxfilename)
    if name.kind == "pipe":
        run.context.check_pipe(name.target)  # even if the wave is kept
    return SHARED_WAVES.get(rxfilename, partial(run.read_object, holder=WAVE))


def _read_rir(run: CommandRun, options: WavReverberateOptions, sample_rate: float) -> Wave | None:
    name = options.impulse_response
    if not name:
        return None
    rir = _shared(run, name)
    if rir.sample_rate != sample_rate:  # Kaldi uses it as it is, without a warning
        run.warning(f"{name}: the impulse response is {rir.sample_rate:g} Hz, the wave {sample_rate:g} Hz; resample it")
    return rir


def _read_noises(
    run: CommandRun, options: WavReverberateOptions, sample_rate: float
) -> list[tuple[Wave, str, float, float]]:
    """Each noise's wave, name, level and start."""
    names = [name for name in options.additive_signals.split(",") if name]
    snrs, starts = _numbers(options.snrs, "--snrs"), _numbers(options.start_times, "--start-times")
    if names and not len(names) == len(snrs) == len(starts):
        raise KaldiError(
            f"--additive-signals names {len(names)} waves, --snrs {len(snrs)} and --start-times {len(starts)} numbers; "
            "give as many of each"
        )
    waves = [_shared(run, name) for name in names]
    for name, wave in zip(names, waves, strict=True):
        if wave.sample_rate != sample_rate:
            raise KaldiError(
                f"{name}: the noise is {wave.sample_rate:g} Hz, the wave {sample_rate:g} Hz; resample one "
                "(utils/to_wav.py <file> <rate> |)"
            )
    return list(zip(waves, names, snrs, starts, strict=False))


def _channel_pairs(
    options: WavReverberateOptions, rir: Wave | None, noises: list[tuple[Wave, str, float, float]]
) -> list[tuple[int, int]]:
    """For each output channel, the channel of the impulse response and that of the noises."""
    if not options.multi_channel_output:
        return [(options.rir_channel, options.noise_channel)]
    if rir is None:
        raise KaldiError("--multi-channel-output=true takes its channels from --impulse-response; give one")
    _check_channels(noises, len(rir.samples))
    return [(channel, channel) for channel in range(len(rir.samples))]


def _check_channels(noises: list[tuple[Wave, str, float, float]], num_channels: int) -> None:
    for wave, name, _, _ in noises:
        if len(wave.samples) != num_channels:
            raise KaldiError(
                f"{name}: the noise has {len(wave.samples)} channels, the impulse response {num_channels}; with "
                "--multi-channel-output=true they must have the same number"
            )


def _within_16_bits(
    run: CommandRun, samples: NDArray[np.float32], rxfilename: str, noises: list[str]
) -> NDArray[np.float32]:
    """The samples (channels, N), clipped to the range of a file; a warning names the input and the noises."""
    if samples.min() > -32769 and samples.max() < 32768:  # a file's samples are truncated to integers, toward zero
        return samples
    count = int(np.count_nonzero((samples <= -32769) | (samples >= 32768)))
    among = f" among {noises[0]}" + (f" and {len(noises) - 1} more" if len(noises) > 1 else "") if noises else ""
    name = where(rxfilename)
    run.warning(f"{name}{among}: {count} of {samples.size} samples were clipped to 16 bits; a lower --volume avoids it")
    return np.clip(samples, -32768, 32767)


def _numbers(text: str, option_name: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(",") if word]
    except ValueError as error:
        raise KaldiError(f"{option_name}={text}: {error}; expected numbers with commas between") from error
    if not np.isfinite(numbers).all():
        raise KaldiError(f"{option_name}={text}: expected finite numbers")
    return numbers


def _channel(wave: Wave, channel: int, name: str, option_name: str) -> NDArray[np.float32]:
    """One channel's samples (N,)."""
    if not 0 <= channel < len(wave.samples):
        raise KaldiError(f"{name}: {option_name}={channel}, but its channels are 0 to {len(wave.samples) - 1}")
    samples: NDArray[np.float32] = wave.samples[channel]
    return samples


def _noise(wave: Wave, name: str, channel: int, snr_db: float, start_time: float) -> AddedNoise:
    return AddedNoise(_channel(wave, channel, name, "--noise-channel"), snr_db, start_time, name)


def _corrupted(
    name: str,
    signal: NDArray[np.float32],
    sample_rate: float,
    response: NDArray[np.float32] | None,
    noises: list[AddedNoise],
    options: WavReverberateOptions,
) -> NDArray[np.float32]:
    try:
        return corrupted(signal, sample_rate, response, noises, options, options.impulse_response)
    except KaldiError as error:
        raise KaldiError(f"{name}: {error}") from error
