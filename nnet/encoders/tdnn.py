"""Time-delay networks: the frame-level layers of x-vectors.

Source: Snyder et al. 2018, "X-vectors: Robust DNN Embeddings for Speaker Recognition", table 1; Kaldi's
egs/voxceleb/v2 layers tdnn1 … tdnn5. As there, a layer is affine → ReLU → batch norm, and no layer pads, so the five
layers turn T frames into T − 14. Differs: Kaldi's batch norm has no learnt scale and shift.

The extended network is that of Snyder et al. 2019, "Speaker recognition for multi-speaker conversations using
x-vectors", table 1: a further context {-4, 0, 4}, and an affine layer on single frames after each layer with context.

In variant sc the five layers are those of github.com/theScrabi/kaldi_voxceleb_pytorch: batch norm comes before
the ReLU, and the second and third layer see 1 and 2 frames of zeros beyond either end, which gives T − 8 frames. Its
checkpoints `raw_modelNN.pt` map onto this module as (each with .weight, .bias and the batch norm's other entries):

    tdnn.layer.1.layer.0, .1    layers.0.0, .1    convolution (512, F, 5), batch norm
    tdnn.layer.2.layer.0, .1    layers.1.0, .1    (512, 512, 3)
    tdnn.layer.3.layer.0, .1    layers.2.0, .1    (512, 512, 3)
    tdnn.layer.5                layers.3.0        a linear layer there: its weight (512, 512) becomes (512, 512, 1)
    tdnn.layer.6.layer.1        layers.3.1
    tdnn.layer.8                layers.4.0        likewise, (1500, 512) becomes (1500, 512, 1)
    tdnn.layer.9.layer.1        layers.4.1
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from nnet.encoders.options_convolution import EtdnnOptions, TdnnOptions
from nnet.encoders.short import lengthen
from nnet.masks import frame_mask, zero_padding
from nnet.parts import Encoder


class Taps(NamedTuple):
    """The frames that a layer sees: `kernel` of them, `dilation` apart; `padding` frames of zeros at either end."""

    kernel: int = 1
    dilation: int = 1
    padding: int = 0

    @property
    def lost(self) -> int:
        """Frames by which the output is shorter than the input."""
        return (self.kernel - 1) * self.dilation - 2 * self.padding


FRAME = Taps()
XVECTOR = (Taps(5), Taps(3, 2), Taps(3, 3), FRAME, FRAME)  # {-2..2}, {-2,0,2}, {-3,0,3}, {0}, {0}
SC = (Taps(5), Taps(3, 2, padding=1), Taps(3, 3, padding=2), FRAME, FRAME)
EXTENDED = (Taps(5), FRAME, Taps(3, 2), FRAME, Taps(3, 3), FRAME, Taps(3, 4), FRAME, FRAME, FRAME)


class TimeDelayNetwork(Encoder):
    """(B, T, F) → (B, T − lost frames, C): layers of `width` channels, the last one of `last_width`.

    Args:
        contexts: of each layer.
        in_dim: F.
        width: channels of all layers but the last.
        last_width: channels of the last layer.
        pads_short: whether utterances of fewer than `min_frames` frames are lengthened.
        norm_first: batch norm before the ReLU.
    """

    def __init__(
        self,
        contexts: tuple[Taps, ...],
        in_dim: int,
        width: int,
        last_width: int,
        pads_short: bool,
        norm_first: bool,
    ) -> None:
        lost = sum(context.lost for context in contexts)
        super().__init__(out_dim=last_width, min_frames=1 + lost, pads_short=pads_short)
        self.contexts = contexts
        widths = [in_dim, *[width] * (len(contexts) - 1), last_width]
        self.layers = nn.ModuleList()
        for inputs, outputs, context in zip(widths[:-1], widths[1:], contexts, strict=True):
            affine = nn.Conv1d(inputs, outputs, context.kernel, dilation=context.dilation, padding=context.padding)
            norm, relu = nn.BatchNorm1d(outputs), nn.ReLU()
            self.layers.append(nn.Sequential(affine, *([norm, relu] if norm_first else [relu, norm])))

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames of the last layer, each a function of the input frames around it and of nothing else.

        Args:
            feats: (B, T, F).
            lengths: (B,), on the CPU.

        Raises:
            ValueError: an utterance is shorter than `min_frames` and ``pad_short`` is off.
        """
        feats, lengths = lengthen(feats, lengths, self.min_frames, self.pads_short)
        frames = feats.transpose(1, 2)  # (B, T, F) -> (B, F, T)
        for layer, context in zip(self.layers, self.contexts, strict=True):
            if context.padding:  # what an utterance alone would see as zeros must be zeros in a batch
                frames = zero_padding(frames, frame_mask(lengths, frames.shape[2], frames.device), time_dim=2)
            frames = layer(frames)
            lengths = lengths - context.lost
        return frames.transpose(1, 2), lengths  # (B, C, T') -> (B, T', C)


class Tdnn(TimeDelayNetwork):
    """(B, T, F) → (B, T − 14, C); in variant sc (B, T − 8, C)."""

    def __init__(self, options: TdnnOptions, in_dim: int) -> None:
        is_sc = options.variant == "sc"
        contexts = SC if is_sc else XVECTOR
        super().__init__(contexts, in_dim, options.width, options.last_width, options.pad_short, norm_first=is_sc)


class ExtendedTdnn(TimeDelayNetwork):
    """(B, T, F) → (B, T − 22, C)."""

    def __init__(self, options: EtdnnOptions, in_dim: int) -> None:
        super().__init__(EXTENDED, in_dim, options.width, options.last_width, options.pad_short, norm_first=False)
