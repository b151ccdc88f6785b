"""How much is computed at once: it bounds the memory."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import InputError
from nnet.model import SpeakerNet


@dataclass(frozen=True)
class BatchLimits:
    """The frames of a batch and of a piece.

    Attributes:
        batch_frames: frames of a batch with its padding; a longer utterance is a batch of its own.
        piece_frames: an utterance longer than this is computed in pieces; at least batch_frames.
    """

    batch_frames: int
    piece_frames: int

    def __post_init__(self) -> None:
        if self.batch_frames < 1:
            raise InputError(f"--batch-frames is {self.batch_frames}, expected >= 1")

    def of(self, net: SpeakerNet) -> BatchLimits:
        """These limits, or lower ones if the encoder asks for them, as attention does.

        Raises:
            InputError: the equal pieces of an utterance a little longer would be too short for the encoder.
        """
        most = min(self.piece_frames, net.max_frames or self.piece_frames)
        if most < 2 * net.needed_frames - 1:  # one frame more makes two pieces of half as many
            needed = f"the encoder needs {net.needed_frames} frames; expected >= {2 * net.needed_frames - 1}"
            raise InputError(f"--piece-frames is {most}, and of a longer utterance's pieces {needed}")
        return BatchLimits(min(self.batch_frames, most), most)
