"""What the metric losses share: directions, scores from cosines, and the check of a batch's order.

A metric loss has no class weights: it compares the utterances of a batch with one another, so it must know which rows
are of one speaker. It reads that from the labels and refuses batches of another order than its own
(nnet/data/sampler.py makes them).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

LEAST_NORM = 1e-6  # shorter vectors are divided by this: zero stays zero, and its gradient finite


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (..., H) of length 1; those shorter than LEAST_NORM stay shorter."""
    return functional.normalize(vectors, dim=-1, eps=LEAST_NORM)


class PositiveScale(nn.Module):
    """A learned w > 0 by which cosines are multiplied: softplus(raw), which from 10 on is raw itself to 5e-5.

    A w below zero would reward utterances for being unlike their own speaker.
    """

    def __init__(self, initial: float) -> None:
        super().__init__()
        start = torch.tensor(initial, dtype=torch.float64)
        self.raw = nn.Parameter((start + torch.log(-torch.expm1(-start))).float())  # the inverse of softplus

    @property
    def value(self) -> torch.Tensor:
        """w, ()."""
        return functional.softplus(self.raw)

    def forward(self, cosines: torch.Tensor) -> torch.Tensor:
        """w times the cosines."""
        return self.value * cosines


def group_size(labels: torch.Tensor) -> int:
    """M of a batch of `groups`: rows n M … n M + M − 1 are the n-th of N speakers, none of them twice.

    Args:
        labels: integer (N M,); best on the CPU, where reading them waits for nothing.

    Raises:
        ValueError: another order; names the row, and what was expected there.
    """
    labels = labels.cpu()
    others = (labels != labels[0]).nonzero()
    if len(others) == 0:
        raise ValueError(f"all {len(labels)} rows of the batch are of speaker {int(labels[0])}; {_GROUPS}")
    size = int(others[0])
    if size < 2:
        raise ValueError(f"speaker {int(labels[0])} has one utterance in the batch, row 0; {_GROUPS}")
    if len(labels) % size:
        raise ValueError(f"{len(labels)} rows cannot be groups of {size}, as the first speaker has; {_GROUPS}")
    grouped = labels.reshape(-1, size)
    strays = (grouped != grouped[:, :1]).flatten().nonzero()
    if len(strays):
        row = int(strays[0])
        found, expected = int(labels[row]), int(labels[row - row % size])
        raise ValueError(f"row {row} is of speaker {found}, expected {expected} as in its group of {size}; {_GROUPS}")
    speakers, counts = grouped[:, 0].unique(return_counts=True)
    if len(speakers) < len(grouped):
        raise ValueError(f"speaker {int(speakers[counts > 1][0])} has two groups in the batch; {_GROUPS}")
    return size


def check_triplets(labels: torch.Tensor) -> None:
    """Check that rows 3i, 3i + 1 and 3i + 2 are an anchor, its speaker again, and another speaker.

    Args:
        labels: integer (3 K,); best on the CPU.

    Raises:
        ValueError: another order; names the row, and what was expected there.
    """
    labels = labels.cpu()
    if len(labels) % 3:
        raise ValueError(f"{len(labels)} rows are not whole triplets; {_TRIPLETS}")
    anchor, positive, negative = labels.reshape(-1, 3).unbind(dim=1)
    places = ((1, positive != anchor, "speaker"), (2, negative == anchor, "another speaker than"))
    for offset, wrong, expected in places:
        rows = wrong.nonzero()
        if len(rows):
            row = 3 * int(rows[0]) + offset
            wanted = f"expected {expected} {int(labels[row - offset])}, that of the anchor in row {row - offset}"
            raise ValueError(f"row {row} is of speaker {int(labels[row])}, {wanted}; {_TRIPLETS}")


_GROUPS = (
    "the loss compares groups: 2 or more speakers, each with as many consecutive rows, 2 or more; set data.balance to"
    " groups"
)
_TRIPLETS = "the loss compares triplets of anchor, positive and negative; set data.balance to triplets"
