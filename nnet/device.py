"""The device that a program runs on, and whether it computes in bf16."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

import torch

from common.errors import InputError
from nnet.config.program_options import DEVICE, DEVICE_NAMES

# Values of ONEDNN_MAX_CPU_ISA with which oneDNN does not multiply bf16 numbers; other values do not limit it.
ISA_WITHOUT_BF16 = {
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2"),
    *("AVX512_MIC", "AVX512_MIC_4OPS", "AVX512_CORE", "AVX512_CORE_VNNI"),
}


def choose_device(name: str) -> torch.device:
    """`auto` (CUDA if there is a device), `cpu`, `cuda` or `cuda:<n>`.

    Raises:
        InputError: another name, or a device that does not exist.
    """
    if not DEVICE.fullmatch(name):
        raise InputError(f"--device is {name!r}; choose one of: {DEVICE_NAMES}")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if found else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= found:
        raise InputError(f"--device is {name}, but torch {torch.__version__} finds {found} CUDA devices here")
    return device


@contextlib.contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Turn torch's OutOfMemoryError into an InputError that says what to do: `lower --batch-frames`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(f"{error}; {advice}") from error


def describe_device(device: torch.device) -> str:
    """`cpu, 2 threads`, or `cuda:0, NVIDIA H200`."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {torch.get_num_threads()} threads"


def has_bf16(device: torch.device) -> bool:
    """Whether this device multiplies bf16 numbers by its own instructions; otherwise torch emulates them, slowly."""
    return torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bf16()


def cpu_has_bf16() -> bool:
    """Whether torch multiplies bf16 numbers by this CPU's instructions (AVX512-BF16 or AMX, or Arm's BF16).

    ONEDNN_MAX_CPU_ISA and ATEN_CPU_CAPABILITY can keep torch from instructions that the CPU has.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # torch 2.11 may lack it
    if found.get("bf16", False):  # Arm's name of it
        return True
    if not (found.get("avx512_bf16", False) or found.get("amx_bf16", False)):
        return False
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and limit.upper() not in ISA_WITHOUT_BF16


@functools.cache
def cpu_refuses_bf16_lstm() -> bool:
    """Whether oneDNN has no LSTM in bf16 for this CPU, as without AVX-512; convolutions and products it emulates."""
    frames, state = torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)
    weights = [torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        try:
            torch.lstm(frames, (state, state), weights, True, 1, 0.0, False, False, True)
        except RuntimeError:  # "could not create a primitive descriptor"
            return True
    return False
