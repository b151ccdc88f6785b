"""Arrays as text for the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def vector_text(values: NDArray[np.float64]) -> str:
    """A vector (D,) in the form of Kaldi's log, with six digits."""
    return f"[ {' '.join(f'{value:.6g}' for value in values)} ]"
