"""The contracts of a network's parts: what an encoder, a pooling and a loss take, give, and say of themselves.

A part derives from its base class here and passes what it says of itself to the base's constructor, by keyword: a
missing or misspelt attribute is an error as soon as the part is made. The option sets have base classes of their own,
which load without torch: ``nnet.encoders.options.EncoderOptions``, ``nnet.pooling.PoolingOptions`` and
``nnet.losses.LossOptions``. A schedule needs no torch: ``nnet.training.schedule_base.Schedule`` is options and formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn


class Encoder(nn.Module, ABC):
    """Features → frames. A subclass is made as ``Encoder(options, in_dim)``, with in_dim = F.

    Args:
        out_dim: C, channels of a frame.
        min_frames: the fewest frames that it can see at once; data.chunk_frames begin there.
        max_frames: the most frames to give it at once, in an utterance and in a batch, if its memory grows faster than
            their number; longer utterances are embedded in pieces. None: any number.
        pads_short: whether it lengthens utterances of fewer than `min_frames` frames itself; else it refuses them.
        bidirectional: whether the second half of its channels is a recurrence from right to left.
        one_vector: whether T' is 1 for every utterance.
    """

    def __init__(
        self,
        *,
        out_dim: int,
        min_frames: int = 1,
        max_frames: int | None = None,
        pads_short: bool = True,
        bidirectional: bool = False,
        one_vector: bool = False,
    ) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.min_frames = min_frames
        self.max_frames = max_frames
        self.pads_short = pads_short
        self.bidirectional = bidirectional
        self.one_vector = one_vector

    @abstractmethod
    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames of each utterance, which do not depend on the padding after it.

        Args:
            feats: (B, T, F); the padding may hold anything.
            lengths: integer (B,), on the CPU, 1 … T.

        Returns:
            frames (B, T', C), and the lengths (B,) of the utterances in these.
        """


class Pooling(nn.Module, ABC):
    """Frames → one vector an utterance. A subclass is made as ``Pooling(options, in_dim)``, with in_dim = C.

    Args:
        out_dim: D, the width of the vector.
    """

    def __init__(self, *, out_dim: int) -> None:
        super().__init__()
        self.out_dim = out_dim

    @abstractmethod
    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The vector of each utterance, of its own frames alone: the padding never enters it.

        Args:
            frames: (B, T, C); the padding may hold anything.
            lengths: integer (B,), on the CPU, 1 … T.

        Returns:
            (B, D).
        """

    def with_penalty(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What `forward` gives, (B, D), and a term that the training loss adds, (): 0 unless a subclass has one."""
        return self(frames, lengths), frames.new_zeros(())

    def begin(self, frames: torch.Tensor, lengths: torch.Tensor) -> None:  # most have nothing to do
        """Set weights by the frames of a new run's first batch, before anything is learnt; a subclass may do so.

        It is called in training alone, at step 1. What is random is drawn from torch's generator of the CPU, whose
        state checkpoints hold, so that a run that is interrupted before its first checkpoint begins in the same way.

        Args:
            frames: (B, T, C), without a gradient; the padding may hold anything.
            lengths: as for `forward`.
        """


class Loss(nn.Module, ABC):
    """Embeddings and labels → the training loss. A subclass is made as ``Loss(options, in_dim, num_classes)``.

    Args:
        scale_invariant: names of the parameters whose length does not count; they are without weight decay.
        undecayed: names of other parameters that must be without weight decay.
    """

    def __init__(self, *, scale_invariant: tuple[str, ...] = (), undecayed: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.scale_invariant = scale_invariant
        self.undecayed = undecayed

    @abstractmethod
    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of a batch.

        A loss that changes over time is a pure function of `step`: the checkpoint has the step and nothing else to
        restore, and a validation does not advance it.

        Args:
            inputs: (B, H).
            labels: integer (B,), 0 … S − 1; best on the CPU, where reading them waits for nothing.
            step: the training step, counted from 1.

        Returns:
            the mean loss, (), and for each of K decisions whether it was right without any margin, bool (K,). A
            classification makes one decision for each input: K = B.
        """
