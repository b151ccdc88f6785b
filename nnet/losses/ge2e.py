"""GE2E, the generalised end-to-end loss.

Source: Wan et al. 2018, "Generalized end-to-end loss for speaker verification", equations 5 to 10. An utterance e_ji
(the i-th of M of the j-th of N speakers, of length 1) is compared with the centroid c_k of every speaker:

    S_jik = w cos(e_ji, c_k) + b,    w > 0
    softmax:   L(e_ji) = −S_jij + log Σ_k exp S_jik
    contrast:  L(e_ji) = 1 − σ(S_jij) + max_{k ≠ j} σ(S_jik)

With leave_one_out the centroid of the own speaker is that of its other M − 1 utterances (equation 8): an utterance
that is part of the mean it is compared with finds itself there, and the loss looks smaller than it is.

Differs from the source: w is positive by construction, not by clamping; the softmax variant has no b, which shifts all
logits of a row alike, so that neither the loss nor a gradient depends on it; the sum over the N M utterances may be a
mean, so that the rate does not depend on the batch's size.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.losses import Ge2eOptions
from nnet.losses.labels import check_labels, hits
from nnet.losses.metric import PositiveScale, group_size, unit
from nnet.parts import Loss


def centroid_cosines(embeddings: torch.Tensor, leave_one_out: bool) -> torch.Tensor:
    """The cosine of each utterance with each speaker's centroid.

    Args:
        embeddings: (N, M, H) of length 1.
        leave_one_out: whether the centroid of the own speaker is without the utterance.

    Returns:
        (N, M, N).
    """
    num_speakers = len(embeddings)
    sums = embeddings.sum(dim=1)  # (N, H); the length of a centroid does not count
    cosines = torch.einsum("nmh,kh->nmk", embeddings, unit(sums))
    if not leave_one_out:
        return cosines
    own = (embeddings * unit(sums[:, None] - embeddings)).sum(dim=2)  # (N, M)
    is_own = torch.eye(num_speakers, dtype=torch.bool, device=embeddings.device)[:, None]  # (N, 1, N)
    return torch.where(is_own, own[:, :, None], cosines)


class Ge2e(Loss):
    """(B, H), labels (B,) of groups → loss, hits (B,): whether the own centroid was the nearest."""

    def __init__(self, options: Ge2eOptions, in_dim: int, num_classes: int) -> None:
        has_b = options.variant == "contrast"
        # Weight decay would draw w and b to zero, which means nothing.
        super().__init__(undecayed=("scale.raw", "b") if has_b else ("scale.raw",))
        self.options, self.num_classes = options, num_classes
        self.scale = PositiveScale(options.w)
        self.b = nn.Parameter(torch.tensor(options.b)) if has_b else None

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits; the same at every `step`. Raises: ValueError for a label out of range or other groups."""
        check_labels(labels, self.num_classes)
        size = group_size(labels)
        embeddings = unit(inputs).reshape(-1, size, inputs.shape[1])  # (B, H) -> (N, M, H)
        num_speakers = len(embeddings)
        cosines = centroid_cosines(embeddings, self.options.leave_one_out).flatten(0, 1)  # (N, M, N) -> (B, N)
        own = torch.arange(num_speakers, device=inputs.device).repeat_interleave(size)  # (B,)
        logits = self.scale(cosines)
        if self.b is None:
            losses = functional.cross_entropy(logits, own, reduction="none")
        else:
            losses = contrast(logits + self.b, own)
        loss = losses.mean() if self.options.reduction == "mean" else losses.sum()
        return loss, hits(cosines, own)


def contrast(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """1 − σ(own logit) + the greatest σ of another's, (B,), from logits (B, N) and the own places (B,)."""
    index = own[:, None]
    others = logits.scatter(1, index, float("-inf")).amax(dim=1)
    return torch.sigmoid(-logits.gather(1, index)[:, 0]) + torch.sigmoid(others)
