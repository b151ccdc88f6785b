"""agglomerative-cluster: the speaker labels of each recording's segments, from their pairwise scores.

Differs from Kaldi: each cluster keeps a list of its nearest older ones, and Kaldi has one queue of all pairs; the
merges and their order are the same. Costs between subsets of a first pass are added in float64, in Kaldi in float32. A
score that is not a number, and a reco2utt that does not fit the matrix, are errors that name the recording.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import FLOAT_MATRIX, INT32, TOKEN_VECTOR
from minikaldi.ivector.clustering import cluster
from minikaldi.options import CommandOptions


@dataclass
class ClusterOptions(CommandOptions):
    """Options of agglomerative-cluster."""

    threshold: float = option(0.0, "Merge clusters while their average score is at least (cost: at most) this")
    reco2num_spk_rspecifier: str = option(
        "", "Table of the number of speakers of each recording, which replaces --threshold, e.g. ark:reco2num_spk"
    )
    read_costs: bool = option(False, "If true, the first argument holds costs (small: similar), not scores")
    first_pass_max_utterances: int = option(
        32767, "More utterances than this are clustered in subsets of at most this many first, and then the clusters"
    )
    max_spk_fraction: float = option(
        1.0, "With --reco2num-spk-rspecifier: no cluster gets more than this share of a recording's utterances"
    )


@command(
    "agglomerative-cluster",
    usage="[options] <scores-rspecifier> <reco2utt-rspecifier> <labels-wspecifier>",
    num_args=(3, 3),
    options=ClusterOptions,
    about="Cluster the utterances of each recording by a matrix of their pairwise scores; writes `utterance label`.",
)
def main(run: CommandRun, options: ClusterOptions, args: list[str]) -> int:
    """Source: ivectorbin/agglomerative-cluster.cc."""
    num_recos = num_utts = 0
    with ExitStack() as tables:
        scores = tables.enter_context(run.sequential(args[0], FLOAT_MATRIX))
        reco2utt = tables.enter_context(run.random_access(args[1], TOKEN_VECTOR))
        num_speakers = None
        if options.reco2num_spk_rspecifier:
            num_speakers = tables.enter_context(run.random_access(options.reco2num_spk_rspecifier, INT32))
        labels = tables.enter_context(run.writer(args[2], INT32))
        for reco_id, matrix in scores:
            utt_ids = recording_utts(args[1], reco_id, reco2utt[reco_id], len(matrix))
            costs = matrix if options.read_costs else np.negative(matrix, out=matrix)
            wanted = None if num_speakers is None else num_speakers[reco_id]
            try:
                found = recording_labels(costs, wanted, options)
            except KaldiError as error:
                raise KaldiError(f"{args[0]}: recording {reco_id}: {error}") from error
            for utt_id, label in zip(utt_ids, found.tolist(), strict=True):
                labels.write(utt_id, label)
            num_recos += 1
            num_utts += len(utt_ids)
    run.log(f"Clustered {num_utts} utterances of {num_recos} recordings.")
    return 0


def recording_utts(reco2utt: str, reco_id: str, utt_ids: list[str], num_rows: int) -> list[str]:
    """The utterances of the rows of a recording's matrix.

    Raises:
        KaldiError: their number is not that of the rows, or one is repeated.
    """
    where = f"{reco2utt}: recording {reco_id}"
    if len(utt_ids) != num_rows:
        raise KaldiError(
            f"{where} has {len(utt_ids)} utterances, its matrix of scores {num_rows} rows; expected equal numbers"
        )
    if len(set(utt_ids)) != len(utt_ids):
        twice = next(utt_id for place, utt_id in enumerate(utt_ids) if utt_id in utt_ids[:place])
        raise KaldiError(f"{where}: the utterance {twice} is there twice")
    return utt_ids


def recording_labels(
    costs: NDArray[np.float32], num_speakers: int | None, options: ClusterOptions
) -> NDArray[np.int32]:
    """Labels (N,) from costs (N, N); without a number of speakers the threshold decides."""
    most = options.first_pass_max_utterances
    if num_speakers is None:
        threshold = options.threshold if options.read_costs else -options.threshold
        return cluster(costs, threshold=threshold, first_pass_max=most)
    # As in Kaldi: a share that is too small for this number of speakers does not count.
    attainable = num_speakers > 0 and 1.0 / num_speakers <= options.max_spk_fraction <= 1.0
    fraction = options.max_spk_fraction if attainable else 1.0
    return cluster(costs, min_clusters=num_speakers, max_fraction=fraction, first_pass_max=most)
