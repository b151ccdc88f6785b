"""Features of a batch of waves in one go, with the numbers of the commands that make them on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from common.errors import InputError, KaldiError
from minikaldi.feat.fbank import compute_fbank
from minikaldi.feat.frames import FrameOptions
from minikaldi.feat.mfcc import compute_mfcc
from minikaldi.feat.sliding_cmvn import SlidingCmvnOptions, sliding_cmvn
from minikaldi.featbin.compute_feats import ComputeFbankOptions, ComputeMfccOptions
from minikaldi.options import parse
from nnet.augment.signal import NOTHING, FloatArray, to_sixteen_bits
from nnet.features import INPUTS, InputKind
from nnet.features.framing import Framing, kaldi_framing

Compute = Callable[..., FloatArray]
KINDS: dict[str, tuple[type[Any], Compute]] = {
    "mfcc": (ComputeMfccOptions, compute_mfcc),
    "fbank": (ComputeFbankOptions, compute_fbank),
}


class FeatureMaker(Protocol):
    """A kind of features and its options."""

    @property
    def framing(self) -> Framing:
        """Where frames lie."""

    @property
    def sample_frequency(self) -> float:
        """Hz."""

    @property
    def dim(self) -> int:
        """F."""

    def of_waves(
        self, waves: Sequence[FloatArray], num_frames: Sequence[int], dither_key: str
    ) -> tuple[list[FloatArray], bool]:
        """Features of each wave, whose samples are just those of its frames, rounded to 16 bits as in a file.

        Args:
            waves: float32 ((T - 1) shift + length,) each.
            num_frames: T of each.
            dither_key: what the dither is drawn from, if there is any.

        Returns:
            float32 (T, F) each, and whether a sample was clipped to 16 bits.
        """


@dataclass
class KaldiFeatures:
    """MFCC or filter bank; and the memory in which waves are joined, which costs more to allocate than to fill."""

    options: FrameOptions
    compute: Compute
    dim: int
    _joined: FloatArray = dataclasses.field(default_factory=lambda: NOTHING)

    @property
    def framing(self) -> Framing:
        """See FeatureMaker."""
        return kaldi_framing(self.options)

    @property
    def sample_frequency(self) -> float:
        """See FeatureMaker."""
        return self.options.sample_frequency

    def of_waves(
        self, waves: Sequence[FloatArray], num_frames: Sequence[int], dither_key: str
    ) -> tuple[list[FloatArray], bool]:
        """See FeatureMaker. The waves are put one after the other, each from a multiple of the frame shift on; the few
        frames across two waves are computed and left out."""
        shift = self.options.shift_samples
        places = np.cumsum([0, *(-(-len(wave) // shift) for wave in waves)])
        joined = self._memory(int(places[-1]) * shift)
        for place, end, wave in zip(places[:-1] * shift, places[1:] * shift, waves, strict=True):
            joined[place : place + len(wave)] = wave
            joined[place + len(wave) : end] = 0
        clipped = to_sixteen_bits(joined)
        options = dataclasses.replace(self.options, snip_edges=True)
        feats = self.compute(joined, options.sample_frequency, options, 1.0, dither_key)
        return [feats[place : place + count] for place, count in zip(places, num_frames, strict=False)], clipped

    def _memory(self, num_samples: int) -> FloatArray:
        if len(self._joined) < num_samples:
            self._joined = np.zeros(num_samples, np.float32)
        return self._joined[:num_samples]


@dataclass
class InputFeatures:
    """librosa's MFCC, or samples: of one wave after the other.

    The value that limits librosa's decibels from below is taken from the chunk, not from the utterance as on disk.
    """

    options: Any
    kind: InputKind

    @property
    def framing(self) -> Framing:
        """See FeatureMaker."""
        framing: Framing = self.options.framing
        return framing

    @property
    def sample_frequency(self) -> float:
        """See FeatureMaker."""
        return float(self.options.sample_frequency)

    @property
    def dim(self) -> int:
        """See FeatureMaker."""
        return int(self.options.dim)

    def of_waves(
        self, waves: Sequence[FloatArray], num_frames: Sequence[int], dither_key: str
    ) -> tuple[list[FloatArray], bool]:
        """See FeatureMaker."""
        inside = dataclasses.replace(self.framing, before=0, after=0)
        rounded = [wave.copy() for wave in waves]
        clipped = [to_sixteen_bits(wave) for wave in rounded]
        return [self.kind.compute(wave, self.options, inside) for wave in rounded], any(clipped)


def read_feature_maker(kind: str, conf: Path, dim: int) -> FeatureMaker:
    """The features that an option file describes.

    Args:
        kind: a value of `features.type`.
        conf: the file, as conf/fbank.conf.
        dim: columns expected.

    Raises:
        InputError: the file cannot be used, its features have other columns, or they are not made of chunks.
    """
    if kind == "logmel":
        raise InputError(
            f"{conf}: logmel features are of another rate than the audio, noises and rooms that data.source audio"
            " reads; remove data.source (--augment ondisk), so that they are made of whole utterances beforehand"
        )
    try:
        maker = _input_maker(INPUTS[kind], conf) if kind in INPUTS else _kaldi_maker(kind, conf)
    except (KaldiError, OSError) as error:
        raise InputError(f"{conf}: {error}") from error
    if maker.dim != dim:
        raise InputError(f"{conf}: gives {kind} of {maker.dim} columns, features.dim is {dim}; correct one of them")
    return maker


def _input_maker(kind: InputKind, conf: Path) -> FeatureMaker:
    options, _, _ = parse([f"--config={conf}"], kind.options)
    options.check()
    return InputFeatures(options, kind)


def _kaldi_maker(kind: str, conf: Path) -> FeatureMaker:
    options_class, compute = KINDS[kind]
    options, _, _ = parse([f"--config={conf}"], options_class)
    second = np.zeros(int(options.sample_frequency), np.float32)
    return KaldiFeatures(options, compute, compute(second, options.sample_frequency, options, 1.0, "").shape[1])


def without_mean(feats: FloatArray, window: int) -> FloatArray:
    """Features (T, F) less the mean over a centred window of that many frames; 0 for as they are.

    Source: apply-cmvn-sliding --center=true. A window that holds all frames is their mean, which costs less.
    """
    if window == 0:
        return feats
    if len(feats) <= window:
        return feats - feats.mean(axis=0, dtype=np.float64).astype(np.float32)
    return sliding_cmvn(feats, SlidingCmvnOptions(cmn_window=window, min_cmn_window=1, center=True))
