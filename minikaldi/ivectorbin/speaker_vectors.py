"""The vectors of each speaker in turn, for the commands with a spk2utt table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.command import CommandRun
from minikaldi.io import RandomAccessReader
from minikaldi.ivector.vectors import require_finite


@dataclass
class SpeakerCounts:
    """The numbers of speakers and utterances.

    Attributes:
        speakers_done: speakers with vectors.
        speakers_empty: speakers without vectors.
        utts_done: utterances with vectors.
        utts_missing: utterances without vectors.
    """

    speakers_done: int = 0
    speakers_empty: int = 0
    utts_done: int = 0
    utts_missing: int = 0

    def describe(self, what: str) -> str:
        """Kaldi's log line about the counts, after `what` (`Computed mean of`)."""
        return (
            f"{what} {self.speakers_done} speakers ({self.speakers_empty} with no utterances), consisting of "
            f"{self.utts_done} utterances ({self.utts_missing} absent from input)."
        )


def speaker_vectors(
    run: CommandRun,
    spk2utt: Iterable[tuple[str, list[str]]],
    vectors: RandomAccessReader[NDArray[np.float32]],
    counts: SpeakerCounts,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each speaker that has vectors, with its vectors (N, D). Missing utterances are counted, with a warning.

    Raises:
        KaldiError: a speaker's line names no utterance, vectors differ in dimension, or one holds NaN.
    """
    dim = 0
    for speaker, utt_ids in spk2utt:
        if not utt_ids:
            raise KaldiError(f"Speaker with no utterances: {speaker}")
        rows = []
        for utt_id in utt_ids:
            if utt_id not in vectors:
                run.warning(f"No iVector present in input for utterance {utt_id}")
                counts.utts_missing += 1
                continue
            vector = vectors[utt_id]
            rows.append((utt_id, vector))
            dim = dim or vector.size
            if not dim:
                raise KaldiError(f"{utt_id}: the vector is empty; extract it again, or leave the utterance out")
            if vector.size != dim:
                raise KaldiError(f"{utt_id}: vector has {vector.size} dimensions, those before {dim}")
        counts.utts_done += len(rows)
        if rows:
            counts.speakers_done += 1
            yield speaker, _table(rows)
        else:
            run.warning(f"Not producing output for speaker {speaker} since no utterances had iVectors")
            counts.speakers_empty += 1


def _table(rows: list[tuple[str, NDArray[np.float32]]]) -> NDArray[np.float32]:
    # np.array takes three times as long.
    values = np.concatenate([vector for _, vector in rows]).reshape(len(rows), rows[0][1].size)
    if not np.isfinite(values).all():
        for utt_id, vector in rows:
            require_finite(utt_id, vector)
    return values
