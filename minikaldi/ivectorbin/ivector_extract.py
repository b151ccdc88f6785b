"""ivector-extract: one vector for each utterance or speaker, from features and posteriors.

Differs from Kaldi: features and posteriors that hold NaN or infinity are an error that names the utterance. Products
are in float32, in float64 for an utterance with too few Gaussians; vectors differ from those of float64 by less than
1e-5 of the largest element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.triangles import Float32Array
from minikaldi.io import FLOAT_VECTOR, FramePosteriors, TableWriter
from minikaldi.ivector.extraction import extract_vectors
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.utterance_stats import batch_stats
from minikaldi.ivectorbin.extractor_options import ThreadOptions, read_terms
from minikaldi.ivectorbin.speaker_extraction import extract_speakers
from minikaldi.ivectorbin.utterance_batches import (
    UtteranceBatch,
    UtteranceCounts,
    batches_of,
    utterances_with_posteriors,
)

UTTERANCES_PER_BATCH = 128  # the product with U reads its 0.66 GB once for each batch
Utterance = tuple[str, Float32Array, FramePosteriors]


@dataclass
class ExtractOptions(ThreadOptions):
    """Options of ivector-extract."""

    acoustic_weight: float = option(
        1.0, "Weight on the part of the auxf that involves the data; if it is small, the prior has more effect"
    )
    compute_objf_change: bool = option(
        True, "If true, compute the change in objective function from using a nonzero iVector"
    )
    max_count: float = option(
        0.0, "If > 0, scale down the statistics to this number of frames (after --acoustic-weight)"
    )
    spk2utt: str = option("", "Rspecifier of a spk2utt table, for one iVector per speaker from all of its utterances")


@dataclass
class _Totals:
    frames: float = 0.0
    auxf_change: float = 0.0


@command(
    "ivector-extract",
    usage="[options] <model-in> <feature-rspecifier> <posteriors-rspecifier> <ivector-wspecifier>",
    num_args=(4, 4),
    options=ExtractOptions,
    about="Extract iVectors for utterances, using a trained iVector extractor, features and Gaussian-level posteriors.",
)
def main(run: CommandRun, options: ExtractOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extract.cc."""
    if options.spk2utt and options.num_threads != 1:
        raise KaldiError(f"--spk2utt and --num-threads={options.num_threads} exclude each other; leave out one")
    terms = read_terms(run, args[0])
    with run.writer(args[3], FLOAT_VECTOR) as vectors:
        if options.spk2utt:
            return extract_speakers(run, options, terms, args[1], args[2], vectors)
        return _extract_utterances(run, options, terms, args, vectors)


def _extract_utterances(
    run: CommandRun, options: ExtractOptions, terms: ExtractorTerms, args: list[str],
    vectors: TableWriter[NDArray[np.float32]],
) -> int:  # fmt: skip
    counts, totals = UtteranceCounts(), _Totals()
    utterances = utterances_with_posteriors(run, args[1], args[2], terms, counts)
    for batch in batches_of(_weighted(run, options, utterances), UTTERANCES_PER_BATCH):
        _write_batch(run, options, terms, batch, totals, vectors)
    run.log(f"Done {counts.done} files, {counts.errors} with errors.  Total (weighted) frames {totals.frames:.6g}")
    if options.compute_objf_change:
        per_frame = totals.auxf_change / totals.frames if totals.frames else 0.0
        run.log(
            f"Overall average objective-function change from estimating ivector was {per_frame:.6g} per frame  over "
            f"{totals.frames:.6g} (weighted) frames."
        )
    return 0 if counts.done else 1


def _weighted(run: CommandRun, options: ExtractOptions, utterances: Iterator[Utterance]) -> Iterator[Utterance]:
    """The utterances with their shares scaled by --acoustic-weight and --max-count."""
    for key, feats, posteriors in utterances:
        frames = options.acoustic_weight * float(posteriors.shares.sum(dtype=np.float64))
        scale = 1.0
        if 0.0 < options.max_count < frames:
            scale = options.max_count / frames
            run.log(
                f"Scaling stats for utterance {key} by scale {scale:.6g} due to --max-count={options.max_count:.6g}"
            )
        factor = np.float32(options.acoustic_weight * scale)
        yield key, feats, replace(posteriors, shares=posteriors.shares * factor)


def _write_batch(
    run: CommandRun, options: ExtractOptions, terms: ExtractorTerms, batch: UtteranceBatch, totals: _Totals,
    vectors: TableWriter[NDArray[np.float32]],
) -> None:  # fmt: skip
    stats = batch_stats(batch.utterances, len(batch.keys), terms.centres, with_scatter=False)
    found = extract_vectors(terms, stats, batch.keys, options.compute_objf_change)
    frames = stats.num_frames
    totals.frames += float(frames.sum())
    totals.auxf_change += float(found.auxf_changes.sum())
    for row, key in enumerate(batch.keys):
        if run.verbose >= 2:
            if options.compute_objf_change:
                change = found.auxf_changes[row] / frames[row] if frames[row] else 0.0
                run.log(
                    f"Auxf change for utterance {key} was {change:.6g} per frame over {frames[row]:.6g} frames "
                    "(weighted)"
                )
            run.log(f"Ivector norm for utterance {key} was {np.linalg.norm(found.vectors[row]):.6g}")
        vectors.write(key, found.vectors[row].astype(np.float32))
