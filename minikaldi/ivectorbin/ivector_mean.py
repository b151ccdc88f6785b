"""ivector-mean: the mean vector of every speaker, or of a whole table.

Differs from Kaldi: a vector that holds NaN or infinity is an error that names it; Kaldi continues with it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import DOUBLE_VECTOR, FLOAT_VECTOR, INT32, TOKEN_VECTOR
from minikaldi.ivectorbin.speaker_vectors import SpeakerCounts, speaker_vectors
from minikaldi.ivectorbin.vector_blocks import vector_blocks
from minikaldi.options import CommandOptions


@dataclass
class IvectorMeanOptions(CommandOptions):
    """Options of ivector-mean."""

    binary: bool = option(False, "If true, write the mean of a whole table in binary (tables follow their wspecifier)")


@dataclass
class MeanLengths:
    """Sum and energies of the speaker means, for the log.

    Attributes:
        total: sum of the means (D,).
        energies: squared length of each.
    """

    total: NDArray[np.float64] | None = None
    energies: list[float] = field(default_factory=list)

    def add(self, mean: NDArray[np.float64]) -> None:
        """Add one speaker's mean."""
        self.total = mean if self.total is None else self.total + mean
        self.energies.append(float(mean @ mean))

    def describe(self) -> str:
        """Kaldi's log line about the lengths."""
        assert self.total is not None
        norm = np.linalg.norm(self.total / len(self.energies))
        rms = np.sqrt(np.mean(self.energies) / self.total.size)
        return (
            f"Norm of mean of speakers is {norm:.6g}, root-mean-square speaker-iVector length divided by sqrt(dim) is "
            f"{rms:.6g}"
        )


@command(
    "ivector-mean",
    usage="<spk2utt-rspecifier> <ivector-rspecifier> <ivector-wspecifier> [<num-utt-wspecifier>]\n"
    "or: ivector-mean <ivector-rspecifier> <mean-wxfilename>",
    num_args=(2, 4),
    options=IvectorMeanOptions,
    about="Average vectors over the utterances of each speaker (3 or 4 arguments), or over a whole table (2).",
)
def main(run: CommandRun, options: IvectorMeanOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-mean.cc."""
    if len(args) == 2:
        return write_global_mean(run, args[0], args[1], options.binary)
    return write_speaker_means(run, args)


def write_global_mean(run: CommandRun, rspecifier: str, wxfilename: str, binary: bool) -> int:
    """Write the mean of all vectors of a table to one file."""
    total: NDArray[np.float64] | None = None
    num_done = 0
    for block in vector_blocks(run, rspecifier):
        part = block.vectors.sum(axis=0, dtype=np.float64)
        total = part if total is None else total + part
        num_done += len(block.keys)
    if total is None:
        raise KaldiError(f"{rspecifier}: No iVectors read")
    run.write_object(wxfilename, DOUBLE_VECTOR, total / num_done, binary)
    return 0


def write_speaker_means(run: CommandRun, args: list[str]) -> int:
    """Write the mean of each speaker's vectors and, with a fourth argument, their number to tables."""
    counts, lengths = SpeakerCounts(), MeanLengths()
    with ExitStack() as tables:
        spk2utt = tables.enter_context(run.sequential(args[0], TOKEN_VECTOR))
        vectors = tables.enter_context(run.random_access(args[1], FLOAT_VECTOR))
        means = tables.enter_context(run.writer(args[2], FLOAT_VECTOR))
        num_utts = tables.enter_context(run.writer(args[3], INT32)) if len(args) == 4 and args[3] else None
        for speaker, rows in speaker_vectors(run, spk2utt, vectors, counts):
            mean = rows.mean(axis=0, dtype=np.float64)
            means.write(speaker, mean)
            if num_utts is not None:
                num_utts.write(speaker, len(rows))
            lengths.add(mean)
    run.log(counts.describe("Computed mean of"))
    if counts.speakers_done:
        run.log(lengths.describe())
    return 0 if counts.speakers_done else 1
