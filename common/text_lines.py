"""Lines and fields of text tables by Kaldi's rule, for every reader of lists: trials, scores, ids, scripts, options.

Only ASCII blanks (space, tab, newline, vertical tab, form feed, carriage return) separate fields. To Python's strings a
no-break space, U+3000 and U+001C are blanks too, and more characters end a line. A byte order mark at the beginning is
left out, and CR LF is read as LF; each is reported once, with the file's name. UTF-16 is refused. Bytes that are not
UTF-8 pass through unchanged (surrogateescape). `common.log`, with logging, is imported only when there is a report.

The tools for data directories (`minikaldi.data_dir.lines`) split fields with the same functions, but refuse a byte
order mark and CR LF, since real Kaldi reads the same tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

BLANKS = " \t\n\v\f\r"
BYTE_ORDER_MARK = "\ufeff"
BLOCK_BYTES = 1 << 18  # some thousand lines, which stay in the processor's cache
_MARK = BYTE_ORDER_MARK.encode()
LONGEST_MARK = len(_MARK)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BLANK = re.compile(f"[{BLANKS}]+")
_OTHER_BLANKS = (*"\x1c\x1d\x1e\x1f\x85\xa0\u1680", *map(chr, range(0x2000, 0x200B)), *"\u2028\u2029\u202f\u205f\u3000")

Raise = Callable[[str], Exception]
Warn = Callable[[str], None]


def has_ascii_blanks_only(text: str) -> bool:
    """Whether str.split() and str.strip() find no other blanks in a text than ASCII's: quick for a block of lines."""
    if text.isascii():
        return not ("\x1c" in text or "\x1d" in text or "\x1e" in text or "\x1f" in text)
    return not any(blank in text for blank in _OTHER_BLANKS)


def fields_of(line: str, most: int = -1) -> list[str]:
    """The fields of a line; after `most` of them the rest of the line is the last one, as in str.split."""
    if has_ascii_blanks_only(line):
        return line.split(None, most)
    rest = line.lstrip(BLANKS)
    fields = _BLANK.split(rest, max(most, 0)) if most else [rest]
    return fields if fields[-1] else fields[:-1]


def head_and_rest(text: str) -> tuple[str, str]:
    """The first field, and what follows it without the blanks between them; '' for what is absent."""
    head, rest = (*fields_of(text, 1), "", "")[:2]
    return head, rest


def trimmed(text: str) -> str:
    """The text without ASCII blanks at its ends."""
    return text.strip(BLANKS)


def is_one_word(text: str) -> bool:
    """Whether the text can be an id: not empty, and without an ASCII blank."""
    return bool(text) and not _BLANK.search(text)


def number_of(text: str) -> float:
    """A number as Kaldi reads it, NaN for anything else; Python alone accepts 1_000 and digits of other scripts."""
    try:
        return float(text) if text.isascii() and has_ascii_blanks_only(text) and "_" not in text else float("nan")
    except ValueError:
        return float("nan")


def line_blocks(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The stream in blocks of whole lines, of about `size` bytes; the last one may lack its newline."""
    while block := stream.read(size) + stream.readline():
        yield block


class LineEnds:
    """Byte order mark and carriage returns of one file: removed, and reported once each.

    Args:
        name: name of the file in messages.
        error: makes the exception for a file that cannot be read as text.
        warn: receives the reports; by default they go to `common.log`.
    """

    def __init__(self, name: str, error: Raise, warn: Warn | None = None) -> None:
        self._name = name
        self._error = error
        self._warn = warn or _log_warning
        self._reported = False

    def without_mark(self, beginning: bytes) -> bytes:
        """The first bytes of the file without a byte order mark.

        Raises:
            Exception: as `error` makes it: the file is UTF-16.
        """
        if beginning.startswith(_UTF_16_MARKS):
            raise self._error(f"{self._name}:1: the file is UTF-16, by its byte order mark; save it as UTF-8")
        if beginning.startswith(_MARK):
            self._warn(f"{self._name}: the file begins with a byte order mark; read without it")
        while beginning.startswith(_MARK):  # two, if an editor added one to a file that had one
            beginning = beginning[len(_MARK) :]
        return beginning

    def note(self, data: bytes) -> None:
        r"""Report a carriage return in `data`, which ends where a line ends: the first time only."""
        if self._reported or b"\r" not in data:
            return
        self._reported = True
        at_ends = data.count(b"\r\n") + data.endswith(b"\r")
        if at_ends == data.count(b"\r"):
            self._warn(f"{self._name}: line ends are CRLF; read as if they were LF")
        else:
            self._warn(f"{self._name}: carriage returns inside lines are read as blanks; lines must end in LF")


def clean_lines(stream: Iterable[bytes], name: str, error: Raise, warn: Warn | None = None) -> Iterator[bytes]:
    """The lines of an open stream as bytes without line end; blank ones too, so that line numbers stay right.

    Raises:
        Exception: as `LineEnds`.
    """
    ends, raw = LineEnds(name, error, warn), iter(stream)
    first = next(raw, None)
    if first is None:
        return
    line = ends.without_mark(first)
    ends.note(first)
    yield line.rstrip(b"\r\n")
    for line in raw:
        if b"\r" in line:
            ends.note(line)
        yield line.rstrip(b"\r\n")


def filled_lines(path: Path | str, error: Raise, warn: Warn | None = None) -> Iterator[tuple[int, str]]:
    """(number from 1, line without blanks at its ends) of each line that is not blank.

    Raises:
        OSError: it cannot be read.
        Exception: as `LineEnds`.
    """
    for first, lines in _text_blocks(path, error, warn):
        for number, line in enumerate(lines, first):
            if line := line.strip(BLANKS):
                yield number, line


def numbered_fields(
    path: Path | str, error: Raise, warn: Warn | None = None, most: int = -1
) -> Iterator[tuple[int, list[str]]]:
    """(number from 1, fields as `fields_of` splits them) of each line that is not blank.

    Raises:
        OSError: it cannot be read.
        Exception: as `LineEnds`.
    """
    for first, lines in _text_blocks(path, error, warn):
        plain = has_ascii_blanks_only("\n".join(lines))
        for number, line in enumerate(lines, first):
            # The end is trimmed first, for the rest of a line that `most` leaves unsplit.
            line = line.rstrip(BLANKS)
            if fields := line.split(None, most) if plain else fields_of(line, most):
                yield number, fields


def byte_blocks(
    path: Path | str, error: Raise, warn: Warn | None = None, size: int = BLOCK_BYTES
) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, whole lines) of a file, about `size` bytes at a time, without byte order mark.

    Raises:
        OSError: it cannot be read.
        Exception: as `LineEnds`.
    """
    if "\0" in str(path):  # a list of lists may contain one
        raise error(f"{path}: a file name cannot contain a zero byte")
    ends, number = LineEnds(str(path), error, warn), 1
    with Path(path).open("rb") as stream:
        for block in line_blocks(stream, size):
            data = ends.without_mark(block) if number == 1 else block
            ends.note(block)
            if data:
                yield number, data
            number += block.count(b"\n") or 1


def lines_of(data: bytes) -> list[str]:
    """The lines of a block as text, without their ends."""
    return data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")


def _text_blocks(path: Path | str, error: Raise, warn: Warn | None) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines) of a file, some thousand at a time."""
    for number, data in byte_blocks(path, error, warn):
        yield number, lines_of(data)


def _log_warning(text: str) -> None:
    from common.log import warning  # imports logging, which nothing else here needs

    warning(text)
