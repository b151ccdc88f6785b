"""The contract of a step on waves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from nnet.augment.signal import Signal


class WaveStep(ABC):
    """A step of `augment.audio`; a subclass is made as ``Step(options, material)``, with what it draws from."""

    @abstractmethod
    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals, changed; those given are left as they are.

        Args:
            signals: B of them; the result for signal n depends on it and on generator n alone.
            rngs: a generator for each.
        """
