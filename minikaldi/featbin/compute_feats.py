"""The loop over a table of waves that compute-mfcc-feats and compute-fbank-feats share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun
from minikaldi.feat.fbank import FbankOptions
from minikaldi.feat.htk import HtkHolder
from minikaldi.feat.mfcc import MfccOptions
from minikaldi.io import DOUBLE, FLOAT, FLOAT_MATRIX, TOKEN, WAVE, Wave
from minikaldi.options import CommandOptions

LOG_EVERY = 10  # utterances, as Kaldi does


@dataclass
class WaveTableOptions(CommandOptions):
    """What is read and written, besides the features' own options."""

    channel: int = option(-1, "Channel to use, counted from 0; -1: the wave should be mono, else its first channel")
    min_duration: float = option(0.0, "Shortest wave in seconds that is processed")
    output_format: str = option("kaldi", "kaldi or htk")
    subtract_mean: bool = option(False, "Subtract from each utterance its mean")
    utt2spk: str = option("", "Utterance to speaker map (rspecifier), if --vtln-map is by speaker")
    vtln_map: str = option("", "Utterance or speaker to vocal-tract warp factor (rspecifier)")
    vtln_warp: float = option(1.0, "Warp factor of all utterances, without --vtln-map")
    write_utt2dur: str = option("", "Where to write each utterance's duration in seconds (wspecifier)")


@dataclass
class ComputeMfccOptions(MfccOptions, WaveTableOptions):
    """The options of compute-mfcc-feats."""


@dataclass
class ComputeFbankOptions(FbankOptions, WaveTableOptions):
    """The options of compute-fbank-feats."""


O = TypeVar("O", ComputeMfccOptions, ComputeFbankOptions)  # noqa: E741
Compute = Callable[[NDArray[np.float32], float, O, float, str], NDArray[np.float32]]
Warp = Callable[[str], float | None]


def compute_table(run: CommandRun, options: O, args: list[str], compute: Compute[O], htk_kind: int) -> int:
    """Read waves and write features; an utterance that fails is counted and left out, with a warning.

    Args:
        run: streams and tables.
        options: features and tables.
        args: wave rspecifier, feature wspecifier.
        compute: samples (N,), rate, options, warp, dither key -> features (T, F).
        htk_kind: HTK's number for the kind of feature.

    Returns:
        Exit code, 0 if at least one utterance was done.
    """
    _try_options(options, compute)
    num_utts = num_done = num_empty = 0
    with ExitStack() as stack:
        waves = stack.enter_context(run.sequential(args[0], WAVE))
        feats = stack.enter_context(run.writer(args[1], _output_holder(options, htk_kind)))
        durations = stack.enter_context(run.writer(options.write_utt2dur, DOUBLE)) if options.write_utt2dur else None
        warp_of = _warps(run, options, stack)
        for key, wave in waves:
            num_utts += 1
            features = _features(run, key, wave, options, compute, warp_of)
            if features is None:
                continue
            feats.write(key, features)
            if durations is not None:
                durations.write(key, wave.duration)
            num_done += 1
            num_empty += int(len(features) == 0)
            if num_utts % LOG_EVERY == 0:
                run.log(f"Processed {num_utts} utterances")
    if num_empty:
        run.warning(f"{num_empty} of {num_done} utterances are too short for a frame; their matrices are empty")
    run.log(f" Done {num_done} out of {num_utts} utterances.")
    return 0 if num_done else 1


def _try_options(options: O, compute: Compute[O]) -> None:
    """Compute two frames of silence, so that options that contradict each other stop the command at its start."""
    silence = np.zeros(max(0, options.length_samples + options.shift_samples), np.float32)
    quiet = dataclasses.replace(options, debug_mel=False)
    compute(silence, options.sample_frequency, quiet, options.vtln_warp, "")


def _output_holder(options: O, htk_kind: int) -> Any:
    if options.output_format == "kaldi":
        return FLOAT_MATRIX
    if options.output_format == "htk":
        return HtkHolder(htk_kind, options.use_energy, options.frame_shift)
    raise KaldiError(f'--output-format="{options.output_format}" is unknown; choose one of: htk, kaldi')


def _warps(run: CommandRun, options: O, stack: ExitStack) -> Warp:
    """The function from an utterance's key to its warp factor; it returns None if the map lacks the key."""
    if not options.vtln_map:
        if options.utt2spk:
            raise KaldiError("--utt2spk has an effect only with --vtln-map; give both or none")
        return lambda key: options.vtln_warp
    warps = stack.enter_context(run.random_access(options.vtln_map, FLOAT))
    speakers = stack.enter_context(run.random_access(options.utt2spk, TOKEN)) if options.utt2spk else None

    def warp_of(key: str) -> float | None:
        """The warp factor of an utterance; None if the map lacks it."""
        if speakers is not None:
            if key not in speakers:
                raise KaldiError(f"{key} has no line in {options.utt2spk} (--utt2spk), so its speaker is unknown")
            key = speakers[key]
        return warps[key] if key in warps else None  # noqa: SIM401 (a table has no get)

    return warp_of


def _features(
    run: CommandRun, key: str, wave: Wave, options: O, compute: Compute[O], warp_of: Warp
) -> NDArray[np.float32] | None:
    """An utterance's features (T, F); (0, 0) if it is too short for a frame; None, with a warning, if it fails."""
    if wave.duration < options.min_duration:
        run.warning(f"File: {key} is too short ({wave.duration:g} sec): producing no output.")
        return None
    samples = _channel(run, key, wave, options.channel)
    if samples is None:
        return None
    warp = warp_of(key)
    if warp is None:
        run.warning(f"No vtln-map entry for utterance-id (or speaker-id) {key}")
        return None
    try:
        features = compute(samples, wave.sample_rate, options, warp, key)
    except KaldiError as error:
        run.warning(f"Failed to compute features for utterance {key}: {error}")
        return None
    if len(features) == 0:
        run.warning(f"{key}: {len(samples)} samples are too short for a frame of {options.frame_length:g} ms")
        return np.zeros((0, 0), np.float32)
    return features - features.mean(axis=0) if options.subtract_mean else features


def _channel(run: CommandRun, key: str, wave: Wave, channel: int) -> NDArray[np.float32] | None:
    """The samples (N,) of the wanted channel; None, with a warning, if the wave lacks it."""
    num_channels = len(wave.samples)
    if channel == -1:
        if num_channels != 1:
            run.warning(
                f"Channel not specified but you have data with {num_channels} channels; defaulting to zero ({key})"
            )
        return wave.samples[0]
    if not 0 <= channel < num_channels:
        run.warning(
            f"File with id {key} has {num_channels} channels but you specified channel {channel}, producing no output."
        )
        return None
    return wave.samples[channel]
