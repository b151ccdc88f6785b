"""The features of utterances with their selected Gaussians and weights, one utterance or one block after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from common.errors import KaldiError
from minikaldi.command import CommandRun
from minikaldi.gmm.diag_likes import check_dim
from minikaldi.gmm.selection import check_selection
from minikaldi.gmm.triangles import Float32Array
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, GSELECT, FrameIndices, RandomAccessReader

BLOCK_FRAMES = 1 << 15  # of several utterances: with 2,048 Gaussians each has some hundred frames at once
BLOCK_PAIRS = 1 << 21  # of frame and Gaussian


@dataclass(frozen=True)
class Utterance:
    """The frames of an utterance.

    Attributes:
        key: its id.
        feats: (T, F).
        weights: (T,); None: 1.
        selection: the Gaussians of each frame; None: all.
    """

    key: str
    feats: Float32Array
    weights: Float32Array | None
    selection: FrameIndices | None


@dataclass
class FrameTables:
    """The tables that a command reads.

    Attributes:
        feats: rspecifier of the features.
        gselect: rspecifier of the selected Gaussians; empty: all.
        weights: rspecifier of the frames' weights; empty: 1.
        dim: F, of the model.
        num_gauss: M, of the model.
        finite: whether a feature that is not finite is an error.
        done: utterances read.
        errors: utterances without Gaussians or weights.
    """

    feats: str
    gselect: str
    weights: str
    dim: int
    num_gauss: int
    finite: bool = True
    done: int = field(default=0, init=False)
    errors: int = field(default=0, init=False)

    def utterances(self, run: CommandRun) -> Iterator[Utterance]:
        """Each utterance that has all that is asked for. The others are counted, with a warning.

        Raises:
            KaldiError: another dimension, a feature that is not finite, or a Gaussian that the model does not have.
        """
        with ExitStack() as tables:
            gselect = tables.enter_context(run.random_access(self.gselect, GSELECT)) if self.gselect else None
            weights = tables.enter_context(run.random_access(self.weights, FLOAT_VECTOR)) if self.weights else None
            for key, feats in tables.enter_context(run.sequential(self.feats, FLOAT_MATRIX)):
                utterance = self._utterance(run, key, feats, gselect, weights)
                if utterance is None:
                    self.errors += 1
                    continue
                self.done += 1
                yield utterance

    def _utterance(
        self,
        run: CommandRun,
        key: str,
        feats: Float32Array,
        gselect: RandomAccessReader[FrameIndices] | None,
        weights: RandomAccessReader[Float32Array] | None,
    ) -> Utterance | None:
        """None, with a warning, if the utterance lacks Gaussians or weights."""
        own_weights = own_selection = None
        if weights is not None:
            if key not in weights:
                run.warning(f"No per-frame weights available for utterance {key}")
                return None
            own_weights = weights[key]
            if own_weights.size != len(feats):
                run.warning(f"Weights for utterance {key} have wrong dim {own_weights.size} vs. {len(feats)}")
                return None
        if gselect is not None:
            if key not in gselect:
                run.warning(f"No gselect information for utterance {key}")
                return None
            own_selection = gselect[key]
            if own_selection.num_frames != len(feats):
                found = f"{own_selection.num_frames} vs. {len(feats)}"
                run.warning(f"gselect information for utterance {key} has wrong size {found}")
                return None
            check_selection(key, own_selection, self.num_gauss)
        if len(feats):
            check_frames(key, feats, self.dim, self.finite)
        return Utterance(key, feats, own_weights, own_selection)


def check_frames(key: str, feats: Float32Array, dim: int, finite: bool = True) -> None:
    """Check frames (T, F).

    Raises:
        KaldiError: they are not of the model's dimension, or one is not finite; the text names the utterance.
    """
    try:
        check_dim(feats, dim)
    except KaldiError as exc:
        raise KaldiError(f"{key}: {exc}") from exc
    if finite and not np.isfinite(feats).all():
        frame = int((~np.isfinite(feats).all(axis=1)).argmax())
        raise KaldiError(f"{key}: frame {frame} holds a value that is not finite; compute the features again")


def in_blocks(utterances: Iterable[Utterance], pairs_per_frame: int = 1) -> Iterator[list[Utterance]]:
    """Utterances together, so that each Gaussian has many frames at once; an utterance is never cut.

    Args:
        utterances: the utterances.
        pairs_per_frame: Gaussians of a frame without selection.
    """
    block: list[Utterance] = []
    frames = pairs = 0
    for utterance in utterances:
        block.append(utterance)
        own = len(utterance.feats)
        frames += own
        pairs += own * pairs_per_frame if utterance.selection is None else len(utterance.selection.indices)
        if frames >= BLOCK_FRAMES or pairs >= BLOCK_PAIRS:
            yield block
            block, frames, pairs = [], 0, 0
    if block:
        yield block
