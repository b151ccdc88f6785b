"""Learnable dictionary encoding, by matrix products.

Source: Cai et al. 2018, "Exploring the encoding layer and loss function in end-to-end speaker and language
recognition", section 3.3, with the variants (``att``, ``norm``, ``mean+std``) of the LDE-1 … LDE-7 systems.

A dictionary of D centres μ_d; frame x_t has the residual r_td = x_t − μ_d to each. Written out, the residuals are a
(B, T, D, C) tensor, 210 MB for 64 chunks of 100 frames with D = 64, C = 128. Nothing needs them one by one:

    distance   |r_td|²                  = |x_t|² − 2 x_t·μ_d + |μ_d|²
    mean       e_d = Σ_t w_td r_td      = m_d − W_d μ_d                       m_d = Σ_t w_td x_t, W_d = Σ_t w_td
    square     Σ_t w_td (x_t − a_d)²    = Σ_t w_td x_t² + a_d ∘ (W_d a_d − 2 m_d)           (element by element)
               a_d = μ_d: Σ_t w_td r_td²; centred: a_d = μ_d + e_d = m_d + (1 − W_d) μ_d

so three matrix products do. What is lost: if a frame lies on a centre, the distance is the difference of two equal
numbers, right to about 1e-7 |x|² only, and so is the square. So x_t and μ_d are both taken relative to a point near
them, which alters no residual and so carries no gradient: the mean of the centres, or, if the spread is centred and
must be right however far the centres lie, each utterance's plain mean, which costs more, as each has its own μ_d then.
Distances and squares are floored at 0.

    weights    lde: w_td = softmax over d of −s_d² · distance        att: w_td = softmax over t of −s_d · distance
               then divided by W_d + 1e-9, so that each centre takes a mean
    distance   sqr: |r|²     norm: |r|     mean: |r|² / C, whose size does not depend on the number of channels
    output     mean: the D means     mean+std: for each d its C means, then its C deviations
    occupancy  none: as they are; linear: times the share of frames that d takes, p_d = Σ_t w_td / T before the
               division, so that Σ_t w_td r_td / T is left

Without the shares, an entry that takes a hundredth of a frame counts as much as one that takes twenty frames, and with
s = 1 and C = 64 nearly each frame belongs to one entry: |r|² is near 80, with a deviation of 8 between entries. So most
of the D·C numbers are the values of about two frames. docs/results.md has what that costs. `start` and `scale`
are where training begins (lde_start.py).
"""

from __future__ import annotations

import torch
from torch import nn

from nnet.masks import frame_mask, zero_padding
from nnet.parts import Pooling
from nnet.pooling import LdeOptions
from nnet.pooling.attention import about_own_mean, normalise_frames
from nnet.pooling.lde_start import first_dictionary

WEIGHT_FLOOR = 1e-9  # under the sum of a centre's weights, which underflows for a centre far from each frame
VARIANCE_FLOOR = 1e-8  # under the square root of a second moment, and of a squared distance


class LdePooling(Pooling):
    """(B, T, C) → (B, D·C), or (B, D·2C) with deviations."""

    def __init__(self, options: LdeOptions, in_dim: int) -> None:
        spread = 2 if options.output == "mean+std" else 1
        super().__init__(out_dim=options.components * in_dim * spread)
        self.options = options
        self.centres = nn.Parameter(torch.empty(options.components, in_dim).uniform_(-1, 1))  # μ, (D, C)
        self.scales = nn.Parameter(torch.full((options.components,), options.scale))  # s, (D,)
        self.input_norm = nn.BatchNorm1d(in_dim, affine=False) if options.norm_frames else None
        self.begun: torch.Tensor
        if options.start != "uniform":  # a published checkpoint has no such number
            self.register_buffer("begun", torch.tensor(False))

    def begin(self, frames: torch.Tensor, lengths: torch.Tensor) -> None:
        """Take the dictionary from the first batch, unless a checkpoint gave one. Args: as for `forward`."""
        if self.options.start == "uniform" or bool(self.begun):
            return
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        if self.input_norm is not None:
            frames = normalise_frames(nn.BatchNorm1d(frames.shape[2], affine=False).to(frames), frames, mask)
        own = frames.flatten(0, 1) if mask is None else frames[mask]  # (N, C)
        with torch.no_grad():
            self.centres.copy_(first_dictionary(own, len(self.centres), self.options.start == "kmeans"))
            self.begun.fill_(True)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The encoding of each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        frames = zero_padding(frames, mask)
        if self.input_norm is not None:
            frames = normalise_frames(self.input_norm, frames, mask)
        frames, centres = self._shifted(frames, mask)
        weights, share = self._assign(frames, centres, mask)
        encoded = self._residuals(weights.transpose(1, 2), frames, centres)  # (B, T, D) -> (B, D, T)
        if self.options.occupancy == "linear":
            encoded = encoded * share
        return encoded.flatten(1)  # (B, D, C) -> (B, D·C), or twice as many

    def _residuals(self, weights: torch.Tensor, frames: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        """Mean residuals of each entry, (B, D, C), or these and their deviations, (B, D, 2C); weights (B, D, T)."""
        total = weights.sum(dim=2, keepdim=True)  # (B, D, 1)
        weighted = weights @ frames  # (B, D, T) @ (B, T, C) -> (B, D, C)
        mean = weighted - total * centres
        if self.options.output == "mean":
            return mean
        about = weighted + (1 - total) * centres if self.options.centred else centres
        square = weights @ frames.square() + about * (total * about - 2 * weighted)
        deviation = (square.clamp(min=0) + VARIANCE_FLOOR).sqrt()
        return torch.cat([mean, deviation], dim=2)

    def _shifted(self, frames: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (B, T, C) and centres, (D, C) or (B, D, C), relative to one point that lies near them."""
        if self.options.centred:
            frames, mean = about_own_mean(frames, mask)
            return frames, self.centres - mean  # (D, C) - (B, 1, C) -> (B, D, C)
        mean = self.centres.detach().mean(dim=0)
        return zero_padding(frames - mean, mask), self.centres - mean

    def _assign(
        self, frames: torch.Tensor, centres: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (B, T, D) of each frame for each centre; over the frames of an utterance they sum to 1. And the share
        of the frames that each centre takes, (B, D, 1): the mean of the weights before that."""
        distances = self._distances(frames, centres)
        if self.options.assignment == "lde":
            weights = zero_padding((-self.scales.square() * distances).softmax(dim=2), mask)
        else:
            scores = -self.scales * distances
            if mask is not None:
                scores = scores.masked_fill(~mask[:, :, None], -torch.inf)
            weights = scores.softmax(dim=1)
        totals = weights.sum(dim=1, keepdim=True)  # (B, 1, D)
        counts = frames.shape[1] if mask is None else mask.sum(dim=1)[:, None, None]
        return weights / (totals + WEIGHT_FLOOR), (totals / counts).transpose(1, 2)

    def _distances(self, frames: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        """(B, T, C) and (D, C) or (B, D, C) → (B, T, D)."""
        lengths_squared = frames.square().sum(dim=2, keepdim=True)
        products = frames @ (2 * centres.mT)  # (B, T, C) @ (C, D) -> (B, T, D)
        squared = lengths_squared - products + centres.square().sum(dim=-1).unsqueeze(-2)
        if self.options.distance != "norm":
            squared = squared.clamp(min=0)
            return squared / frames.shape[2] if self.options.distance == "mean" else squared
        return squared.clamp(min=VARIANCE_FLOOR).sqrt()  # the floor keeps the gradient finite on a centre
