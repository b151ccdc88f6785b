"""Several attentions side by side, kept apart by a penalty.

Source: Lin et al. 2017, "A structured self-attentive sentence embedding", equations 5 and 8; with mean and deviation of
each head and the constants below as in github.com/theScrabi/kaldi_voxceleb_pytorch, flavour "attent":

    A = softmax over t of W₂ · ReLU(BN(W₁ h_t))                           (T, H), no biases
    e_h = Σ_t A_th x_t        s_h = √(max(Σ_t A_th x_t² − e_h², 0) + 1e-5)
    penalty = 0.01 · mean over utterances of ‖AᵀA − I + 1e-5‖_F           (1e-5 is added to each element)

A head's attention takes in all channels. The output holds the means, then the deviations, and for each channel its
heads one after another, as there. Differs: the maximum with 0, without which rounding may give the root of a negative.
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import frame_mask, zero_padding
from nnet.parts import Pooling
from nnet.pooling import MultiHeadOptions
from nnet.pooling.attention import normalise_frames, weighted_moments, weights_over_time

VARIANCE_TERM = 1e-5  # added under the root
PENALTY_TERM = 1e-5  # added to each element of AᵀA − I


class MultiHeadPooling(Pooling):
    """(B, T, C) → (B, 2·C·heads)."""

    def __init__(self, options: MultiHeadOptions, in_dim: int) -> None:
        super().__init__(out_dim=2 * in_dim * options.heads)
        self.heads = options.heads
        self.penalty_weight = options.penalty
        self.hidden = nn.Linear(in_dim, options.hidden, bias=False)
        self.norm = nn.BatchNorm1d(options.hidden)
        self.scores = nn.Linear(options.hidden, options.heads, bias=False)

    def attend(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The weight of each frame in each head, (B, T, heads). Args: as for `forward`."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        return self._weights(zero_padding(frames, mask), mask)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Statistics of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        return self._pool(frames, lengths)[0]

    def with_penalty(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What `forward` gives, and the penalty on heads that attend to the same frames.

        Returns:
            pooled (B, 2·C·heads), and the penalty (), which is 0 for one head.
        """
        pooled, weights = self._pool(frames, lengths)
        if self.heads == 1:
            return pooled, pooled.new_zeros(())
        overlap = weights.transpose(1, 2) @ weights  # (B, H, T) @ (B, T, H) -> (B, H, H)
        distance = overlap - torch.eye(self.heads, dtype=overlap.dtype, device=overlap.device) + PENALTY_TERM
        return pooled, self.penalty_weight * torch.linalg.matrix_norm(distance).mean()

    def _pool(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Statistics (B, 2·C·heads) and weights (B, T, heads)."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        weights = self._weights(frames, mask)
        mean, variance = weighted_moments(frames, weights, mask)
        deviation = (variance.clamp(min=0) + VARIANCE_TERM).sqrt()
        return torch.cat([mean, deviation], dim=1).flatten(1), weights  # (B, 2C, H) -> (B, 2·C·H)

    def _weights(self, frames: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        hidden = normalise_frames(self.norm, self.hidden(frames), mask)
        return weights_over_time(self.scores(hidden.relu()), mask)
