"""What gmm-global-acc-stats and fgmm-global-acc-stats have in common: from tables to statistics."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from minikaldi.command import CommandRun
from minikaldi.gmm.selection import invalid_likelihood, joined, without_frames
from minikaldi.gmm.triangles import Float32Array, Float64Array
from minikaldi.gmmbin.frame_tables import FrameTables, Utterance, in_blocks
from minikaldi.io import FrameIndices

LOUD = 2  # of --verbose


class Accumulator(Protocol):
    """Takes frames."""

    def add(
        self, feats: Float32Array, weights: Float32Array | None = None, selection: FrameIndices | None = None
    ) -> Float64Array:
        """Add frames (T, F), with weights (T,); the log-likelihoods (T,)."""


def accumulate(run: CommandRun, tables: FrameTables, accumulator: Accumulator) -> None:
    """Add all utterances, and report as Kaldi does.

    Raises:
        KaldiError: the likelihood of a frame is not finite; the text names utterance and frame.
    """
    like = weight = 0.0
    for block in in_blocks(tables.utterances(run), tables.num_gauss):
        some_like, some_weight = _add_block(run, block, accumulator)
        like, weight = like + some_like, weight + some_weight
    run.log(f"Done {tables.done} files; {tables.errors} with errors.")
    run.log(f"Overall likelihood per frame = {average_of(like, weight):.6g} over {weight:.6g} (weighted) frames.")


def _add_block(run: CommandRun, block: list[Utterance], accumulator: Accumulator) -> tuple[float, float]:
    """Sum of the weighted log-likelihoods, and of the weights."""
    used = [_used(utterance) for utterance in block if len(utterance.feats)]
    if not sum(len(one.feats) for one in used):
        return 0.0, 0.0
    feats = np.concatenate([one.feats for one in used if len(one.feats)])
    weights = None
    if used[0].weights is not None:
        weights = np.concatenate([one.weights for one in used if one.weights is not None])
    selections = [one.selection for one in used if one.selection is not None]
    likes = accumulator.add(feats, weights, joined(selections) if selections else None)
    finite = np.isfinite(likes)
    if not finite.all():
        index = int(finite.argmin())
        raise invalid_likelihood(_place(block, index), float(likes[index]))
    if weights is not None:
        likes = likes * weights
    if run.verbose >= LOUD:
        _log_files(run, used, likes)
    return float(likes.sum()), float(len(likes) if weights is None else weights.sum(dtype=np.float64))


def _place(block: list[Utterance], index: int) -> str:
    """Utterance and frame of the `index`th used frame of a block."""
    for one in block:
        used = np.arange(len(one.feats)) if one.weights is None else np.flatnonzero(one.weights)
        if index < len(used):
            return f"{one.key}: frame {used[index]}"
        index -= len(used)
    raise IndexError(index)


def _log_files(run: CommandRun, block: list[Utterance], likes: Float64Array) -> None:
    start = 0
    for one in block:
        end = start + len(one.feats)
        weight = float(len(one.feats) if one.weights is None else one.weights.sum(dtype=np.float64))
        like = average_of(float(likes[start:end].sum()), weight)
        run.log(f"File '{one.key}': Average likelihood = {like:.6g} over {weight:.6g} frames.")
        start = end


def _used(utterance: Utterance) -> Utterance:
    """Without the frames of weight 0."""
    if utterance.weights is None or utterance.weights.all():
        return utterance
    kept = utterance.weights != 0
    selection = None if utterance.selection is None else without_frames(utterance.selection, kept)
    return Utterance(utterance.key, utterance.feats[kept], utterance.weights[kept], selection)


def average_of(part: float, whole: float) -> float:
    """part / whole; NaN of nothing, as in Kaldi's reports."""
    return part / whole if whole else float("nan")
