"""Recurrent networks on frames of features: GRU and LSTM, in one direction or in both.

Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder" (GRU, with the reset gate on the
product, as cuDNN has it); Hochreiter and Schmidhuber 1997, "Long short-term memory". The widths are those of two
published systems: a GRU of 3 × 768 on log mel and a bidirectional LSTM of 3 × 64 on MFCC.

One direction reads from the left, so padding cannot reach an utterance. The other reads from the right
and must begin at the utterance's own last frame; so padded batches are packed there. A traced graph knows no packing:
in it the second direction reads each utterance's own frames turned round, which gives the same. A program of
torch.export takes batches of any size, of the number of frames that it was made with (shorter utterances are padded to
it); torch.compile takes recurrences where ``torch._dynamo.config.allow_rnn`` is set, a graph for each number of frames.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnet.device import cpu_refuses_bf16_lstm
from nnet.encoders import GruOptions
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder


def run_recurrent(rnn: nn.RNNBase, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The states of the last layer, 0 at padded frames.

    Args:
        rnn: made with ``batch_first``.
        frames: (B, T, F); the padding may hold anything.
        lengths: (B,), on the CPU, 1 … T.

    Returns:
        (B, T, H), or (B, T, 2H) with the state of the forward direction first, then that of the backward one. The
        state of frame t has seen frames 0 … t in the forward direction, t … length − 1 in the backward one.
    """
    if _needs_float32(rnn, frames):
        with torch.autocast("cpu", enabled=False):
            return run_recurrent(rnn, frames.float(), lengths)
    num_frames = frames.shape[1]
    mask = frame_mask(lengths, num_frames, frames.device)
    if mask is None or not rnn.bidirectional:
        return zero_padding(rnn(zero_padding(frames, mask))[0], mask)
    if torch.compiler.is_compiling():
        return zero_padding(_run_turned(rnn, zero_padding(frames, mask), lengths), mask)
    packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=num_frames)[0]


def _needs_float32(rnn: nn.RNNBase, frames: torch.Tensor) -> bool:
    """Whether a bf16 autocast is open that this CPU has no LSTM for."""
    if torch.compiler.is_compiling() or frames.device.type != "cpu" or not isinstance(rnn, nn.LSTM):
        return False
    return torch.is_autocast_enabled("cpu") and cpu_refuses_bf16_lstm()


def _run_turned(rnn: nn.RNNBase, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The states of the last layer in both directions, without packing: (B, T, F) → (B, T, 2H).

    Padding stays after the frames in either direction, so that it reaches none of them.
    """
    places = torch.arange(frames.shape[1])[None, :]
    order = torch.where(places < lengths.cpu()[:, None], lengths.cpu()[:, None] - 1 - places, places)  # (B, T)
    order = order.to(frames.device)[:, :, None]
    for layer in range(rnn.num_layers):
        if layer > 0:
            frames = functional.dropout(frames, rnn.dropout, rnn.training)
        forward = _run_one_way(rnn, f"l{layer}", frames)
        backward = _run_one_way(rnn, f"l{layer}_reverse", frames.gather(1, order.expand_as(frames)))
        frames = torch.cat([forward, backward.gather(1, order.expand_as(backward))], dim=2)
    return frames


def _run_one_way(rnn: nn.RNNBase, suffix: str, frames: torch.Tensor) -> torch.Tensor:
    """A layer of one direction, from left to right: (B, T, F) → (B, T, H). Args: suffix: of its weights' names."""
    weights = [getattr(rnn, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    start = frames.new_zeros(1, frames.shape[0], rnn.hidden_size)  # len() would trace one batch size
    # One layer, so no dropout between layers; then whether it trains, runs both ways, has the batch first.
    if isinstance(rnn, nn.LSTM):
        return torch.lstm(frames, (start, start), weights, True, 1, 0.0, rnn.training, False, True)[0]
    return torch.gru(frames, start, weights, True, 1, 0.0, rnn.training, False, True)[0]


class Recurrent(Encoder):
    """(B, T, F) → (B, T, H), or (B, T, 2H) forward | backward if it runs in both directions."""

    kind: ClassVar[type[nn.GRU] | type[nn.LSTM]]

    def __init__(self, options: GruOptions, in_dim: int) -> None:
        directions = 2 if options.bidirectional else 1
        super().__init__(out_dim=options.width * directions, bidirectional=options.bidirectional)
        self.shift, self.scale = options.input_shift, options.input_scale
        self.rnn = self.kind(
            in_dim,
            options.width,
            options.layers,
            batch_first=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
            bidirectional=options.bidirectional,
        )

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States of the last layer. Args: feats (B, T, F); lengths (B,), on the CPU."""
        return run_recurrent(self.rnn, (feats + self.shift) / self.scale, lengths), lengths


class Gru(Recurrent):
    """Gated recurrent units."""

    kind = nn.GRU


class Lstm(Recurrent):
    """Long short-term memory."""

    kind = nn.LSTM
