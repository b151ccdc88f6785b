"""Checkpoints: everything that a run needs to go on, or an embedding to be computed, in one file written at once.

A file holds plain values and tensors, so that `torch.load(weights_only=True)` reads it: opening an untrusted file runs
no code in it. It ends with a checksum of its bytes (nnet/training/checksum.py), which is checked before torch reads it.
Which files a run keeps: nnet/training/kept.py.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from common.errors import InputError, why
from common.text_lines import trimmed
from common.whole_files import write_whole
from nnet.training import checksum
from nnet.training.checkpoint_fields import check_fields
from nnet.training.wrappers import unwrapped

log = logging.getLogger("checkpoint")

FORMAT = 1
# What may differ between a run and its resumption: it changes no number of the result.
FREE_KEYS = frozenset(
    {"data.workers", "data.audio_cache_mb", "training.log_every", "training.save_every", "training.keep_last"}
)
REMOVED = "last.pt and best.pt"  # without these a run starts with its first step


@dataclass
class Checkpoint:
    """The state of a run after update `step`.

    Args:
        step: updates done.
        model: state of the network with its loss.
        optimizer: state of the optimizer.
        rng: states of torch's generators: `cpu`, and `cuda` if there is one.
        config: the experiment, as `nnet.config.experiment.to_mapping` gives it.
        speaker_ids: the speaker of each class.
        list_digest: which utterances, lengths, speakers and held-out trials the lists hold, in a hash.
        features_conf: text of the Kaldi option file that the features were made with.
        precision: float32 or bf16, as decided when the run began.
        best_eer: lowest valid EER (a share) so far; None if nothing was held out.
        best_step: its step.
        meter: sums since the last line of the curve.
        seconds: training time so far.
        valid_eers: step of each validation -> its EER (a share), which a schedule may ask for; in rising order.
        start_hash: of the checkpoint that the run began with, "" for random weights.
        torch_version: what wrote the file.
    """

    step: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    rng: dict[str, torch.Tensor]
    config: dict[str, dict[str, Any]]
    speaker_ids: list[str]
    list_digest: str
    features_conf: str
    precision: str
    best_eer: float | None = None
    best_step: int = 0
    meter: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    valid_eers: dict[int, float] = dataclasses.field(default_factory=dict)
    start_hash: str = ""
    torch_version: str = str(torch.__version__)


class DamagedError(InputError):
    """A file that is not an intact checkpoint: cut, changed, or not written by nnet.train."""


def save_checkpoint(path: Path, checkpoint: Checkpoint, before_rename: Callable[[], None] | None = None) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part, even if the machine stops.

    The caller holds the lock of the experiment (nnet/training/exp_lock.py): what a killed run left half-written for
    this file, on any host, is removed.

    Args:
        path: the file.
        checkpoint: what is written.
        before_rename: called when the new one is on disk under another name, and the old one still there.

    Raises:
        InputError: it cannot be written (no space left, no permission); an earlier file is untouched.
    """
    content = {"format": FORMAT} | {f.name: getattr(checkpoint, f.name) for f in dataclasses.fields(checkpoint)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    checksum.append(buffer)
    write_whole(path, buffer.getbuffer(), before_rename, alone=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; its tensors are on the CPU.

    Raises:
        DamagedError: truncated, changed, or not written by this program; a field of another type is named.
        InputError: missing, or cannot be opened.
    """
    content = _read(path)
    unsealed = checksum.has_no_checksum(content)
    try:
        checksum.verify(content)
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except InputError as error:
        raise DamagedError(f"{path}: cannot be read as a checkpoint: {error}") from error
    except Exception as error:  # a damaged file may raise nearly anything: IndexError, UnicodeDecodeError, KeyError …
        # torch's own message recommends opening the file in a way that runs the code in it.
        unsafe = "it holds more than plain values and tensors, which nnet.train does not write, and none of it was run"
        reason = unsafe if "weights_only" in str(error) else f"damaged? {error}"
        raise DamagedError(f"{path}: cannot be read as a checkpoint: {reason}") from error
    format = values.pop("format", None) if isinstance(values, dict) else None
    if type(format) is not int or format != FORMAT or not _has_fields(set(values)):
        raise DamagedError(f"{path}: is not a checkpoint of nnet.train in format {FORMAT}")
    try:
        check_fields(path, values)
    except InputError as error:
        raise DamagedError(str(error)) from error
    if unsealed:
        log.warning("%s: has no checksum, as in earlier versions; damage may go unnoticed", path)
    names, taken_off = unwrapped(values["model"])
    if taken_off:
        log.warning("%s: names of its %d tensors: %s taken off", path, len(names), taken_off)
        values["model"] = {names[name]: tensor for name, tensor in values["model"].items()}
    return Checkpoint(**values)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; train one with python3 -m nnet.train --exp {path.parent}")
    try:
        return path.read_bytes()
    except OSError as error:
        kind = DamagedError if error.errno == errno.EIO else InputError  # the disk cannot read it; others may pass
        raise kind(f"{path}: cannot be read: {why(error)}") from error


def _has_fields(names: set[str]) -> bool:
    """Whether these are the fields of a checkpoint; those with a default may be missing: older files lack some."""
    known = {field.name for field in dataclasses.fields(Checkpoint)}
    missing = dataclasses.MISSING
    required = {f.name for f in dataclasses.fields(Checkpoint) if f.default is missing and f.default_factory is missing}
    return required <= names <= known


def file_hash(path: Path) -> str:
    """SHA-256 of a checkpoint's bytes.

    Raises:
        InputError: it cannot be read.
    """
    return hashlib.sha256(_read(path)).hexdigest()


def rng_state(device: torch.device) -> dict[str, torch.Tensor]:
    """States of the generators that training on `device` draws from."""
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state()} | cuda


def restore_rng(state: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Undo what was drawn since `rng_state`; a run that moves from CPU to CUDA keeps the CUDA generator's seed.

    Raises:
        InputError: there is no state of the CPU's generator, or one that torch does not accept.
    """
    if "cpu" not in state:
        raise InputError("the checkpoint's rng has no state of the CPU's generator; it cannot be resumed")
    try:
        torch.set_rng_state(state["cpu"])
        if device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], device)
    except RuntimeError as error:  # of another length
        raise InputError(f"the checkpoint's rng is not a state of torch's generators: {error}") from error


def check_same_run(
    path: Path,
    checkpoint: Checkpoint,
    config: Mapping[str, Mapping[str, Any]],
    speaker_ids: Sequence[str],
    list_digest: str,
    features_conf: str,
) -> None:
    """Check that a checkpoint belongs to the run that would resume it.

    Raises:
        InputError: names each config key that differs, or the lists or features, and how to start again.
    """
    todo = f"give another --exp, or remove {REMOVED} in {path.parent} to start again"
    changed = [
        f"{key} (was {before!r}, now {now!r})"
        for key, before, now in _differences(checkpoint.config, config)
        if key not in FREE_KEYS
    ]
    if changed:
        if all(key.startswith("inference.") for key in changed):
            todo = "this needs no training: set it with --inference of nnet.extract or ./pipeline.sh"
        raise InputError(f"{path}: was trained with another config: {', '.join(changed)}; {todo}")
    if checkpoint.speaker_ids != list(speaker_ids):
        counts = f"{len(checkpoint.speaker_ids)} then, {len(speaker_ids)} now"
        raise InputError(f"{path}: was trained on other speakers ({counts}); {todo}")
    if checkpoint.list_digest != list_digest:
        raise InputError(f"{path}: was trained on other utterances, lengths or held-out trials; {todo}")
    if not same_options(checkpoint.features_conf, features_conf):
        raise InputError(f"{path}: was trained on features with other options:\n{checkpoint.features_conf}{todo}")


def same_run(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints are of one run, at any steps."""
    changed = {key for key, _, _ in _differences(one.config, other.config)} - FREE_KEYS
    if changed or not same_options(one.features_conf, other.features_conf):
        return False
    return all(getattr(one, name) == getattr(other, name) for name in ("speaker_ids", "list_digest", "start_hash"))


def same_options(one: str, other: str) -> bool:
    """Whether two Kaldi option files hold the same lines; comments, blank lines and spaces at the ends may differ."""
    return _option_lines(one) == _option_lines(other)


def _option_lines(text: str) -> list[str]:
    lines = (trimmed(line.partition("#")[0]) for line in text.split("\n"))
    return [line for line in lines if line]


def _differences(
    before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Any, Any]]:
    keys = [(section, key) for section in now for key in sorted({*before.get(section, {}), *now[section]})]
    values = [(f"{s}.{k}", before.get(s, {}).get(k), now[s].get(k)) for s, k in keys]
    return [(key, old, new) for key, old, new in values if old != new]
