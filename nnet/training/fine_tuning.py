"""Beginning a run with the weights of a checkpoint: more training with a larger margin, longer chunks, other speakers.

Only weights are taken over; step, optimizer and generators start from the beginning. The checkpoint is read once: a
resumed run goes on from its own last.pt. Its start may be gone by then, but must not be another file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from common.errors import InputError
from nnet.config.experiment import Config, from_mapping
from nnet.config.paths import located
from nnet.config.sections import PARTS
from nnet.model import SpeakerNet
from nnet.training.checkpoint import REMOVED, Checkpoint, file_hash, load_checkpoint, same_options

log = logging.getLogger("train")

Tensors = Mapping[str, torch.Tensor]
LOSS_PREFIX = "loss_function."
SHOWN = 5  # names in a message


def take_start(net: SpeakerNet, config: Config, speaker_ids: Sequence[str], features_conf: str) -> str:
    """Give a new network the weights of `training.start_from`; log what was taken and what was not.

    Class weights are taken by the speaker's name: the new run may have fewer speakers (without those of speed
    perturbation, say) or another order of them.

    Args:
        net: the network, changed in place.
        config: of the new run.
        speaker_ids: the speaker of each of its classes.
        features_conf: text of its features' option file.

    Returns:
        The checkpoint's hash; "" if the run starts from random weights.

    Raises:
        InputError: it cannot be read, is of other features, or lacks weights of a part that is taken.
    """
    if config.training.start_from is None:
        return ""
    path, parts = located(config.training.start_from), config.training.start_from_parts
    state = load_checkpoint(path)
    _check_features(path, state, config, features_conf)
    wanted = _of_parts(net.state_dict(), parts)
    given = dict(_of_parts(state.model, parts))
    given |= _class_rows(path, given, wanted, state.speaker_ids, speaker_ids)
    _check_fit(path, given, wanted)
    net.load_state_dict({**net.state_dict(), **given})
    digest = file_hash(path)
    left = [name for name in net.state_dict() if name not in given]
    numbers = sum(tensor.numel() for tensor in given.values())
    log.info(
        "starting from %s (step %d, sha256 %s): taken %d tensors, %d numbers: %s; not taken %d: %s",
        *(path, state.step, digest[:16], len(given), numbers, _counted(given), len(left), _shown(left) or "none"),
    )
    return digest


def refuse_imported(exp: Path) -> None:
    """Refuse to train in the directory of an imported network: its best.pt would be overwritten and cannot be resumed.

    Raises:
        InputError: `exp` has imported.yaml.
    """
    if (exp / "imported.yaml").exists():
        raise InputError(
            f"{exp}: holds an imported network (imported.yaml), which training would overwrite; give another --exp,"
            f" and training.start_from={exp / 'best.pt'} (with --nnet-opts or --set) to begin with its weights"
        )


def check_start(last: Path, state: Checkpoint, config: Config) -> None:
    """Check that the start of a resumed run, if it still exists, is the one it had.

    Raises:
        InputError: the file has another content now.
    """
    start = config.training.start_from
    if start is not None and located(start).is_file() and file_hash(located(start)) != state.start_hash:
        raise InputError(
            f"{last}: was started from another {start} (training.start_from; sha256 {state.start_hash[:16]} then);"
            f" give another --exp, or remove {REMOVED} in {last.parent} to start again"
        )


def _part(name: str) -> str:
    """The part of the network that a tensor belongs to, as `start_from_parts` calls it."""
    return "loss" if name.startswith(LOSS_PREFIX) else name.partition(".")[0]


def _of_parts(tensors: Tensors, parts: Sequence[str]) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if _part(name) in parts}


def _check_features(path: Path, state: Checkpoint, config: Config, features_conf: str) -> None:
    """The network must see what it saw."""
    before, now = from_mapping(state.config, str(path)).features, config.features
    if (before.type, before.dim) != (now.type, now.dim):
        raise InputError(
            f"training.start_from: {path} was trained on {before.type} of {before.dim} bins, this config has"
            f" {now.type} of {now.dim}; make the features equal"
        )
    for key in ("cmvn", "vad"):
        if getattr(before, key) != getattr(now, key):
            log.warning("%s was trained with features.%s %s", path, key, str(getattr(before, key)).lower())
    if not same_options(state.features_conf, features_conf):
        log.warning("%s was trained on features with other options:\n%s", path, state.features_conf.rstrip())


def _class_rows(
    path: Path, given: Tensors, wanted: Tensors, before: Sequence[str], now: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The loss's tensors with as many rows for each speaker, with the rows of the speakers of the new run."""
    names = [
        name
        for name, tensor in given.items()
        if _part(name) == "loss" and name in wanted
        if _rows_each(tensor, before) == _rows_each(wanted[name], now) > 0
    ]
    if not names or list(before) == list(now):
        return {}
    places = {spk_id: place for place, spk_id in enumerate(before)}
    new = [spk_id for spk_id in now if spk_id not in places]
    if new:
        raise InputError(
            f"training.start_from: {path} has no class weights for {len(new)} of the {len(now)} speakers (first:"
            f" {new[0]}); start the loss from random weights: {_without_loss()}"
        )
    log.info("class weights of %d of the %d speakers of %s", len(now), len(before), path)
    rows = torch.tensor([places[spk_id] for spk_id in now])
    return {name: given[name].unflatten(0, (len(before), -1))[rows].flatten(0, 1) for name in names}


def _rows_each(tensor: torch.Tensor, speaker_ids: Sequence[str]) -> int:
    """Rows of a class, one or a sub-centre each; 0 if the number is not the same for all."""
    return len(tensor) // len(speaker_ids) if tensor.dim() and len(tensor) % len(speaker_ids) == 0 else 0


def _without_loss() -> str:
    return f"training.start_from_parts=[{', '.join(part for part in PARTS if part != 'loss')}]"


def _check_fit(path: Path, given: Tensors, wanted: Tensors) -> None:
    """Raise InputError unless each wanted tensor is there in its shape, and no other."""
    wrong = []
    for name in sorted(given.keys() | wanted.keys()):
        found, expected = (tuple(each[name].shape) if name in each else None for each in (given, wanted))
        if found != expected:
            wrong.append(f"{name} is {found or 'absent'}, expected {expected or 'none'}")
    if wrong:
        raise InputError(
            f"training.start_from: {path} does not fit this network in {len(wrong)} tensors: {_shown(wrong, '; ')};"
            f" make the sections equal, or name the parts to take, e.g. {_without_loss()}"
        )


def _counted(tensors: Tensors) -> str:
    """`encoder 20, embedding 2`."""
    parts = [_part(name) for name in tensors]
    return ", ".join(f"{part} {parts.count(part)}" for part in dict.fromkeys(parts))


def _shown(names: Sequence[str], between: str = ", ") -> str:
    rest = f"{between}and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return between.join(names[:SHOWN]) + rest
