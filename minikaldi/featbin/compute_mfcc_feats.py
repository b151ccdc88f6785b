"""compute-mfcc-feats: waves in, MFCC out. Source: Kaldi, featbin/compute-mfcc-feats.cc."""

from __future__ import annotations

from minikaldi.command import Run, command
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
def main(run: Run, options: ComputeMfccOptions, args: list[str]) -> int:
    """Computes the MFCCs of each wave of a table."""
    return compute_table(run, options, args, compute_mfcc, MFCC_KIND)
