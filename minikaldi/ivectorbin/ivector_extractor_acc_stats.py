"""ivector-extractor-acc-stats: statistics for the estimation of an i-vector extractor.

Differs from Kaldi: features and posteriors that hold NaN or infinity are an error that names the utterance. Vectors
that are drawn for weights are seeded by the utterance and the model. --cache-size is also the number of utterances that
are processed together. Products are in float32, in float64 for an utterance with too few Gaussians; sums differ from
those of float64 by less than 1e-5 of the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.ivector.extractor_posterior import equations_of, posterior_of
from minikaldi.ivector.extractor_stats import StatsAccumulator
from minikaldi.ivector.extractor_terms import ExtractorTerms
from minikaldi.ivector.extractor_weights import moments_of, posterior_with_weights, weight_stats
from minikaldi.ivector.utterance_stats import batch_stats
from minikaldi.ivectorbin.extractor_options import ThreadOptions, read_terms
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS
from minikaldi.ivectorbin.utterance_batches import (
    UtteranceBatch,
    UtteranceCounts,
    batches_of,
    utterances_with_posteriors,
)


@dataclass
class ExtractorStatsOptions(ThreadOptions):
    """Options of ivector-extractor-acc-stats."""

    cache_size: int = option(100, "Utterances whose statistics are added at once (only affects speed and memory)")
    compute_auxf: bool = option(True, "If true, compute the auxiliary function on training data, to check convergence")
    num_samples_for_weights: int = option(
        10, "Number of samples from the iVector distribution for accumulating stats for weight update; must be > 1"
    )
    update_variances: bool = option(True, "If true, update the Gaussian variances")
    binary: bool = option(True, "Write output in binary mode")


@command(
    "ivector-extractor-acc-stats",
    usage="[options] <model-in> <feature-rspecifier> <posteriors-rspecifier> <stats-out>",
    num_args=(4, 4),
    options=ExtractorStatsOptions,
    about="Accumulate stats for iVector extractor training, from features and Gaussian-level posteriors.",
)
def main(run: CommandRun, options: ExtractorStatsOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-extractor-acc-stats.cc."""
    if options.num_samples_for_weights <= 1:
        raise KaldiError(f"--num-samples-for-weights={options.num_samples_for_weights}; expected an integer >= 2")
    if options.cache_size < 1:
        raise KaldiError(f"--cache-size={options.cache_size}; expected an integer >= 1")
    counts = UtteranceCounts()
    accumulator = _accumulated(run, options, args, counts)
    run.write_object(args[3], EXTRACTOR_STATS, accumulator.finish(), options.binary)
    run.log(f"Wrote stats to {args[3]}")
    return 0 if counts.done else 1


def _accumulated(
    run: CommandRun, options: ExtractorStatsOptions, args: list[str], counts: UtteranceCounts
) -> StatsAccumulator:
    """All batches; only the accumulator then holds the terms, so that its end can drop the large ones."""
    terms = read_terms(run, args[0])
    accumulator = StatsAccumulator(terms, options.update_variances, options.compute_auxf)
    frames = 0
    utterances = utterances_with_posteriors(run, args[1], args[2], terms, counts)
    for batch in batches_of(utterances, options.cache_size):
        _add_batch(accumulator, terms, batch, options)
        frames += sum(len(utterance.feats) for utterance in batch.utterances)
    run.log(f"Done {counts.done} files, {counts.errors} with errors.  Total frames {frames}")
    return accumulator


def _add_batch(
    accumulator: StatsAccumulator, terms: ExtractorTerms, batch: UtteranceBatch, options: ExtractorStatsOptions
) -> None:
    stats = batch_stats(batch.utterances, len(batch.keys), terms.centres, options.update_variances)
    equations = equations_of(terms, stats, batch.keys)
    if not terms.has_weight_projections:
        accumulator.add(stats, posterior_of(equations))
        return
    posterior = posterior_with_weights(terms, stats, equations)
    accumulator.add(stats, moments_of(terms, stats, equations, posterior))
    accumulator.add_weights(weight_stats(terms, stats, posterior, options.num_samples_for_weights, batch.keys))
