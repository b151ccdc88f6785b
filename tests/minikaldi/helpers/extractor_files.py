"""The arrays of an i-vector extractor or of its statistics in a file, for comparisons."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minikaldi.io import read_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS

_STARTS = (b"<IvectorExtractor> ", b"<IvectorExtractorStats> ")


def is_extractor_file(path: Path) -> bool:
    """Whether the file is an i-vector extractor or statistics."""
    return path.read_bytes()[:40].removeprefix(b"\0B").startswith(_STARTS)


def extractor_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the file, by name.

    The signs of an extractor's dimensions are free: each gets the sign that makes its largest projection positive.
    """
    is_model = path.read_bytes()[:40].removeprefix(b"\0B").startswith(_STARTS[0])
    value: Any = read_object(str(path), EXTRACTOR if is_model else EXTRACTOR_STATS)
    arrays = {field.name: np.asarray(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if is_model:
        flat = arrays["projections"].reshape(-1, value.ivector_dim)
        largest = flat[np.abs(flat).argmax(axis=0), np.arange(value.ivector_dim)]
        signs = np.where(largest < 0.0, -1.0, 1.0)
        arrays["projections"] = arrays["projections"] * signs
        if value.has_weight_projections:
            arrays["weight_projections"] = arrays["weight_projections"] * signs
    return arrays
