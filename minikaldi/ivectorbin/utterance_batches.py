"""Features and posteriors of utterances in batches, for the commands of the i-vector extractor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from minikaldi.command import CommandRun
from minikaldi.gmm.triangles import Float32Array
from minikaldi.io import FLOAT_MATRIX, POSTERIOR_ARRAYS, FramePosteriors
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.utterance_stats import PAIRS_AT_ONCE, WeightedFrames, check_utterance


@dataclass
class UtteranceCounts:
    """Utterances used and left out.

    Attributes:
        done: used.
        errors: left out.
    """

    done: int = 0
    errors: int = 0


@dataclass
class UtteranceBatch:
    """Utterances with rows 0, 1, … in their order.

    Attributes:
        keys: their names.
        utterances: their frames and posteriors.
    """

    keys: list[str] = field(default_factory=list)
    utterances: list[WeightedFrames] = field(default_factory=list)

    def add(self, key: str, feats: Float32Array, posteriors: FramePosteriors) -> None:
        """Add an utterance."""
        self.utterances.append(WeightedFrames(len(self.keys), feats, posteriors))
        self.keys.append(key)


def utterances_with_posteriors(
    run: CommandRun, feature_rspecifier: str, posterior_rspecifier: str, terms: ExtractorTerms, counts: UtteranceCounts
) -> Iterator[tuple[str, Float32Array, FramePosteriors]]:
    """Each utterance that has posteriors for all its frames; others are counted, with Kaldi's warnings.

    Raises:
        KaldiError: an utterance does not fit the extractor, or holds NaN; the text names table and utterance.
    """
    with (
        run.sequential(feature_rspecifier, FLOAT_MATRIX) as features,
        run.random_access(posterior_rspecifier, POSTERIOR_ARRAYS) as table,
    ):
        for key, feats in features:
            if key not in table:
                run.warning(f"No posteriors for utterance {key}")
                counts.errors += 1
                continue
            posteriors = table[key]
            if posteriors.num_frames != len(feats):
                run.warning(
                    f"Size mismatch between posterior {posteriors.num_frames} and features {len(feats)} for utterance "
                    f"{key}"
                )
                counts.errors += 1
                continue
            check_utterance(f"{feature_rspecifier}: {key}", feats, posteriors, terms.num_gauss, terms.dim)
            counts.done += 1
            yield key, feats, posteriors


def batches_of(utterances: Iterator[tuple[str, Float32Array, FramePosteriors]], most: int) -> Iterator[UtteranceBatch]:
    """Batches of at most `most` utterances, and of at most about `PAIRS_AT_ONCE` pairs if they are long."""
    batch = UtteranceBatch()
    pairs = 0
    for utterance in utterances:
        batch.add(*utterance)
        pairs += len(utterance[2].indices)
        if len(batch.keys) == most or pairs >= PAIRS_AT_ONCE:
            yield batch
            batch, pairs = UtteranceBatch(), 0
    if batch.keys:
        yield batch
