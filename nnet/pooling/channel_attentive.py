"""Attentive statistics whose weights differ between channels and see the whole utterance.

Source: Desplanques, Thienpondt, Demuynck 2020, "ECAPA-TDNN: Emphasized channel attention, propagation and aggregation
in TDNN based speaker verification", section 3.1 and equations 1–4:

    e_tc = v_cᵀ f(W z_t + b) + k_c        z_t = [h_t, μ, σ], μ and σ the plain statistics of the utterance
    α_c = softmax over t of e_c           μ̃_c = Σ_t α_tc h_tc        σ̃_c² = Σ_t α_tc h_tc² − μ̃_c²

The paper leaves f open; here it is ReLU → batch norm → tanh, as in the programs that reproduce its figures. A batch
norm of the pooled vector follows, as in its figure 2. Differs: k is left out, since a softmax over time does not see
it; W is applied to h_t, and once for each utterance to μ and σ, which is the same and saves (B, T, 3C).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from nnet.masks import frame_mask, zero_padding
from nnet.parts import Pooling
from nnet.pooling import ChannelAttentiveOptions
from nnet.pooling.attention import normalise_frames, weights_over_time
from nnet.pooling.statistics import mean_and_deviation


class ChannelAttentivePooling(Pooling):
    """(B, T, C) → (B, 2C): weighted means, then weighted standard deviations."""

    def __init__(self, options: ChannelAttentiveOptions, in_dim: int) -> None:
        super().__init__(out_dim=2 * in_dim)
        self.options = options
        self.hidden = nn.Linear(in_dim * (3 if options.context else 1), options.hidden)  # W, b
        self.norm = nn.BatchNorm1d(options.hidden)
        self.scores = nn.Linear(options.hidden, in_dim, bias=False)  # v
        self.output_norm = nn.BatchNorm1d(self.out_dim) if options.batch_norm else nn.Identity()

    def attend(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The weight of each frame in each channel, (B, T, C). Args: as for `forward`."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        return self._weights(zero_padding(frames, mask), lengths, mask)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Statistics of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        weights = self._weights(frames, lengths, mask)
        mean = (weights * frames).sum(dim=1)  # (B, T, C) -> (B, C)
        variance = (weights * (frames - mean[:, None]).square()).sum(dim=1)
        deviation = variance.clamp(min=self.options.variance_floor).sqrt()
        return self.output_norm(torch.cat([mean, deviation], dim=1))  # (B, C), (B, C) -> (B, 2C)

    def _weights(self, frames: torch.Tensor, lengths: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        channels = frames.shape[2]
        hidden = functional.linear(frames, self.hidden.weight[:, :channels], self.hidden.bias)  # (B, T, hidden)
        if self.options.context:
            context = torch.cat(mean_and_deviation(frames, lengths, mask, self.options.variance_floor), dim=1)
            hidden = hidden + functional.linear(context, self.hidden.weight[:, channels:])[:, None]
        hidden = normalise_frames(self.norm, hidden.relu(), mask).tanh()
        return weights_over_time(self.scores(hidden), mask)
