"""The base of every encoder's option set. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations

from dataclasses import dataclass

from nnet.part_options import PartOptions


@dataclass(frozen=True)
class EncoderOptions(PartOptions):
    """Options of an encoder, a subclass of ``nnet.parts.Encoder``."""

    @property
    def gains_from_bf16(self) -> bool:
        """Whether a step of training on a CPU that has bf16 instructions is faster with them; it was measured."""
        return True
