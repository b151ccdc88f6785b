"""ivector-plda-scoring: log-likelihood ratios of the pairs of a trial list under a PLDA model.

Differs from Kaldi: a vector that holds NaN or infinity, or that is the model's mean and has no length, is an error that
names it; Kaldi continues with it. Trials are scored in blocks; their order is Kaldi's, and missing ones are left out
with a warning, as in Kaldi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.io import INT32
from minikaldi.ivector.plda import Plda, TrialScorer
from minikaldi.ivector.vectors import Float64Array
from minikaldi.ivectorbin.plda_holder import PLDA
from minikaldi.ivectorbin.plda_options import PldaOptions, to_model_space
from minikaldi.ivectorbin.trial_scores import NamedRows, TrialScoring, VectorTable, read_vector_table


@dataclass
class PldaScoringOptions(PldaOptions):
    """Options of ivector-plda-scoring."""

    num_utts: str = option("", "Table of the number of utterances averaged per speaker, e.g. ark:num_utts.ark")


@command(
    "ivector-plda-scoring",
    usage="<plda> <train-ivector-rspecifier> <test-ivector-rspecifier> <trials-rxfilename> <scores-wxfilename>",
    num_args=(5, 5),
    options=PldaScoringOptions,
    about="Compute log-likelihood ratios for lines `key1 key2` of a trial list under a PLDA model.",
)
def main(run: CommandRun, options: PldaScoringOptions, args: list[str]) -> int:
    """Source: ivectorbin/ivector-plda-scoring.cc."""
    plda = run.read_object(args[0], PLDA)
    run.log("Reading train iVectors")
    enroll, num_examples, num_enroll_err = with_num_utts(
        run, read_vector_table(run, args[1], "training"), options.num_utts
    )
    enroll_vectors, scale = project_table(plda, enroll, num_examples, options, args[1])
    run.log(f"Read {len(enroll.row)} training iVectors, errors on {num_enroll_err}")
    run.log(f"Average renormalization scale on training iVectors was {scale:.6g}")
    run.log("Reading test iVectors")
    test = read_vector_table(run, args[2], "test")
    test_vectors, scale = project_table(plda, test, np.ones(len(test.row), dtype=np.int64), options, args[2])
    run.log(f"Read {len(test.row)} test iVectors.")
    run.log(f"Average renormalization scale on test iVectors was {scale:.6g}")
    scorer = TrialScorer(plda.psi, enroll_vectors, num_examples, test_vectors)
    left, right = NamedRows.of(enroll.row, "training iVectors"), NamedRows.of(test.row, "test iVectors")
    totals = TrialScoring(run, left, right, scorer.score).score_list(args[3], args[4])
    totals.log_mean(run, "score")
    run.log(f"Processed {totals.num_done} trials, {totals.num_err} had errors.")
    return 0 if totals.num_done else 1


def with_num_utts(run: CommandRun, table: VectorTable, num_utts: str) -> tuple[VectorTable, NDArray[np.int64], int]:
    """The table with the number of utterances of each row, (M,), and how many rows had no number and were left out.

    Raises:
        KaldiError: a number is below 1, or no row has one.
    """
    if not num_utts:
        return table, np.ones(len(table.row), dtype=np.int64), 0
    counts: dict[str, int] = {}
    with run.random_access(num_utts, INT32) as numbers:
        for key in table.row:
            if key not in numbers:
                run.warning(f"Number of utterances not given for speaker {key}")
                continue
            counts[key] = numbers[key]
            if counts[key] < 1:
                raise KaldiError(f"{num_utts}: {key}: found {counts[key]} utterances, expected an integer >= 1")
    if not counts:
        raise KaldiError(f"{num_utts}: No training iVectors present that have a number of utterances.")
    kept = VectorTable(
        {key: index for index, key in enumerate(counts)}, table.vectors[[table.row[key] for key in counts]]
    )
    return kept, np.array(list(counts.values()), dtype=np.int64), len(table.row) - len(counts)


def project_table(
    plda: Plda, table: VectorTable, num_examples: NDArray[np.int64], options: PldaOptions, name: str
) -> tuple[Float64Array, float]:
    """Vectors in the model's space, (M, D), normalised if wanted, and their mean normalisation factor."""
    try:
        projected, factors = to_model_space(plda, table.vectors, num_examples, options, list(table.row))
    except KaldiError as error:
        raise KaldiError(f"{name}: {error}") from error
    return projected, float(factors.mean())
