"""How many frames of a kind of features a second has; of all kinds, Kaldi's too. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minikaldi.errors import KaldiError
from minikaldi.featbin.compute_feats import ComputeFbankOptions, ComputeMfccOptions
from minikaldi.options import parse
from nnet.inputs import INPUTS
from nnet.inputs.framing import kaldi_framing

KALDI: dict[str, type[Any]] = {"fbank": ComputeFbankOptions, "mfcc": ComputeMfccOptions}


def frame_rate(kind: str, conf: Path) -> float:
    """Frames per second: 100 of Kaldi's features, 86.13 of Tacotron's log mels, 31.25 of librosa's MFCC.

    Args:
        kind: what they are, as `features.type` has it.
        conf: their option file, as conf/fbank.conf.

    Raises:
        KaldiError: the file cannot be used, or frames do not move on.
    """
    if kind in INPUTS:
        options, _, _ = parse([f"--config={conf}"], INPUTS[kind].options)
        options.check()
        shift = options.framing.shift
    else:
        options, _, _ = parse([f"--config={conf}"], KALDI[kind])
        shift = kaldi_framing(options).shift
        if shift < 1:
            raise KaldiError(f"{conf}: --frame-shift={options.frame_shift:g}: expected a sample or more")
    return float(options.sample_frequency / shift)
