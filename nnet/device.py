"""The device that a program runs on."""

from __future__ import annotations

import re

import torch

from nnet.errors import NnetError


def choose_device(name: str) -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:<n>`.

    Raises:
        NnetError: another name, or a device that is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise NnetError(f"--device is {name!r}; choose one of: auto, cpu, cuda, cuda:<n>")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if found else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= found:
        raise NnetError(f"--device is {name}, but torch {torch.__version__} finds {found} CUDA devices here")
    return device
