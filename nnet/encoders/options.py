"""What every encoder's options say of it. No torch here: ``nnet.config`` reads this."""

from __future__ import annotations


class EncoderOptions:
    """Base of the option sets."""

    @property
    def gains_from_bf16(self) -> bool:
        """Whether a step of training on a CPU that has bf16 instructions is faster with them; it was measured."""
        return True
