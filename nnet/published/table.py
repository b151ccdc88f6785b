"""What the importer knows of a published system: the marks of its file, and a plan that renames its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from common.errors import InputError

Tensors = Mapping[str, torch.Tensor]
Sections = dict[str, dict[str, Any]]
MOST_LAYERS = 1000  # published networks have seven at most


@dataclass(frozen=True)
class Rule:
    """How tensors of some names are renamed.

    Attributes:
        pattern: a regular expression of the whole name in the file.
        name: of ours, in which {1} stands for the first group and {1-1} for the number in it less one; None if the
            tensor is left out.
        axis: "added" gives a matrix a last axis of one place, "dropped" takes one off; a layer over single frames may
            be a linear one or a convolution.
        because: why it is left out.
    """

    pattern: str
    name: str | None
    axis: Literal["same", "added", "dropped"] = "same"
    because: str = ""


@dataclass(frozen=True)
class Choices:
    """What the command line says; None if it says nothing.

    Attributes:
        heads: attention heads of a transformer.
        pooling: name of the pooling.
        loss: name of the loss.
    """

    heads: int | None = None
    pooling: str | None = None
    loss: str | None = None


@dataclass(frozen=True)
class Plan:
    """How the tensors of one file become an experiment.

    Attributes:
        base: conf/nnet/<base>.yaml, which has the sections that `sections` does not name: those of training.
        sections: the network's.
        rules: the first that matches a name holds.
        num_classes: training speakers, None if the file does not say.
        assumed: keys of the config that the file does not say.
        tensors: if they are others than those of the file.
        notes: what was done to them.
    """

    base: str
    sections: Sections
    rules: Sequence[Rule]
    num_classes: int | None = None
    assumed: tuple[str, ...] = ()
    tensors: Tensors | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedSystem:
    """A published system.

    Attributes:
        name: of its kind of file.
        format: what --format calls it.
        source: where it is published.
        signature: regular expressions; each matches some name.
        plan: how the tensors become an experiment.
        holders: names at the file's top under which its tensors lie, each with the prefix that they are given; none if
            the tensors lie at the top. Only the first must be there.
        beside: further names at the top, which hold no weights.
        steps: the one of them that holds the count of updates.
        options: which of `Choices` it takes.
    """

    name: str
    format: str
    source: str
    signature: tuple[str, ...]
    plan: Callable[[Tensors, Choices], Plan]
    holders: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    steps: str | None = None
    options: tuple[str, ...] = ()


@dataclass
class Renamed:
    """Tensors under our names.

    Attributes:
        tensors: by our names.
        origins: our name -> that in the file.
        left_out: name in the file -> why.
        unknown: names that match no rule.
        twice: two of the file's names for one of ours.
    """

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def rename(tensors: Tensors, rules: Sequence[Rule]) -> Renamed:
    """Each tensor by the first rule that matches its name."""
    result = Renamed()
    for key, tensor in tensors.items():
        for rule in rules:
            match = re.fullmatch(rule.pattern, key)
            if match:
                break
        else:
            result.unknown.append(key)
            continue
        if rule.name is None:
            result.left_out[key] = rule.because
            continue
        name = _fill(rule.name, match)
        if name in result.origins:
            result.twice.append(f"{result.origins[name]} and {key}")
        result.origins[name] = key
        result.tensors[name] = _with_axis(key, tensor, rule.axis)
    return result


def _fill(template: str, match: re.Match[str]) -> str:
    """The template with the match's groups: `{1}` as it is, `{1-1}` as a number less one."""

    def group(place: re.Match[str]) -> str:
        text = match[int(place[1])]
        return str(int(text) - 1) if place[2] else text

    return re.sub(r"\{(\d)(-1)?\}", group, template)


def _with_axis(key: str, tensor: torch.Tensor, axis: str) -> torch.Tensor:
    if axis == "added":
        return tensor[..., None]
    if axis == "dropped":
        if tensor.dim() == 0 or tensor.shape[-1] != 1:
            raise InputError(f"{key}: its shape is {tuple(tensor.shape)}, expected 1 in the last place")
        return tensor[..., 0]
    return tensor


def shape_of(tensors: Tensors, key: str, dims: int) -> tuple[int, ...]:
    """The shape of a tensor, from which the network is built.

    Raises:
        InputError: it is missing, or has another number of dimensions.
    """
    if key not in tensors:
        raise InputError(f"{key}: is missing, and the network cannot be built without its shape")
    shape = tuple(tensors[key].shape)
    if len(shape) != dims:
        raise InputError(f"{key}: its shape is {shape}, expected {dims} numbers")
    return shape


def count(tensors: Tensors, pattern: str) -> int:
    """How many layers there are: names that match a regular expression as a whole.

    Raises:
        InputError: so many that the network alone would take minutes to make.
    """
    layers = sum(re.fullmatch(pattern, key) is not None for key in tensors)
    if layers > MOST_LAYERS:
        raise InputError(f"has {layers} layers of the name {pattern}, expected {MOST_LAYERS} at most")
    return layers


def attention_heads(choices: Choices, assumed: int, width: int) -> int:
    """Attention heads: those of --heads, or else those of the published network.

    Raises:
        InputError: --heads does not divide the width.
    """
    heads = choices.heads
    if heads is None:
        return assumed
    if heads < 1 or width % heads:
        raise InputError(f"--heads is {heads}, expected 1 or another divisor of the network's width, {width}")
    return heads
