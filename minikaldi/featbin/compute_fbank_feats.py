"""compute-fbank-feats: mel filter-bank features of waves. Source: Kaldi, featbin/compute-fbank-feats.cc.

Differs from Kaldi: as compute-mfcc-feats: another FFT (99.9 % of the values within 5e-3), noise of --dither drawn
from the utterance's key, a warning for waves too short for a frame.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.feat.fbank import compute_fbank
from minikaldi.feat.htk import FBANK_KIND
from minikaldi.featbin.compute_feats import ComputeFbankOptions, compute_table


@command(
    "compute-fbank-feats",
    usage="[options...] <wav-rspecifier> <feats-wspecifier>",
    num_args=(2, 2),
    options=ComputeFbankOptions,
    about="Create mel filter-bank feature files.",
)
def main(run: CommandRun, options: ComputeFbankOptions, args: list[str]) -> int:
    """Compute the filter-bank features of each wave of a table."""
    return compute_table(run, options, args, compute_fbank, FBANK_KIND)
