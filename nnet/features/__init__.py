"""Inputs beyond Kaldi's features: Tacotron's log mels, librosa's MFCC, and the samples themselves. No torch here.

Each kind is a dataclass of options in Kaldi's form (`--name=value` in conf/<kind>.conf), which has `sample_frequency`,
`dim`, `framing` and `check()`, and a function from samples to features. A new kind is its file and a line here, a name
in `nnet.config.sections.FeatureOptions`, conf/<kind>.conf, and its options in `nnet/make_feats.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnet.features.librosa_mfcc import LibrosaMfccOptions, compute_librosa_mfcc
from nnet.features.logmel import LogmelOptions, compute_logmel
from nnet.features.samples import SamplesOptions, compute_samples

Compute = Callable[..., NDArray[np.float32]]


@dataclass(frozen=True)
class InputKind:
    """A kind of input.

    Attributes:
        options: its dataclass.
        compute: samples (N,) in 16-bit scale at the options' rate, options, and a Framing in place of theirs if one is
            given -> float32 (T, F).
        about: what it is, in a line.
    """

    options: type[Any]
    compute: Compute
    about: str


INPUTS: dict[str, InputKind] = {
    "logmel": InputKind(LogmelOptions, compute_logmel, "Create log mel spectra as Tacotron 2 and HiFi-GAN have them."),
    "librosa_mfcc": InputKind(LibrosaMfccOptions, compute_librosa_mfcc, "Create MFCC with librosa's conventions."),
    "samples": InputKind(SamplesOptions, compute_samples, "Create matrices of samples in [-1, 1], one frame a row."),
}
