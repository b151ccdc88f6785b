"""gmm-gselect: the best Gaussians of each frame under a diagonal GMM.

Source: Kaldi gmmbin/gmm-gselect.cc.

Differs from Kaldi: features that are empty or not finite are an error that names the utterance; Kaldi aborts.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_likes import DiagScorer
from minikaldi.gmm.triangles import Float64Array
from minikaldi.gmmbin.accumulation import average_of
from minikaldi.gmmbin.frame_tables import FrameTables, Utterance
from minikaldi.io import FLOAT, GSELECT, FrameIndices
from minikaldi.options import CommandOptions

_LOG_EVERY = 10  # files


@dataclass
class GselectOptions(CommandOptions):
    """Options of gmm-gselect."""

    gselect: str = option("", "rspecifier of Gaussians to limit the search to; empty: all")
    n: int = option(50, "Number of Gaussians to keep per frame")
    write_likes: str = option("", "wspecifier for the log-likelihood of each utterance")


@command(
    "gmm-gselect",
    usage="[options] <model-in> <feature-rspecifier> <gselect-wspecifier>",
    num_args=(3, 3),
    options=GselectOptions,
    about="For each frame, give the best Gaussians, sorted from best to worst (for pruning).",
)
def main(run: CommandRun, options: GselectOptions, args: list[str]) -> int:
    """Select; the exit code is 1 if there was no utterance."""
    gmm = run.read_object(args[0], DIAG_GMM)
    count = _count(run, options.n, gmm.num_gauss)
    scorer = DiagScorer(gmm)
    tables = FrameTables(args[1], options.gselect, "", gmm.dim, gmm.num_gauss)
    total, frames = 0.0, 0
    with ExitStack() as opened:
        selections = opened.enter_context(run.writer(args[2], GSELECT))
        sums = opened.enter_context(run.writer(options.write_likes, FLOAT)) if options.write_likes else None
        for number, utterance in enumerate(tables.utterances(run)):
            selection, likes = _select(scorer, utterance, count)
            selections.write(utterance.key, selection)
            like = float(likes.sum())
            if number % _LOG_EVERY == 0:
                average = f"average UBM likelihood over {len(likes)} frames is {like / len(likes):.6g}"
                run.log(f"For {number}'th file, {average}")
            if sums is not None:
                sums.write(utterance.key, like)
            total, frames = total + like, frames + len(likes)
    run.log(
        f"Done {tables.done} files, {tables.errors} with errors, average UBM log-likelihood is "
        f"{average_of(total, frames):.6g} over {frames} frames."
    )
    return 0 if tables.done else 1


def _count(run: CommandRun, asked: int, num_gauss: int) -> int:
    """How many Gaussians are kept."""
    if asked < 1:
        raise KaldiError(f"--n={asked}; expected an integer >= 1")
    if asked > num_gauss:
        run.warning(
            f"You asked for {asked} Gaussians but GMM only has {num_gauss}, returning this many. "
            "Note: this means the Gaussian selection is pointless."
        )
    return min(asked, num_gauss)


def _select(scorer: DiagScorer, utterance: Utterance, count: int) -> tuple[FrameIndices, Float64Array]:
    if not len(utterance.feats):
        raise KaldiError(f"{utterance.key}: the features have no frames; leave the utterance out")
    try:
        if utterance.selection is not None:
            return scorer.select_among(utterance.feats, utterance.selection, count)
        return scorer.select(utterance.feats, count)
    except KaldiError as exc:
        raise KaldiError(f"{utterance.key}: {exc}") from exc
