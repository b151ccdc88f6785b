"""fgmm-global-gselect-to-post: the shares of the selected Gaussians of each frame under a full-covariance GMM.

Source: Kaldi fgmmbin/fgmm-global-gselect-to-post.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.fgmmbin.block_posteriors import block_posteriors
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.gmm.full_likes import FullScorer
from minikaldi.gmmbin.accumulation import LOUD, average_of
from minikaldi.gmmbin.frame_tables import FrameTables, in_blocks
from minikaldi.io import POSTERIOR_ARRAYS
from minikaldi.options import CommandOptions


@dataclass
class GselectToPostOptions(CommandOptions):
    """Options of fgmm-global-gselect-to-post."""

    min_post: float = option(0.0, "If not 0, shares below it are left out and the rest is scaled to the sum 1")


@command(
    "fgmm-global-gselect-to-post",
    usage="[options] <model-in> <feature-rspecifier> <gselect-rspecifier> <post-wspecifier>",
    num_args=(4, 4),
    options=GselectToPostOptions,
    about="Give the posterior probabilities of the selected Gaussians of each frame, perhaps without the small ones.",
)
def main(run: CommandRun, options: GselectToPostOptions, args: list[str]) -> int:
    """Compute the posteriors; the exit code is 1 if there was no utterance."""
    gmm = run.read_object(args[0], FULL_GMM)
    scorer = FullScorer(gmm)
    tables = FrameTables(args[1], args[2], "", gmm.dim, gmm.num_gauss, finite=False)
    like, frames, entries, done = 0.0, 0, 0, 0
    with run.writer(args[3], POSTERIOR_ARRAYS) as posteriors:
        for block in in_blocks(tables.utterances(run)):
            for key, likes, posterior in block_posteriors(scorer, block, options.min_post):
                if not np.isfinite(likes).all():
                    run.warning(f"Skipping utterance {key} because bad posterior-sum encountered (NaN?)")
                    continue
                posteriors.write(key, posterior)
                done += 1
                if run.verbose >= LOUD:
                    average = f"{average_of(float(likes.sum()), len(likes)):.6g} per frame over {len(likes)} frames."
                    run.log(f"Like/frame for utt {key} was {average}")
                like += float(likes.sum())
                frames, entries = frames + len(likes), entries + len(posterior.indices)
    run.log(f"Done {done} files; {tables.errors + tables.done - done} had errors.")
    average = f"{average_of(like, frames):.6g} with {average_of(entries, frames):.6g} entries per frame"
    run.log(f"Overall loglike per frame is {average},  over {frames} frames")
    return 0 if done else 1
