"""compute-cmvn-stats: the statistics for apply-cmvn. Source: Kaldi, featbin/compute-cmvn-stats.cc."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import (
    DOUBLE_MATRIX,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    TOKEN_VECTOR,
    RandomAccessReader,
    is_rspecifier,
)
from minikaldi.options import CommandOptions
from minikaldi.transform.cmvn import Stats, cmvn_stats


@dataclass
class ComputeCmvnStatsOptions(CommandOptions):
    """What is summed, and the weight of each frame."""

    binary: bool = option(True, "Binary output (of global statistics; for a table its wspecifier decides)")
    spk2utt: str = option("", "Speaker to utterances map (rspecifier), for statistics by speaker")
    weights: str = option("", "Weight of each frame of each utterance (rspecifier of vectors)")


class Counter:
    """Statistics of utterances, with a count of those that have some and those that have none.

    Args:
        run: the command's surroundings, for warnings.
        weights: weights (T,) of the frames of each utterance; None: all 1.
    """

    def __init__(self, run: CommandRun, weights: RandomAccessReader[NDArray[np.float32]] | None) -> None:
        self.run = run
        self.weights = weights
        self.num_done = 0
        self.num_errors = 0

    def stats(self, utt: str, feats: NDArray[np.float32], dim: int = 0) -> Stats | None:
        """The statistics of an utterance.

        Args:
            utt: the utterance.
            feats: its features, float32 (T, F).
            dim: F of the statistics that these are added to: an empty matrix (0, 0) then adds nothing. 0: none.

        Returns:
            float64 (2, F + 1); None, with a warning, if its weights are missing or do not fit.
        """
        weights = None
        if self.weights is not None:
            if utt not in self.weights:
                self.failed(f"No weights available for utterance {utt}")
                return None
            weights = self.weights[utt]
            if len(weights) != len(feats):
                self.failed(f"Weights for utterance {utt} have wrong dimension {len(weights)} vs. {len(feats)} frames")
                return None
        self.num_done += 1
        if dim and not feats.size:
            return np.zeros((2, dim + 1))
        try:
            return cmvn_stats(feats, weights)
        except KaldiError as error:
            raise KaldiError(f"{utt}: {error}") from error

    def failed(self, why: str) -> None:
        """Warn of an utterance without statistics, and count it."""
        self.run.warning(why)
        self.num_errors += 1


def _added(total: Stats | None, counter: Counter, utt: str, feats: NDArray[np.float32]) -> Stats:
    """`total` plus an utterance's statistics. Zeros if there are none: a speaker whose weights are missing has zeros.

    As in Kaldi an empty matrix adds nothing; only the first must not be empty, since it determines the columns.
    """
    if total is None and not feats.shape[1]:
        raise KaldiError(
            f"{utt}: the feature matrix is empty and the first, so the statistics would have no columns; remove the "
            "utterance"
        )
    dim = feats.shape[1] if total is None else total.shape[1] - 1
    stats = counter.stats(utt, feats, 0 if total is None else dim)
    if feats.size and feats.shape[1] != dim:
        raise KaldiError(f"{utt}: the features have {feats.shape[1]} columns, those before {dim}")
    total = np.zeros((2, dim + 1)) if total is None else total
    return total if stats is None else total + stats


def _by_utterance(run: CommandRun, args: list[str], counter: Counter) -> None:
    with run.sequential(args[0], FLOAT_MATRIX) as feats, run.writer(args[1], DOUBLE_MATRIX) as table:
        for utt, matrix in feats:
            stats = counter.stats(utt, matrix)
            if stats is not None:
                table.write(utt, stats)


def _by_speaker(run: CommandRun, args: list[str], spk2utt: str, counter: Counter) -> None:
    with (
        run.sequential(spk2utt, TOKEN_VECTOR) as speakers,
        run.random_access(args[0], FLOAT_MATRIX) as feats,
        run.writer(args[1], DOUBLE_MATRIX) as table,
    ):
        for speaker, utterances in speakers:
            total = None
            for utt in utterances:
                if utt in feats:
                    total = _added(total, counter, utt, feats[utt])
                else:
                    counter.failed(f"Did not find features for utterance {utt}")
            if total is None:
                run.warning(f"No stats accumulated for speaker {speaker}")
            else:
                table.write(speaker, total)


def _of_all(run: CommandRun, args: list[str], binary: bool, counter: Counter) -> None:
    total = None
    with run.sequential(args[0], FLOAT_MATRIX) as feats:
        for utt, matrix in feats:
            total = _added(total, counter, utt, matrix)
    if total is None:
        run.warning(f"{args[0]} holds no features, so {args[1]} is not written")
        return
    # Kaldi writes a single file of statistics in float32, tables in float64.
    run.write_object(args[1], FLOAT_MATRIX, total.astype(np.float32), binary)
    run.log(f"Wrote global CMVN stats to {args[1] if args[1] != '-' else 'standard output'}")


@command(
    "compute-cmvn-stats",
    usage="[options] <feats-rspecifier> (<stats-wspecifier>|<stats-wxfilename>)",
    num_args=(2, 2),
    options=ComputeCmvnStatsOptions,
    about="Compute the statistics of cepstral mean and variance normalization: to a table, of each utterance or (with "
    "--spk2utt) each speaker; to a file, of all together.",
)
def main(run: CommandRun, options: ComputeCmvnStatsOptions, args: list[str]) -> int:
    """Sum over frames; returns 0 if at least one utterance was counted."""
    to_table = is_rspecifier(args[1])
    if options.spk2utt and not to_table:
        raise KaldiError(f"--spk2utt gives a table of statistics, and {args[1]} is a file; did you forget ark: ?")
    with ExitStack() as stack:
        weights = stack.enter_context(run.random_access(options.weights, FLOAT_VECTOR)) if options.weights else None
        counter = Counter(run, weights)
        if options.spk2utt:
            _by_speaker(run, args, options.spk2utt, counter)
        elif to_table:
            _by_utterance(run, args, counter)
        else:
            _of_all(run, args, options.binary, counter)
    run.log(f"Done accumulating CMVN stats for {counter.num_done} utterances; {counter.num_errors} had errors.")
    return 0 if counter.num_done else 1
