"""Opening an untrusted checkpoint: plain values and tensors are read, and nothing that the file asks for is run."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from common.errors import InputError
from nnet.published.archive import asked_for, counted_records
from nnet.training.wrappers import unwrapped

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# Of batch norms: the only tensors of whole numbers. Files of torch before 0.4.1 have none, and evaluation reads none.
COUNTER = "num_batches_tracked"
VARIANCE = "running_var"  # of batch norms
SHOWN = 5


@dataclass(frozen=True)
class SourceFile:
    """A file as it is.

    Attributes:
        path: of the file.
        top: what it holds.
        digest: SHA-256 of its bytes.
        num_bytes: its size.
    """

    path: Path
    top: dict[str, Any]
    digest: str
    num_bytes: int


def read_source(path: Path) -> SourceFile:
    """Read a file of torch.save, its tensors on the CPU.

    Raises:
        InputError: unreadable, not a checkpoint, or one that asks to run something or claims more bytes than it has.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, on pickles of other protocols
            top = torch.load(counted_records(path, content), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise nearly anything
        raise _refusal(path, content) from error
    if not isinstance(top, dict) or not all(isinstance(key, str) for key in top):
        raise InputError(f"{path}: holds {type(top).__name__}, expected a mapping of names to tensors")
    return SourceFile(path, dict(top), hashlib.sha256(content).hexdigest(), len(content))


def without_wrappers(source: SourceFile) -> tuple[SourceFile, tuple[str, ...]]:
    """The file with the names that the network itself gave to its tensors, and a note for each mapping of names that
    torch's wrappers had changed."""
    top, notes = _renamed(source.top, "the file")
    for key, held in top.items():
        if isinstance(held, dict) and all(isinstance(name, str) for name in held):
            top[key], noted = _renamed(held, key)
            notes += noted
    return replace(source, top=top), notes


def _renamed(held: dict[str, Any], where: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    names, taken_off = unwrapped(held)
    note = f"names in {where}: {taken_off} taken off all {len(names)}; `mapped` has the rest of each name"
    return {names[name]: value for name, value in held.items()}, (note,) if taken_off else ()


def tensors_at(source: SourceFile, holder: str | None) -> dict[str, torch.Tensor]:
    """The tensors under a name at the top, or at the top itself, floating-point ones in float32.

    Raises:
        InputError: something there is not an ordinary tensor of finite numbers.
    """
    held = source.top if holder is None else source.top[holder]
    where = str(source.path) if holder is None else f"{source.path}: {holder}"
    if not isinstance(held, dict):
        raise InputError(f"{where}: is {type(held).__name__}, expected names and tensors")
    for key, value in held.items():
        if not isinstance(key, str):
            raise InputError(f"{where}: has the name {key!r:.100}, expected text")
        problem = _unusable(key, value, source.num_bytes)
        if problem:
            raise InputError(f"{where}: {key}: {problem}")
    num_bytes = sum(value.numel() * value.element_size() for value in held.values())
    if num_bytes > source.num_bytes:
        raise InputError(f"{where}: its tensors together, {num_bytes} bytes, are larger than the file")
    tensors = {key: value.detach() for key, value in held.items()}
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    for key, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{where}: {key}: holds numbers that are not finite in float32; the file is damaged")
        if key.endswith(VARIANCE) and bool((value < 0).any()):
            least = float(value.min())
            raise InputError(f"{where}: {key}: holds a variance below 0 ({least:.3g}); the file is damaged")
    return tensors


def _unusable(key: str, value: object, num_bytes: int) -> str:
    """Why something is not a tensor of weights, "" if it may be one. Its numbers are not looked at."""
    if not isinstance(value, torch.Tensor):
        return f"is {type(value).__name__}, expected an ordinary tensor"
    if value.layout != torch.strided or value.is_nested:
        return f"is {'nested' if value.is_nested else 'sparse'}, expected an ordinary tensor"
    if value.device.type != "cpu":
        return f"is on {value.device}, expected a tensor on the CPU"
    if value.dtype not in (*FLOATS, *([torch.int64] if key.endswith(COUNTER) else [])):
        known = ", ".join(_name(dtype) for dtype in FLOATS)
        return f"is of {_name(value.dtype)}, expected one of {known}"
    if not value.numel():
        return f"its shape {tuple(value.shape)} holds no number"
    if value.numel() * value.element_size() > num_bytes:  # one number may be said to fill any shape
        return f"its shape {tuple(value.shape)} is larger than the file"
    return ""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _refusal(path: Path, content: bytes) -> InputError:
    """Why a file could not be read."""
    names = asked_for(content)
    if not names:
        return InputError(f"{path}: cannot be read as a checkpoint of torch.save; it is truncated or of another kind")
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return InputError(
        f"{path}: asks to run {', '.join(names[:SHOWN])}{more} when it is opened, and is not imported; nothing of it"
        " was run. Weights alone need no such thing: ask its author for the state_dict, saved by itself"
    )
