"""The source of a wave: one file, and perhaps commands whose output depends on the file and their options alone.

Two rxfilenames of the same source give the same samples, so that one of them need not be read. Only a certain source
counts: a pipe must be one that this process runs itself (`minikaldi.io.inner`), consist of the commands below, and
begin with one file.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from common.errors import KaldiError
from minikaldi import commands
from minikaldi.io.inner import parse_pipeline
from minikaldi.io.specifiers import FileName, parse_rxfilename
from minikaldi.options import parse_command_line

# The output of each depends on its options, its arguments and the content of its first argument alone.
PURE_COMMANDS = frozenset(("to_wav.py", "wav-copy"))

Words = tuple[str, ...]


@dataclass(frozen=True)
class WaveSource:
    """A file as it is now, and the commands that its content goes through.

    Attributes:
        commands: the words of each; none for the file itself.
        offset: the byte at which the wave begins.
        device: device of the file.
        inode: inode of the file.
        changed_ns: time of its last change.
        size: bytes.
    """

    commands: tuple[Words, ...]
    offset: int
    device: int
    inode: int
    changed_ns: int
    size: int


def wave_source(rxfilename: str) -> WaveSource | None:
    """The source of a wave; None if it is uncertain: another pipe, `-`, not a regular file."""
    name = parse_rxfilename(rxfilename)
    if name.kind == "file":
        return _as_it_is_now(name, ())
    stages = parse_pipeline(name.target) if name.kind == "pipe" else None
    found = _file_and_commands(tuple(map(tuple, stages))) if stages else None
    return _as_it_is_now(*found) if found else None


def _as_it_is_now(file: FileName, through: tuple[Words, ...]) -> WaveSource | None:
    try:
        found = Path(file.target).stat()
    except (OSError, ValueError):  # the reader reports the error
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return WaveSource(through, file.offset, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _file_and_commands(stages: tuple[Words, ...]) -> tuple[FileName, tuple[Words, ...]] | None:
    """The file at the beginning of a pipeline of pure commands, and the commands, without `cat`; else None."""
    first, *rest = stages
    opened = first[0] == "cat"
    file = FileName("file", first[1]) if opened else _input_of(first)
    inputs = [_input_of(words) for words in rest]
    if file is None or file.kind != "file" or any(name is None or name.kind != "std" for name in inputs):
        return None
    return file, tuple(rest) if opened else stages


def _input_of(words: Words) -> FileName | None:
    """The input of a pure command; None for any other command, and for unusual options or arguments."""
    name = Path(words[0]).name
    if name not in PURE_COMMANDS:
        return None
    try:
        _, standard, arguments = parse_command_line(list(words[1:]), commands.load_command(name).options)
    except KaldiError:
        return None  # running the command reports the error
    if standard.config or standard.help:
        return None
    if name == "wav-copy":
        return parse_rxfilename(arguments[0]) if len(arguments) == 2 and arguments[1] == "-" else None
    if len(arguments) not in (1, 2):
        return None
    return FileName("std", "") if arguments[0] == "-" else FileName("file", arguments[0])
