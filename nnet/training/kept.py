"""Which checkpoints a run keeps, and which it goes on from.

last.pt is the newest, last-1.pt the one before it, up to `training.keep_last` in all; best.pt has the lowest valid EER.
A damaged last.pt is set aside as last.pt.damaged, with a warning, and an older one takes its place. There is a last.pt
from the first save on: without it, a run starts with its first step. Who writes here holds the experiment's lock.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from common.errors import InputError, why
from common.whole_files import write_whole
from nnet.config.experiment import from_mapping, to_mapping
from nnet.training.checkpoint import REMOVED, Checkpoint, DamagedError, load_checkpoint, same_run, save_checkpoint

log = logging.getLogger("train")

_OLDER = re.compile(r"last-([1-9][0-9]{0,5})\.pt")


def save_last(exp: Path, state: Checkpoint, keep: int) -> None:
    """Write last.pt; those before it become last-1.pt and so on, `keep` files in all.

    Raises:
        InputError: it cannot be written; the earlier ones are untouched.
    """
    save_checkpoint(exp / "last.pt", state, lambda: _make_room(exp, keep))


def newest(exp: Path) -> tuple[Path, Checkpoint] | None:
    """The newest intact checkpoint of a run, and its file; None if there is no last.pt.

    Damaged ones are logged; if an older one is found, it takes the place of last.pt.

    Raises:
        InputError: all are damaged, or one cannot be opened.
    """
    last = exp / "last.pt"
    older = _older(exp)
    if not last.is_file():
        if older:
            log.warning("%s does not exist: starting with step 1 (copy %s to it to go on from there)", last, older[0])
        return None
    damaged: list[str] = []
    for path in filter(Path.is_file, [last, *older, exp / "best.pt"]):
        try:
            state = load_checkpoint(path)
        except DamagedError as error:
            damaged.append(str(error))
            continue
        if damaged:
            log.warning("%s; passed over, going on from %s, step %d", "; ".join(damaged), path.name, state.step)
            _set_aside(last)
            write_whole(last, path.read_bytes(), alone=True)
        return path, state
    found = "; ".join(damaged)
    raise InputError(f"{found}; no intact checkpoint is left in {exp}: remove {REMOVED} there to start again")


def _set_aside(bad: Path) -> None:
    """Keep a copy of a damaged file, if it can be read at all."""
    aside = bad.with_name(f"{bad.name}.damaged")
    try:
        content = bad.read_bytes()
    except OSError as error:
        log.warning("%s: cannot be read (%s), and is not kept", bad, why(error))
        return
    write_whole(aside, content, alone=True)
    log.warning("%s: kept as %s", bad, aside.name)


def restore_best(exp: Path, state: Checkpoint, wanted: int, finished: bool) -> None:
    """Make sure that the best model is there.

    If best.pt is damaged, missing or of another run, it is written again from a kept checkpoint of its step. Without
    one, the best of the coming steps will take its place.

    Args:
        exp: the experiment directory.
        state: where the run goes on; its best EER is dropped if the model is lost.
        wanted: step of the best model, 0 if there was none yet.
        finished: there are no more steps.

    Raises:
        InputError: it is lost, and there are no more steps.
    """
    best = exp / "best.pt"
    if not wanted:
        return
    try:
        if _is_of_run(best, state):
            return
        lost = f"{best}: is of another run"
    except DamagedError as error:
        lost = str(error)
    except InputError:
        if best.is_file():
            raise
        lost = f"{best}: is gone"
    for path in (exp / "last.pt", *_older(exp)):
        if _step_of(path) == wanted:
            write_whole(best, path.read_bytes(), alone=True)
            log.warning("%s; written again from %s, which is of the same step, %d", lost, path.name, wanted)
            return
    if finished:
        raise InputError(
            f"{lost}; it was of step {wanted}, which no other file holds; remove {REMOVED} in {exp} to train again, or"
            " take the last model instead: copy last.pt to best.pt"
        )
    log.warning("%s; it was of step %d, which no other file holds; the best from here on takes its place", lost, wanted)
    state.best_eer, state.best_step = None, 0


def _is_of_run(best: Path, state: Checkpoint) -> bool:
    found = load_checkpoint(best)
    fill_in_options(found, best)
    return same_run(found, state)


def fill_in_options(state: Checkpoint, path: Path) -> None:
    """Add the options that a checkpoint of an earlier version lacks, and replace old names."""
    state.config.get("optimizer", {}).setdefault("decay", "all")
    state.config = to_mapping(from_mapping(state.config, str(path)))


def _step_of(path: Path) -> int | None:
    try:
        return load_checkpoint(path).step if path.is_file() else None
    except DamagedError:
        return None


def _older(exp: Path) -> list[Path]:
    """last-1.pt, last-2.pt … those that exist."""
    return [path for _, path in sorted(_numbered(exp))]


def _numbered(exp: Path) -> Iterator[tuple[int, Path]]:
    for path in exp.glob("last-*.pt"):
        match = _OLDER.fullmatch(path.name)
        if match:
            yield int(match[1]), path


def _make_room(exp: Path, keep: int) -> None:
    """Make last.pt last-1.pt too, and so on; last.pt exists at all times.

    If there is no last.pt, the older ones are of another run and are removed.
    """
    last = exp / "last.pt"
    for number, path in sorted(_numbered(exp), reverse=True):
        if number + 1 < keep and last.is_file():
            path.replace(exp / f"last-{number + 1}.pt")
        else:
            path.unlink()
    if keep > 1 and last.is_file():
        try:
            os.link(last, exp / "last-1.pt")
        except OSError:  # a file system without hard links
            write_whole(exp / "last-1.pt", last.read_bytes(), alone=True)
