"""What ivector-extractor-acc-stats and ivector-extract have in common: threads, and the reading of an extractor."""

from __future__ import annotations

from dataclasses import dataclass

from common.options import option
from minikaldi.command import CommandRun
from minikaldi.ivector.extractor_terms import ExtractorTerms, terms_of
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.options import CommandOptions


@dataclass
class ThreadOptions(CommandOptions):
    """Kaldi's options of threads; a batch is one matrix product here, and OMP_NUM_THREADS sets the threads of that."""

    num_threads: int = option(1, "Number of actively processing threads to run in parallel; no effect here")
    num_threads_total: int = option(0, "Total number of threads, including those that wait; no effect here")


def read_terms(run: CommandRun, rxfilename: str) -> ExtractorTerms:
    """The terms of an extractor in a file; its projections and inverse covariances stay in memory."""
    extractor = run.read_object(rxfilename, EXTRACTOR)
    run.log("Computing derived variables for iVector extractor")
    terms = terms_of(extractor)
    run.log("Done.")
    return terms
