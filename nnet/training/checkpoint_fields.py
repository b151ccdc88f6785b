"""The types of a checkpoint's fields: an untrusted file may have the right names and anything under them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from common.errors import InputError
from nnet.training.curve import Meter

# Of a value: the place in it that is wrong ("" for the value itself, ".data" for an item) and what was found, or None.
Check = Callable[[Any], "tuple[str, Any] | None"]


def check_fields(path: Path, content: Mapping[str, Any]) -> None:
    """Check the type of each field of a checkpoint, and of what is in it as far as programs rely on it.

    Args:
        path: for messages.
        content: field -> value; fields with a default may be missing.

    Raises:
        InputError: names the file, the field, what was found and what was expected.
    """
    for name, value in content.items():
        expected, check = FIELDS[name]
        wrong = check(value)
        if wrong is not None:
            place, found = wrong
            raise InputError(
                f"{path}: its {name}{place} is {_described(found)}, expected {expected}; the file is"
                " damaged, or was not written by nnet.train"
            )


def _that(right: Callable[[Any], bool]) -> Check:
    return lambda value: None if right(value) else ("", value)


def _of_type(*types: type) -> Check:
    """Exactly one of these types: True is not a number here."""
    return _that(lambda value: type(value) in types)


def _mapping(keys: type, check: Check, among: frozenset[str] | None = None) -> Check:
    """Keys of a type, or among some, each with a value that passes the check."""

    def wrong(value: Any) -> tuple[str, Any] | None:
        """The first wrong place and its value."""
        if not isinstance(value, dict) or not all(type(key) is keys for key in value):
            return "", value
        for key, item in value.items():
            found = check(item) if among is None or key in among else ("", item)
            if found is not None:
                return f".{key}{found[0]}", found[1]
        return None

    return wrong


def _list(check: Check) -> Check:
    def wrong(value: Any) -> tuple[str, Any] | None:
        """The first wrong place and its value."""
        if type(value) is not list:
            return "", value
        found = ((place, check(item)) for place, item in enumerate(value))
        return next(((f"[{place}]{item[0]}", item[1]) for place, item in found if item is not None), None)

    return wrong


def _is_plain(value: Any) -> bool:
    """An ordinary tensor with numbers of its own."""
    ordinary = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_nested
    return ordinary and value.device.type == "cpu"


def _is_generator(value: Any) -> bool:
    return _is_plain(value) and value.dtype == torch.uint8 and value.dim() == 1


def _is_optimizer(value: Any) -> bool:
    """A state of torch's, or none, as in an imported network."""
    if not isinstance(value, dict) or not value:
        return isinstance(value, dict)
    return isinstance(value.get("state"), dict) and isinstance(value.get("param_groups"), list)


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')} on {value.device}"
    if value is None or type(value) in (bool, int, float, str):
        return f"{value!r:.60}"
    return f"of type {type(value).__name__}"


_TEXT, _WHOLE, _NUMBER = _of_type(str), _of_type(int), _of_type(int, float)
_SUMS = frozenset(field.name for field in fields(Meter))
# Field of `nnet.training.checkpoint.Checkpoint` -> what it must be, in words and as a check.
FIELDS: dict[str, tuple[str, Check]] = {
    "step": ("an integer", _WHOLE),
    "model": ("names and tensors", _mapping(str, _that(_is_plain))),
    "optimizer": ("a state of torch's optimizers, or {}", _that(_is_optimizer)),
    "rng": ("names and states of generators", _mapping(str, _that(_is_generator))),
    "config": ("sections with options", _mapping(str, _mapping(str, _that(lambda _: True)))),
    "speaker_ids": ("a list of names", _list(_TEXT)),
    "list_digest": ("text", _TEXT),
    "features_conf": ("text", _TEXT),
    "precision": ("text", _TEXT),
    "best_eer": ("a number or None", _of_type(int, float, type(None))),
    "best_step": ("an integer", _WHOLE),
    "meter": (f"numbers under {', '.join(sorted(_SUMS))}", _mapping(str, _NUMBER, _SUMS)),
    "seconds": ("a number", _NUMBER),
    "valid_eers": ("steps and numbers", _mapping(int, _NUMBER)),
    "start_hash": ("text", _TEXT),
    "torch_version": ("text", _TEXT),
}
