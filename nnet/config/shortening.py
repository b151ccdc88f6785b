"""A run of fewer steps than a YAML asks for, through the same course: which options change. No torch.

The steps, the batch and the chunks are cut here. Schedule, loss and pooling shorten themselves, by their option sets'
`shortened`: what counts in steps, and what takes many steps to be learnt. Of a run that is counted in epochs, whose
steps are not known before its training list, only the limit is set here; nnet/training/epochs.py does the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from common.options import plain
from nnet.config.experiment import Config, get
from nnet.config.sections import DataOptions

ROWS = 32  # of a batch, at most
CHUNK_SECONDS = (1.0, 2.0)  # at most: utterances of small corpora are short
VALIDATIONS = 6
LOG_STEPS = 20


def shortened(config: Config, steps: int) -> dict[str, object]:
    """`section.key` -> value for each option that changes in a run of `steps`; empty if it asks for no more.

    Raises:
        ConfigError: the option file of the features, which has the length of a second, cannot be used.
    """
    data, training = config.data, config.training
    if training.epochs is not None:
        limited = training.most_steps is not None and training.most_steps <= steps
        return {} if limited else {"training.most_steps": steps}
    if training.steps <= steps:
        return {}
    rate = get(config, "features.frame_rate")
    first, last = (min(own, round(rate * most)) for own, most in zip(data.chunk_frames, CHUNK_SECONDS, strict=True))
    every = max(1, steps // VALIDATIONS)
    changes: dict[str, object] = {
        "training.steps": steps,
        "training.valid_every": every,
        "training.save_every": every,
        "training.log_every": min(training.log_every, LOG_STEPS),
        "data.batch_size": smaller_batch(data, ROWS),
        "data.chunk_frames": f"[{first},{last}]",
    }
    for section in ("schedule", "loss", "pooling"):
        before = getattr(config, section)
        changes.update(_differences(section, before, before.shortened(training.steps, steps)))
    return changes


def smaller_batch(data: DataOptions, rows: float) -> int:
    """The largest batch of whole groups or triplets with at most so many rows; not below the smallest batch."""
    unit = {"groups": data.utterances_per_speaker, "triplets": 3}.get(data.balance, 1)
    least = 3 if data.balance == "triplets" else 2 * unit
    return min(data.batch_size, max(least, int(rows) // unit * unit))


def _differences(section: str, before: Any, after: Any) -> Iterator[tuple[str, object]]:
    """`section.key` and value, in YAML without spaces, of each option that two option sets do not share."""
    old, new = plain(before), plain(after)
    for key in old:
        if new[key] != old[key]:
            yield f"{section}.{key}", json.dumps(new[key], separators=(",", ":"))
