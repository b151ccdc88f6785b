"""Opening a stranger's checkpoint: plain values and tensors are read, and nothing that the file asks for is run."""

from __future__ import annotations

import hashlib
import io
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nnet.errors import NnetError

PICKLE_BYTES = 1 << 24  # of a pickle that is searched for names: its tensors lie elsewhere
SHOWN = 5


@dataclass(frozen=True)
class SourceFile:
    """A file as it is. top: what it holds. digest: SHA-256 of its bytes. num_bytes: its size."""

    path: Path
    top: dict[str, Any]
    digest: str
    num_bytes: int


def read_source(path: Path) -> SourceFile:
    """Read a file of torch.save, its tensors on the CPU.

    Raises:
        NnetError: unreadable, no checkpoint, or one that asks to run something.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NnetError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        top = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise nearly anything
        raise _refusal(path, content) from error
    if not isinstance(top, dict) or not all(isinstance(key, str) for key in top):
        raise NnetError(f"{path}: holds {type(top).__name__}, expected a mapping of names to tensors")
    return SourceFile(path, dict(top), hashlib.sha256(content).hexdigest(), len(content))


def tensors_at(source: SourceFile, holder: str | None) -> dict[str, torch.Tensor]:
    """The tensors under a name at the top, or at the top itself, in float32 where they are numbers with a point.

    Raises:
        NnetError: something there is no ordinary tensor of finite numbers.
    """
    held = source.top if holder is None else source.top[holder]
    where = str(source.path) if holder is None else f"{source.path}: {holder}"
    if not isinstance(held, dict):
        raise NnetError(f"{where}: is {type(held).__name__}, expected names and tensors")
    for key, value in held.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_quantized:
            raise NnetError(f"{where}: {key}: is {type(value).__name__}, expected an ordinary tensor")
        if value.numel() * value.element_size() > source.num_bytes:  # one number may be said to fill any shape
            raise NnetError(f"{where}: {key}: its shape {tuple(value.shape)} is larger than the file")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NnetError(f"{where}: {key}: holds numbers that are not finite; the file is damaged")
    return {str(key): value.float() if value.is_floating_point() else value for key, value in held.items()}


def _refusal(path: Path, content: bytes) -> NnetError:
    """Why a file could not be read."""
    names = asked_for(content)
    if not names:
        return NnetError(f"{path}: cannot be read as a checkpoint of torch.save; it is truncated or of another kind")
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return NnetError(
        f"{path}: asks to run {', '.join(names[:SHOWN])}{more} when it is opened, and is not imported; nothing of it"
        " was run. Weights alone need no such thing: ask its author for the state_dict, saved by itself"
    )


def asked_for(content: bytes) -> list[str]:
    """Names of what a file's pickles would call, but for those that tensors are made by; the file is only parsed."""
    found: dict[str, None] = {}
    for pickled in _pickles(content):
        strings: list[str] = []
        try:
            for opcode, argument, _ in pickletools.genops(pickled):
                if opcode.name in ("GLOBAL", "INST"):
                    found[str(argument).replace(" ", ".")] = None
                elif opcode.name == "STACK_GLOBAL":
                    found[".".join(strings[-2:]) or "something"] = None
                elif isinstance(argument, str):
                    strings.append(argument)
        except Exception:  # what follows in a damaged file has no names
            continue
    return [name for name in found if not name.startswith("torch.") and name != "collections.OrderedDict"]


def _pickles(content: bytes) -> list[io.BytesIO]:
    """The pickles of a file of torch.save, new (a zip archive) or old (several, one after another)."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [name for name in archive.namelist() if name.endswith(".pkl")]
            return [io.BytesIO(archive.open(name).read(PICKLE_BYTES)) for name in members]
    except Exception:  # no zip archive, or a damaged one
        stream = io.BytesIO(content[:PICKLE_BYTES])
        return [stream] * 5  # magic number, version, system, object, names of storages: each parse goes on from there
