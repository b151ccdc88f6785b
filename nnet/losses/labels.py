"""What the classification losses do with their labels: check them, and compare them with the answers."""

from __future__ import annotations

import torch


def check_labels(labels: torch.Tensor, num_classes: int) -> None:
    """Raise ValueError for a label outside 0 … num_classes − 1, which CUDA would answer with a bare assertion.

    `labels` (B,) is best on the CPU here: on a device the check waits for it.
    """
    least, greatest = int(labels.min()), int(labels.max())
    if least < 0 or greatest >= num_classes:
        wrong = least if least < 0 else greatest
        raise ValueError(
            f"label {wrong} is out of range: the loss has {num_classes} speakers, 0 to {num_classes - 1}; "
            "was the network built with another spk2int?"
        )


def hits(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Whether the greatest logit (B, S) is that of the label (B,), bool (B,); both on one device."""
    return logits.detach().argmax(dim=1) == labels
