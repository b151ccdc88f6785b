"""The triplet loss over cosines.

    L = mean over triplets of max(0, cos(a, n) − cos(a, p) + margin)

of an anchor a, a positive p of its speaker, and a negative n of another. Triplets are those of the batch (`given`), or
are mined from groups of utterances:

random: each row of the batch is an anchor once; its positive and its negative are drawn evenly.
semi_hard: each pair of utterances of one speaker is (a, p) once and (p, a) once; the negative is the one that is most
    like the anchor among those that are less like it than the positive is or, where all are more like it, the least
    like. The hardest negatives of all would teach the network to give all utterances one embedding.

Source: Schroff et al. 2015, "FaceNet: A unified embedding for face recognition and clustering", equation 3 and section
3.2. Differs from it: cosines for squared distances (for vectors of length 1, d² = 2 − 2 cos, so the order is the
same); a semi-hard negative may lie beyond the margin and cost nothing.
"""

from __future__ import annotations

import torch

from nnet.losses import TripletOptions
from nnet.losses.labels import check_labels
from nnet.losses.metric import check_triplets, group_size, unit
from nnet.parts import Loss

Triplets = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # rows of anchors, positives and negatives, each (K,)


def given_triplets(num_rows: int) -> Triplets:
    """Rows 3i, 3i + 1, 3i + 2."""
    anchors = torch.arange(0, num_rows, 3)
    return anchors, anchors + 1, anchors + 2


def random_triplets(num_rows: int, size: int, step: int) -> Triplets:
    """For each row of groups of `size` rows, another of its group and one of another group: a function of the step."""
    generator = torch.Generator().manual_seed(step)
    rows = torch.arange(num_rows)
    first = rows - rows % size  # of the group
    within = torch.randint(1, size, (num_rows,), generator=generator)
    beyond = torch.randint(0, num_rows - size, (num_rows,), generator=generator)
    return rows, first + (rows - first + within) % size, (first + size + beyond) % num_rows


def semi_hard_triplets(cosines: torch.Tensor, size: int) -> Triplets:
    """For each ordered pair of a group, its semi-hard negative; K = B (size − 1).

    Args:
        cosines: (B, B), of each row with each, without gradient.
        size: rows of a group.
    """
    num_rows, device = len(cosines), cosines.device
    rows = torch.arange(num_rows, device=device)
    anchors = rows.repeat_interleave(size - 1)  # (K,)
    offsets = torch.arange(1, size, device=device).repeat(num_rows)
    positives = anchors - anchors % size + (anchors + offsets) % size
    to_all = cosines[anchors]  # (K, B)
    own = (rows // size)[None] == (anchors // size)[:, None]
    less_like = ~own & (to_all < to_all.gather(1, positives[:, None]))
    nearest = to_all.masked_fill(~less_like, float("-inf")).argmax(dim=1)
    farthest = to_all.masked_fill(own, float("inf")).argmin(dim=1)
    return anchors, positives, torch.where(less_like.any(dim=1), nearest, farthest)


class Triplet(Loss):
    """(B, H), labels (B,) → mean loss, hits (K,): whether the positive was more like the anchor than the negative.

    No parameters. K is B / 3 of given triplets, B of random ones, B (M − 1) of semi-hard ones.
    """

    def __init__(self, options: TripletOptions, in_dim: int, num_classes: int) -> None:
        super().__init__()
        self.options, self.num_classes = options, num_classes

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and hits; only random mining depends on `step`.

        Raises:
            ValueError: a label out of range, or a batch of another order of rows.
        """
        check_labels(labels, self.num_classes)
        embeddings = unit(inputs)
        rows = self._mine(embeddings.detach(), labels, step)
        anchors, positives, negatives = (embeddings[each.to(inputs.device)] for each in rows)  # (K, H)
        to_positive, to_negative = (anchors * positives).sum(dim=1), (anchors * negatives).sum(dim=1)
        losses = torch.relu(to_negative - to_positive + self.options.margin)
        return losses.mean(), to_positive.detach() > to_negative.detach()

    def _mine(self, embeddings: torch.Tensor, labels: torch.Tensor, step: int) -> Triplets:
        if self.options.mining == "given":
            check_triplets(labels)
            return given_triplets(len(labels))
        size = group_size(labels)
        if self.options.mining == "random":
            return random_triplets(len(labels), size, step)
        return semi_hard_triplets(embeddings @ embeddings.T, size)
