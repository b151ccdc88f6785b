"""Reading the utterances that can be embedded, and counting what happens to all of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from nnet.data.batches import check_finite
from nnet.inference.loading import Model
from nnet.inference.windows import WindowCounts

log = logging.getLogger("extract")

UttFeats = tuple[str, npt.NDArray[np.float32]]
"""An utterance's id and its features (T, F)."""


@dataclass
class ExtractionCounts:
    """What happened to the utterances, and the windows they were cut into."""

    done: int = 0
    dropped: list[str] = field(default_factory=list)
    windows: WindowCounts = field(default_factory=WindowCounts)


def usable(feats: Iterable[UttFeats], model: Model, counts: ExtractionCounts) -> Iterator[UttFeats]:
    """The utterances that can be embedded; the others are counted, and logged with the reason.

    Raises:
        InputError: another number of feature bins than the model was trained on.
    """
    for utt_id, rows in feats:
        if len(rows) and rows.shape[1] != model.dim:
            raise InputError(f"{utt_id}: features have {rows.shape[1]} bins, the model was trained on {model.dim}")
        try:
            check_finite(rows, utt_id)
            if len(rows) < model.fewest_frames:
                raise InputError(f"{utt_id}: {len(rows)} frames, expected >= {model.fewest_frames}")
        except InputError as error:
            log.warning("dropped %s", error)
            counts.dropped.append(str(error))
            continue
        yield utt_id, rows


def read_ahead(feats: Iterable[UttFeats], max_frames: int) -> Iterator[list[UttFeats]]:
    """Groups of consecutive utterances with `max_frames` frames or a little more in all."""
    group: list[UttFeats] = []
    frames = 0
    for utt_id, rows in feats:
        group.append((utt_id, rows))
        frames += len(rows)
        if frames >= max_frames:
            yield group
            group, frames = [], 0
    if group:
        yield group
