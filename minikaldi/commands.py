"""The module of each command; it is imported only when the command is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from common.errors import KaldiError

if TYPE_CHECKING:
    from minikaldi.command import Command

_FOLDERS: dict[str, tuple[str, ...]] = {
    "basebin": ("copy-int-vector", "copy-matrix", "copy-vector", "est-pca", "scale-post", "transform-vec"),
    "featbin": (
        "add-deltas",
        "apply-cmvn",
        "apply-cmvn-sliding",
        "compute-cmvn-stats",
        "compute-fbank-feats",
        "compute-mfcc-feats",
        "copy-feats",
        "extract-segments",
        "feat-to-dim",
        "feat-to-len",
        "subsample-feats",
        "to_wav.py",
        "wav-copy",
        "wav-reverberate",
        "wav-to-duration",
    ),
    "fgmmbin": (
        "fgmm-global-acc-stats",
        "fgmm-global-copy",
        "fgmm-global-est",
        "fgmm-global-gselect-to-post",
        "fgmm-global-sum-accs",
        "fgmm-global-to-gmm",
    ),
    "gmmbin": (
        "gmm-global-acc-stats",
        "gmm-global-copy",
        "gmm-global-est",
        "gmm-global-init-from-feats",
        "gmm-global-sum-accs",
        "gmm-global-to-fgmm",
        "gmm-gselect",
    ),
    "ivectorbin": (
        "agglomerative-cluster",
        "compute-eer",
        "compute-vad",
        "ivector-adapt-plda",
        "ivector-compute-dot-products",
        "ivector-compute-lda",
        "ivector-compute-plda",
        "ivector-copy-plda",
        "ivector-extract",
        "ivector-extractor-acc-stats",
        "ivector-extractor-copy",
        "ivector-extractor-est",
        "ivector-extractor-init",
        "ivector-extractor-sum-accs",
        "ivector-mean",
        "ivector-normalize-length",
        "ivector-plda-scoring",
        "ivector-plda-scoring-dense",
        "ivector-subtract-global-mean",
        "ivector-transform",
        "select-voiced-frames",
    ),
}

# "copy-feats" -> "minikaldi.featbin.copy_feats"
MODULES: dict[str, str] = {
    name: f"minikaldi.{folder}.{name.removesuffix('.py').replace('-', '_')}"
    for folder, names in _FOLDERS.items()
    for name in names
}


def load_command(name: str) -> Command:
    """The command of this name; its module is imported now.

    Raises:
        KaldiError: no such command.
    """
    if name not in MODULES:
        raise KaldiError(f"minikaldi has no command {name!r}; it has: {' '.join(sorted(MODULES))}")
    return importlib.import_module(MODULES[name]).main
