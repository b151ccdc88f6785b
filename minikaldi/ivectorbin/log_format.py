"""How the log shows arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def vector_text(values: NDArray[np.float64]) -> str:
    """A vector (D,) as Kaldi's log has it, six digits."""
    return f"[ {' '.join(f'{value:.6g}' for value in values)} ]"
