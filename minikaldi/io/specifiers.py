"""Kaldi's names for tables and files: rspecifiers, wspecifiers, extended file names, script lines.

Source: Kaldi util/kaldi-table.cc and kaldi-io.cc. `ark:x`, `scp,p:x`, `ark,t:-`, `ark,s,cs:cmd |`, `ark,scp:a,b`;
`file:123` (byte offset); `cmd |`, `| cmd`; `file[0:9,2:5]` (rows and columns, both ends included).

Options come in any order, before or after `ark` or `scp`; of a pair (`s`, `ns`) the last one counts. For reading:
`o` each key is looked up once (its object is then dropped); `p` unreadable entries are skipped with a warning; `s` the
keys are sorted, and `cs` they are looked up in that order (together: memory for one object); `bg` a thread reads the
next object while one is in work. For writing: `t` text; `f` flush after each object; `p` skip keys that a script to
write to does not have. `b` and `t` have no effect in reading: the data show it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from common.errors import KaldiError, UsageError
from common.text_lines import BLANKS, trimmed
from minikaldi.io.primitives import decode, excerpt, quoted

_READ_FLAGS = {"o", "no", "p", "np", "s", "ns", "cs", "ncs", "b", "t", "bg"}
_WRITE_FLAGS = {"b", "t", "f", "nf", "p"}
_KINDS = ("ark", "scp")
_OFFSET = re.compile(r"(.+):([0-9]{1,20})", re.DOTALL)  # more digits are a part of a file name
_RANGE = re.compile(r"(.*)\[([^\[\]]*)\]", re.DOTALL)


@dataclass(frozen=True)
class Rspecifier:
    """Where to read a table, and what the caller promises about it.

    Attributes:
        kind: 'ark' or 'scp'.
        rxfilename: extended file name.
        once: each key is looked up once.
        permissive: unreadable entries are skipped.
        sorted: the keys are sorted.
        called_sorted: keys are looked up in order.
        background: a thread reads the next object.
    """

    kind: str
    rxfilename: str
    once: bool = False
    permissive: bool = False
    sorted: bool = False
    called_sorted: bool = False
    background: bool = False


@dataclass(frozen=True)
class Wspecifier:
    """Where to write a table.

    Attributes:
        archive: file name of the archive; None: there is none.
        script: file name of the script; None: there is none.
        binary: whether objects are binary.
        flush: whether to flush after each object.
        permissive: whether to skip keys that a script to write to lacks.
    """

    archive: str | None
    script: str | None
    binary: bool = True
    flush: bool = False
    permissive: bool = False


@dataclass(frozen=True)
class FileName:
    """A parsed file name.

    Attributes:
        kind: 'std', 'file' or 'pipe'.
        target: path or command.
        offset: byte offset in the file.
    """

    kind: str
    target: str
    offset: int = 0


Range = tuple[int, int] | None  # first and last, both included; None: all


def is_rspecifier(text: str) -> bool:
    """Whether the text is the name of a table, to read or to write, and not of a file or pipe."""
    kinds, flags = _split_head(text)
    return bool(kinds) and set(flags) <= _READ_FLAGS | _WRITE_FLAGS


def are_tables(source: str, target: str) -> bool:
    """Whether a command that copies must copy tables (True) or one object from file to file (False).

    Raises:
        UsageError: one of the two is a table and the other is not.
    """
    if is_rspecifier(source) == is_rspecifier(target):
        return is_rspecifier(source)
    table, file = (source, target) if is_rspecifier(source) else (target, source)
    if _split_head(trimmed(file))[0]:
        raise UsageError(f"{file!r} is not the name of a table: it has an unknown option, or a space at an end")
    raise UsageError(
        f"cannot copy from {source!r} to {target!r}: {table!r} is a table, {file!r} is the name of one file; give two "
        f"tables (as in ark:{file or '-'}) or two files (./{table} for a file of that name)"
    )


def parse_rspecifier(text: str) -> Rspecifier:
    """Parse `ark:x`, `scp,s,cs:x` …, with the options in any order.

    Raises:
        KaldiError: another form; the text names the allowed ones.
    """
    kinds, flags = _split_head(text)
    if len(kinds) != 1 or not set(flags) <= _READ_FLAGS:
        expected = "ark:… or scp:… with options o p s cs bg, as in scp,p:wav.scp"
        raise KaldiError(f"{quoted(text)} is not an rspecifier; expected {expected}")
    once, permissive, ordered, called_sorted = (_last(flags, flag, "n" + flag) for flag in ("o", "p", "s", "cs"))
    return Rspecifier(kinds[0], _name_of(text), once, permissive, ordered, called_sorted, "bg" in flags)


def parse_wspecifier(text: str) -> Wspecifier:
    """Parse `ark:x`, `ark,t:x`, `scp:x`, `ark,scp:x,y`.

    Raises:
        KaldiError: another form.
    """
    kinds, flags = _split_head(text)
    if kinds not in (["ark"], ["scp"], ["ark", "scp"]) or not set(flags) <= _WRITE_FLAGS:
        raise KaldiError(f"{quoted(text)} is not a wspecifier; expected ark:… , scp:… or ark,scp:…,… with t b f nf p")
    name = _name_of(text)
    archive, script = (name, None) if kinds == ["ark"] else (None, name)
    if len(kinds) == 2:
        archive, comma, script = name.partition(",")
        if not comma:
            raise KaldiError(f"{quoted(text)}: expected two file names, archive and script, with a comma between")
    return Wspecifier(archive, script, not _last(flags, "t", "b"), _last(flags, "f", "nf"), "p" in flags)


def parse_rxfilename(text: str) -> FileName:
    """Parse a file name for reading: '-' or '' is the standard input, `cmd |` a pipe, `file:123` a byte offset.

    Raises:
        KaldiError: an invalid name.
    """
    if text in ("", "-"):
        return FileName("std", text)
    if text.endswith("|") and not text.startswith("|"):
        return FileName("pipe", trimmed(text[:-1]))
    if text != trimmed(text):
        raise KaldiError(f"{quoted(text)} is not a file name: it starts or ends with a space")
    _check_start(text)
    if "|" in text:
        raise KaldiError(f"{quoted(text)}: a command to read from ends in '|' and does not start with it")
    found = _OFFSET.fullmatch(text)
    return FileName("file", found[1], int(found[2])) if found else FileName("file", text)


def parse_wxfilename(text: str) -> FileName:
    """Parse a file name for writing: '-' or '' is the standard output, `| cmd` a pipe.

    Raises:
        KaldiError: an invalid name.
    """
    if text in ("", "-"):
        return FileName("std", text)
    if text.startswith("|") and not text.endswith("|"):
        return FileName("pipe", trimmed(text[1:]))
    if text != trimmed(text) or "|" in text:
        raise KaldiError(f"{quoted(text)} is not a file name to write to; a command to write to starts with '|'")
    _check_start(text)
    if _OFFSET.fullmatch(text):
        raise KaldiError(f"{quoted(text)} is not a file name to write to: byte offsets are for reading only")
    return FileName("file", text)


def split_range(text: str) -> tuple[str, tuple[Range, Range]]:
    """Split `file:123[0:9,2:5]` into the file name and its (rows, columns), both ends included, None for all.

    Raises:
        KaldiError: a range that is not `first:last`.
    """
    found = _RANGE.fullmatch(text) if text.endswith("]") else None
    if not found:
        return text, (None, None)
    rows, _, cols = found[2].partition(",")
    return found[1], (_parse_range(rows, text), _parse_range(cols, text))


def parse_script_line(line: bytes, where: str, number: int | None = None) -> tuple[str, str]:
    """(key, extended file name) of one line of a script file.

    Only ASCII blanks separate words, as in archives: to Python's strings a no-break space is a blank too.

    Args:
        line: the line.
        where: name of the script in errors.
        number: number of the line in errors.

    Raises:
        KaldiError: fewer than two words.
    """
    words = line.split(None, 1)
    if len(words) < 2:
        where = where if number is None else f"{where}:{number}"
        raise KaldiError(f"{where}: found {excerpt(line.strip())}, expected a key and a file name")
    return decode(words[0]), os.fsdecode(words[1].strip())  # decoded as names on the command line are, in any locale


def _parse_range(text: str, whole: str) -> Range:
    if text in ("", ":"):
        return None
    found = re.fullmatch(r"([0-9]{1,18}):([0-9]{1,18})", text)
    if not found or int(found[1]) > int(found[2]):
        raise KaldiError(f"{quoted(whole)}: found the range {quoted(text)}; expected [0:9] or [0:9,2:5]")
    return int(found[1]), int(found[2])


def _check_start(text: str) -> None:
    if text.startswith(("t,", "b,")):
        expected = "options come before the colon, as in ark,t:-"
        raise KaldiError(f"{quoted(text)} is not a file name: {expected} (with ./ before it, it is one)")


def _split_head(text: str) -> tuple[list[str], list[str]]:
    """The kinds (ark, scp) and the options before the colon; no kinds if this is not the name of a table."""
    head, colon, _ = text.partition(":")
    words = re.split("[, ]", head)
    if not colon or text != text.rstrip(BLANKS):
        return [], []
    return [word for word in words if word in _KINDS], [word for word in words if word not in _KINDS]


def _name_of(table: str) -> str:
    return table.partition(":")[2]


def _last(words: list[str], on: str, off: str) -> bool:
    """Whether `on` or `off` was given last; off by default."""
    given = [word for word in words if word in (on, off)]
    return bool(given) and given[-1] == on
