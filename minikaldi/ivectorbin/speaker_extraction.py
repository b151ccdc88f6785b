"""One vector for each speaker, from the statistics of all its utterances: ivector-extract --spk2utt.

Source: RunPerSpeaker in ivectorbin/ivector-extract.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minikaldi.command import CommandRun
from minikaldi.io import (
    FLOAT_MATRIX,
    POSTERIOR_ARRAYS,
    TOKEN_VECTOR,
    FramePosteriors,
    RandomAccessReader,
    TableWriter,
)
from minikaldi.ivector.extraction import extract_vectors
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.utterance_stats import (
    PAIRS_AT_ONCE,
    BatchStats,
    WeightedFrames,
    batch_stats,
    check_utterance,
)
from minikaldi.ivectorbin.utterance_batches import UtteranceCounts

_MOST_SPEAKERS = 64  # in one batch


class SpeakerExtractionOptions(Protocol):
    """What is needed of the options of ivector-extract."""

    acoustic_weight: float
    compute_objf_change: bool
    max_count: float
    spk2utt: str


@dataclass
class _Totals:
    utterances: UtteranceCounts = field(default_factory=UtteranceCounts)
    speakers: int = 0
    empty_speakers: int = 0
    frames: float = 0.0
    auxf_change: float = 0.0
    norm: float = 0.0  # weighted by frames


@dataclass
class _SpeakerBatch:
    terms: ExtractorTerms
    speakers: list[str] = field(default_factory=list)
    utterances: list[WeightedFrames] = field(default_factory=list)  # whose frames are held
    partial: BatchStats | None = None  # statistics of those before
    held: int = 0  # pairs of the held utterances
    pairs: int = 0  # of all

    def add(self, feats: NDArray[np.float32], posteriors: FramePosteriors) -> None:
        """Add an utterance of the next speaker; a speaker's frames are not all held if they are many."""
        self.utterances.append(WeightedFrames(len(self.speakers), feats, posteriors))
        self.held += len(posteriors.indices)
        self.pairs += len(posteriors.indices)
        if self.held >= PAIRS_AT_ONCE:
            self.partial = self.stats(len(self.speakers) + 1)
            self.utterances, self.held = [], 0

    def stats(self, num_rows: int) -> BatchStats:
        """The statistics of all utterances so far."""
        if self.partial is None and self.utterances:
            return batch_stats(self.utterances, num_rows, self.terms.centres, with_scatter=False)
        counts = np.zeros((num_rows, self.terms.num_gauss))
        sums = np.zeros((num_rows, len(self.terms.linear)), dtype=np.float32)
        parts = [] if self.partial is None else [self.partial]
        if self.utterances:
            parts.append(batch_stats(self.utterances, num_rows, self.terms.centres, with_scatter=False))
        for part in parts:
            counts[: len(part.counts)] += part.counts
            sums[: len(part.sums)] += part.sums
        return BatchStats(counts, sums, None)


def extract_speakers(
    run: CommandRun, options: SpeakerExtractionOptions, terms: ExtractorTerms, feature_rspecifier: str,
    posterior_rspecifier: str, vectors: TableWriter[NDArray[np.float32]],
) -> int:  # fmt: skip
    """Write the vectors of all speakers; the exit code is 1 if there is none."""
    totals = _Totals()
    with (
        run.sequential(options.spk2utt, TOKEN_VECTOR) as spk2utt,
        run.random_access(feature_rspecifier, FLOAT_MATRIX) as features,
        run.random_access(posterior_rspecifier, POSTERIOR_ARRAYS) as posteriors,
    ):
        batch = _SpeakerBatch(terms)
        for speaker, utt_ids in spk2utt:
            for feats, weighted in _utterances(run, utt_ids, features, posteriors, totals.utterances):
                check_utterance(f"{feature_rspecifier}: {speaker}", feats, weighted, terms.num_gauss, terms.dim)
                shares = weighted.shares * np.float32(options.acoustic_weight)
                batch.add(feats, replace(weighted, shares=shares))
            batch.speakers.append(speaker)
            if len(batch.speakers) == _MOST_SPEAKERS or batch.pairs >= PAIRS_AT_ONCE:
                _write_batch(run, options, terms, batch, totals, vectors)
                batch = _SpeakerBatch(terms)
        if batch.speakers:
            _write_batch(run, options, terms, batch, totals, vectors)
    _report(run, options, totals)
    return 0 if totals.speakers else 1


def _utterances(
    run: CommandRun, utt_ids: Sequence[str], features: RandomAccessReader[NDArray[np.float32]],
    posteriors: RandomAccessReader[FramePosteriors], counts: UtteranceCounts,
) -> Iterator[tuple[NDArray[np.float32], FramePosteriors]]:  # fmt: skip
    for utt_id in utt_ids:
        problem = ""
        if utt_id not in features:
            problem = f"No features present for utterance {utt_id}"
        elif utt_id not in posteriors:
            problem = f"No posteriors present for utterance {utt_id}"
        elif posteriors[utt_id].num_frames != len(features[utt_id]):
            sizes = f"{posteriors[utt_id].num_frames} vs. feats {len(features[utt_id])}"
            problem = f"Posterior has wrong size {sizes} for {utt_id}"
        if problem:
            run.warning(problem)
            counts.errors += 1
            continue
        counts.done += 1
        yield features[utt_id], posteriors[utt_id]


def _write_batch(
    run: CommandRun, options: SpeakerExtractionOptions, terms: ExtractorTerms, batch: _SpeakerBatch, totals: _Totals,
    vectors: TableWriter[NDArray[np.float32]],
) -> None:  # fmt: skip
    stats = _limited(run, options, batch.speakers, batch.stats(len(batch.speakers)))
    found = extract_vectors(terms, stats, batch.speakers, options.compute_objf_change)
    for row, speaker in enumerate(batch.speakers):
        frames = float(stats.num_frames[row])
        if frames == 0.0:
            run.warning(f"No stats accumulated for speaker {speaker}")
            totals.empty_speakers += 1
            continue
        if options.compute_objf_change:
            change = float(found.auxf_changes[row])
            run.log(
                f"Auxf change for speaker {speaker} was {change / frames:.6g} per frame, over {frames:.6g} frames "
                "(weighted)."
            )
            totals.auxf_change += change
        norm = float(np.linalg.norm(found.vectors[row]))
        run.log(f"Ivector norm for speaker {speaker} was {norm:.6g}")
        totals.norm += norm * frames
        totals.frames += frames
        totals.speakers += 1
        vectors.write(speaker, found.vectors[row].astype(np.float32))


def _limited(
    run: CommandRun, options: SpeakerExtractionOptions, speakers: Sequence[str], stats: BatchStats
) -> BatchStats:
    """The statistics scaled down to --max-count frames."""
    scales = np.ones(len(speakers))
    for row, (speaker, frames) in enumerate(zip(speakers, stats.num_frames.tolist(), strict=True)):
        if 0.0 < options.max_count < frames:
            scales[row] = options.max_count / frames
            run.log(
                f"Scaling stats for speaker {speaker} by scale {scales[row]:.6g} due to "
                f"--max-count={options.max_count:.6g}"
            )
    return BatchStats(stats.counts * scales[:, None], stats.sums * scales.astype(np.float32)[:, None], None)


def _report(run: CommandRun, options: SpeakerExtractionOptions, totals: _Totals) -> None:
    counts = totals.utterances
    run.log(
        f"Done {totals.speakers} speakers; {totals.empty_speakers} with errors.  {counts.done} utterances were "
        f"processed, {counts.errors} with errors."
    )
    if totals.frames == 0.0:
        return
    if options.compute_objf_change:
        run.log(
            f"Overall weighted-average objective function improvement was {totals.auxf_change / totals.frames:.6g} "
            f"over {totals.frames:.6g} frames (weighted)"
        )
    run.log(
        f"Average iVector norm (weighted by frames) was {totals.norm / totals.frames:.6g} over {totals.frames:.6g} "
        "frames (weighted)"
    )
