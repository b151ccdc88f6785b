"""Frames per second and columns of a kind of features, by its option file; of all kinds, Kaldi's too. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.errors import KaldiError
from minikaldi.featbin.compute_feats import ComputeFbankOptions, ComputeMfccOptions
from minikaldi.options import parse_command_line
from nnet.features import INPUTS
from nnet.features.framing import kaldi_framing

KALDI: dict[str, type[Any]] = {"fbank": ComputeFbankOptions, "mfcc": ComputeMfccOptions}


def frame_rate(kind: str, conf: Path) -> float:
    """Frames per second: 100 of Kaldi's features, 86.13 of Tacotron's log mels, 31.25 of librosa's MFCC.

    Args:
        kind: what they are, as `features.type` has it.
        conf: their option file, as conf/fbank.conf.

    Raises:
        KaldiError: the file cannot be used, or frames do not move on.
    """
    options = _read(kind, conf)
    if kind in INPUTS:
        shift = options.framing.shift
    else:
        shift = kaldi_framing(options).shift
        if shift < 1:
            raise KaldiError(f"{conf}: --frame-shift={options.frame_shift:g}: expected a sample or more")
    return float(options.sample_frequency / shift)


def num_columns(kind: str, conf: Path) -> int:
    """Columns of the features; for Args and Raises see `frame_rate`."""
    return int(_read(kind, conf).dim)


def _read(kind: str, conf: Path) -> Any:
    options, _, _ = parse_command_line([f"--config={conf}"], INPUTS[kind].options if kind in INPUTS else KALDI[kind])
    if kind in INPUTS:
        options.check()
    return options
