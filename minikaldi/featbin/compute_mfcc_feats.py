"""compute-mfcc-feats: MFCC of waves. Source: Kaldi, featbin/compute-mfcc-feats.cc.

Differs from Kaldi: the FFT is another one, so values differ: 99.9 % by less than 5e-3, some in quiet frames by more.
The noise of --dither is drawn from the utterance's key, so that two runs agree; Kaldi's do not. A wave too short for
a frame gives an empty matrix as in Kaldi, and a warning.
"""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.feat.htk import MFCC_KIND
from minikaldi.feat.mfcc import compute_mfcc
from minikaldi.featbin.compute_feats import ComputeMfccOptions, compute_table


@command(
    "compute-mfcc-feats",
    usage="[options...] <wav-rspecifier> <feats-wspecifier>",
    num_args=(2, 2),
    options=ComputeMfccOptions,
    about="Create MFCC feature files.",
)
def main(run: CommandRun, options: ComputeMfccOptions, args: list[str]) -> int:
    """Compute the MFCCs of each wave of a table."""
    return compute_table(run, options, args, compute_mfcc, MFCC_KIND)
