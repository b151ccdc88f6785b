"""From a published file to a config and the weights of the network that it describes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import InputError
from common.yaml_text import read_yaml
from nnet.config.experiment import Config, from_mapping, get
from nnet.config.overrides import Override, as_override
from nnet.config.paths import ROOT
from nnet.model import build
from nnet.published import SYSTEMS
from nnet.published.reading import COUNTER, SourceFile, tensors_at, without_wrappers
from nnet.published.table import Choices, Plan, PublishedSystem, Renamed, Tensors, rename
from nnet.training.fine_tuning import LOSS_PREFIX

SHOWN = 20  # names in a message
UNKNOWN_CLASSES = 2  # speakers of a file without class weights; a network needs two


@dataclass(frozen=True)
class Imported:
    """What a file became.

    Attributes:
        system: of the file.
        config: the experiment.
        tensors: by our names, as the network's state has them; none of the loss if the file has none.
        speaker_ids: a name for each of its training speakers, whom the file does not name.
        steps: updates that it says it had, 0 if it does not say.
        origins: our name -> that in the file.
        left_out: names in the file -> why.
        not_trained: our tensors that the file does not have.
        assumed: keys of the config that it does not say, with the values that were taken.
        notes: what else was done.
    """

    system: PublishedSystem
    config: Config
    tensors: dict[str, torch.Tensor]
    speaker_ids: list[str]
    steps: int
    origins: dict[str, str]
    left_out: dict[str, str]
    not_trained: list[str]
    assumed: dict[str, object]
    notes: tuple[str, ...]


def convert_checkpoint(
    source: SourceFile, choices: Choices, overrides: Sequence[str | Override] = (), format: str | None = None
) -> Imported:
    """Recognise a file's system and bring its weights under our names.

    Args:
        source: the file.
        choices: what its names and shapes do not say.
        overrides: `section.key=value`, of the config that is made.
        format: a name of `FORMATS`, if it must be that one.

    Raises:
        InputError: of no known system, or names and shapes that are not its own; all of them are listed.
        ConfigError: an override that cannot be used, or sizes that no encoder has.
    """
    source, notes = without_wrappers(source)
    system = recognise(source, format)
    for name in vars(choices):
        if getattr(choices, name) is not None and name not in system.options:
            raise InputError(f"{source.path}: is of {system.name}, for which --{name} has no meaning; leave it out")
    tensors, aside = _held(source, system)
    try:
        plan = system.plan(tensors, choices)
        renamed = rename(tensors if plan.tensors is None else plan.tensors, plan.rules)
    except InputError as error:
        raise InputError(f"{source.path}: is of {system.name}, but {error}") from error
    config = _config(plan, source.path, overrides)
    num_classes = UNKNOWN_CLASSES if plan.num_classes is None else plan.num_classes
    not_trained = _fit(source.path, system, renamed, _shapes_of(source.path, system, config, num_classes))
    changed = {as_override(override).text.partition("=")[0] for override in overrides}
    assumed = {key: get(config, key) for key in plan.assumed if not {key, key.partition(".")[0]} & changed}
    steps = source.top.get(system.steps) if system.steps else None
    left_out = {**renamed.left_out, **aside}
    updates = steps if type(steps) is int and steps > 0 else 0
    return Imported(
        *(system, config, renamed.tensors, _speaker_names(num_classes), updates),
        *(renamed.origins, left_out, not_trained, assumed, notes + plan.notes),
    )


def recognise(source: SourceFile, format: str | None = None) -> PublishedSystem:
    """The system that a file is of, by its names.

    Raises:
        InputError: none or several.
    """
    systems = [system for system in SYSTEMS if format in (None, system.format)]
    found = [system for system in systems if not _missing_marks(source, system)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(sorted({system.format for system in found}))
        raise InputError(f"{source.path}: could be of several systems; choose with --format: {several}")
    wanted = "; ".join(f"{system.name} has {', '.join(_missing_marks(source, system))}" for system in systems)
    has = first_names(_names(source))
    raise InputError(f"{source.path}: is of no known system. It has {has}. Of what is known, it lacks: {wanted}")


def _missing_marks(source: SourceFile, system: PublishedSystem) -> list[str]:
    """What a file lacks of the marks of a system."""
    holder = next(iter(system.holders), None)
    if holder is not None and not isinstance(source.top.get(holder), dict):
        return [holder]
    names = source.top if holder is None else source.top[holder]
    marks = [mark for mark in system.signature if not any(re.fullmatch(mark, str(name)) for name in names)]
    return [mark.replace("\\", "") for mark in marks]


def _names(source: SourceFile) -> list[str]:
    """Names at the top, those in a mapping as `holder/name`."""
    result: list[str] = []
    for key, value in source.top.items():
        result += [f"{key}/{name}" for name in value] if isinstance(value, dict) and value else [key]
    return result


def _held(source: SourceFile, system: PublishedSystem) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a file, and what lies beside them.

    Raises:
        InputError: something that no file of this system has.
    """
    if not system.holders:
        return tensors_at(source, None), {}
    unknown = [key for key in source.top if key not in system.holders and key not in system.beside]
    if unknown:
        known = ", ".join((*system.holders, *system.beside))
        raise InputError(f"{source.path}: is of {system.name}, but holds {first_names(unknown)} besides {known}")
    tensors: dict[str, torch.Tensor] = {}
    for holder, prefix in system.holders.items():
        if holder in source.top:
            tensors |= {prefix + key: tensor for key, tensor in tensors_at(source, holder).items()}
    return tensors, {key: "no weights of the network" for key in source.top if key in system.beside}


def _config(plan: Plan, path: Path, overrides: Sequence[str | Override]) -> Config:
    base = read_yaml(ROOT / "conf" / "nnet" / f"{plan.base}.yaml")
    return from_mapping({**base, **plan.sections}, str(path), overrides)


def _shapes_of(path: Path, system: PublishedSystem, config: Config, num_classes: int) -> Tensors:
    """The state of the network that a config describes, without its numbers.

    No memory is allocated for an untrusted file's sizes: they may be those of a far larger network than the file's.

    Raises:
        InputError: no network has these sizes.
    """
    try:
        with torch.device("meta"):
            return build(config, num_classes).state_dict()
    except InputError as error:
        raise InputError(f"{path}: is of {system.name}, but {error}") from error
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:  # torch's, of sizes beyond 2^63 and others
        first = str(error).partition("\n")[0]
        raise InputError(f"{path}: is of {system.name}, but no network can be built of its sizes: {first}") from error


def _speaker_names(num_classes: int) -> list[str]:
    """unknown-0000 …: the file has classes, not names."""
    return [f"unknown-{index:0{len(str(num_classes))}}" for index in range(num_classes)]


def _fit(path: Path, system: PublishedSystem, renamed: Renamed, wanted: Tensors) -> list[str]:
    """Check that the tensors are those of the network; counters of batches that are missing become 0.

    Args:
        path: for messages.
        system: for messages.
        renamed: the file's tensors by our names; the counters are added to them.
        wanted: the network's; only names, shapes and types are looked at.

    Returns:
        Names of the loss's tensors, if the file has none of them.

    Raises:
        InputError: with every name that is unknown, there twice, missing, of another shape or not finite.
    """
    given = renamed.tensors
    loss = [name for name in wanted if name.startswith(LOSS_PREFIX)]
    not_trained = [] if any(name in given for name in loss) else loss
    for name in wanted:
        if name.endswith(COUNTER) and name not in given:
            given[name] = torch.zeros(wanted[name].shape, dtype=wanted[name].dtype)
    problems = [
        ("has names that are not known", renamed.unknown + _origins(renamed, given.keys() - wanted.keys())),
        ("has two tensors for one place", renamed.twice),
        ("lacks (by our names)", [name for name in wanted if name not in given and name not in not_trained]),
        ("has other shapes", _shapes(renamed, wanted)),
        ("has numbers that are not finite", _origins(renamed, {name for name in given if not _finite(given[name])})),
    ]
    faults = [f"it {what}: {first_names(names)}" for what, names in problems if names]
    if faults:
        raise InputError(f"{path}: is of {system.name}, but {'; '.join(faults)}; nothing was imported")
    return not_trained


def _origins(renamed: Renamed, names: set[str]) -> list[str]:
    return [renamed.origins[name] for name in renamed.origins if name in names]


def _finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _shapes(renamed: Renamed, wanted: Tensors) -> list[str]:
    pairs = [(renamed.origins.get(name, name), tensor, wanted.get(name)) for name, tensor in renamed.tensors.items()]
    return [
        f"{origin} gives {tuple(tensor.shape)}, expected {tuple(other.shape)}"
        for origin, tensor, other in pairs
        if other is not None and tensor.shape != other.shape
    ]


def first_names(names: Sequence[str]) -> str:
    """Some names for a message."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
