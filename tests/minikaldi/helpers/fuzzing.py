"""What the fuzz tests share: bytes damaged in every way that files get damaged, and what a reader may answer to them.

Whatever the bytes, a reader gives a value or one error of its own class, in one line, which names the file and the
place. It does not hang, and it allocates no more than the bytes call for. Everything is seeded: a failing input is
shown by its beginning, and found again by the next run.
"""

from __future__ import annotations

import random
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 5.0
"""What one input may take: a thousand times what a good one does, so that a busy machine is no hang."""
MEMORY_BYTES = 400 << 20
"""What all inputs of a test may allocate beyond what the process has: each is below a few kilobytes."""
LONGEST_MESSAGE = 10000
"""A path and a key may be long."""

EXTREMES = (-1, -(2**31), 2**31 - 1, 2**30, 1 << 20, 0, 1)
TAGS = (b"FM ", b"DM ", b"CM ", b"CM2 ", b"CM3 ", b"FV ", b"DV ", b"\0B", b"<Plda>", b"</Plda>", b"RIFF", b"data")
ODD_BYTES = (
    b"\0",
    b"\xff\xfe",  # no UTF-8
    b"\xc3",
    b"\xed\xa0\x80",  # a surrogate
    "\u00a0\u2028\u0661".encode(),  # blanks and a digit, to Python
    b"\r\n",
    b"\n\n",
    b" \t\v\f ",
    b"\x1b[2J",
    b"[" * 40,
    b"{a: " * 1500,
    b"&a [*a, *a]",
    b"]",
    b"1_0",
    b"1e999",
    b"1e39",
    b"-0x1p3",
    b"nan",
    b"9" * 5000,
    b"x" * 70000,
    b"|",
    b":99999999999999999999",
    b"[0:99999999999999999999]",
)


@dataclass(frozen=True)
class Refusal:
    """A reader's error."""

    text: str


def refusal_or_value(
    read: Callable[[], Any], errors: tuple[type[Exception], ...], place: str, shown: object = ""
) -> Any:
    """What `read` gives, or its `Refusal`; fails the test on any other exception, on a hang and on a poor message.

    Args:
        read: reads one input.
        errors: the reader's own error classes; no class derived from them counts.
        place: a regular expression that the error's text must hold: the file's name and the place in it.
        shown: the input, for the test's report.
    """
    try:
        with _time_limit(shown):
            return read()
    except errors as exc:
        text = str(exc)
        # The system's own errors count if they name a file: the programs report them in one line.
        named = isinstance(exc, OSError) and exc.filename is not None and not isinstance(exc, UnicodeError)
        own = type(exc).__module__ != "builtins" or type(exc) in errors or named
        assert own, f"{type(exc).__name__}: {text[:300]} for {_start_of(shown)}"
        assert "\n" not in text, f"more than one line: {text!r} for {_start_of(shown)}"
        assert re.search(place, text), f"names no place: {text!r} for {_start_of(shown)}"
        assert named or len(text) <= LONGEST_MESSAGE, f"{len(text)} characters: {text[:200]!r} for {_start_of(shown)}"
        return Refusal(text)
    except Exception as exc:
        raise AssertionError(f"{type(exc).__name__}: {str(exc)[:300]} for {_start_of(shown)}") from exc


def _start_of(shown: object) -> str:
    text = repr(shown)
    return text if len(text) < 700 else f"{text[:700]} … ({len(text)} characters)"


@contextmanager
def _time_limit(shown: object) -> Iterator[None]:
    def hang(signum: int, frame: object) -> None:
        raise AssertionError(f"a hang: more than {SECONDS} s for {_start_of(shown)}")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory_limit(num_bytes: int = MEMORY_BYTES) -> Iterator[None]:
    """Makes an allocation that is much larger than any input a MemoryError, which no reader may raise."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def cuts(data: bytes, most: int = 400) -> Iterator[bytes]:
    """The data cut at each byte, or at `most` places where it is longer."""
    step = max(1, len(data) // most)
    for end in range(0, len(data), step):
        yield data[:end]


def flips(data: bytes, num_bytes: int = 64) -> Iterator[bytes]:
    """Each of the first bytes changed, in several ways."""
    for at in range(min(num_bytes, len(data))):
        old = data[at]
        for new in {old ^ 1, old ^ 0x80, old ^ 0xFF, 0, 0x20, 0x0A, 0x5B} - {old}:
            yield data[:at] + bytes([new]) + data[at + 1 :]


def forged_sizes(data: bytes, num_bytes: int = 64, order: str = "little") -> Iterator[bytes]:
    """Four bytes anywhere in the header replaced by what a size should not be."""
    for at in range(min(num_bytes, len(data) - 4)):
        for value in EXTREMES:
            yield data[:at] + (value % 2**32).to_bytes(4, order) + data[at + 4 :]  # type: ignore[arg-type]


def swapped_tags(data: bytes) -> Iterator[bytes]:
    """Each tag that is there, replaced by each other one."""
    for old in TAGS:
        for found in re.finditer(re.escape(old), data):
            for new in TAGS:
                if new != old:
                    yield data[: found.start()] + new + data[found.end() :]


def insertions(data: bytes, rng: random.Random, places: int = 4) -> Iterator[bytes]:
    """Odd bytes put into the data, and in the place of a part of it."""
    for odd in ODD_BYTES:
        for _ in range(places):
            at = rng.randrange(len(data) + 1)
            yield data[:at] + odd + data[at:]
            yield data[:at] + odd + data[at + rng.randrange(1, 9) :]


def mixtures(data: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """Several faults at once: bytes changed, parts lost, doubled, moved, odd bytes put in, the end lost."""
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            _damage(damaged, rng)
        yield bytes(damaged)


def _damage(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 2, 4, 16, 64)))
    kind = rng.randrange(7)
    if kind == 0 and at < len(data):
        data[at] = rng.randrange(256)
    elif kind == 1:
        del data[at:end]
    elif kind == 2:
        data[at:at] = data[at:end]
    elif kind == 3:
        other = rng.randrange(len(data) + 1)
        data[other:other] = data[at:end]
    elif kind == 4:
        data[at:at] = rng.choice(ODD_BYTES[:-4])
    elif kind == 5:
        data[at : at + 4] = (rng.choice(EXTREMES) % 2**32).to_bytes(4, "little")
    else:
        del data[at:]


def damaged(data: bytes, seed: int, mixed: int = 100, header: int = 64, places: int = 4) -> Iterator[bytes]:
    """All of the above but the cuts; the arguments bound the number of inputs."""
    rng = random.Random(seed)
    yield from flips(data, header)
    yield from forged_sizes(data, header)
    yield from swapped_tags(data)
    yield from insertions(data, rng, places)
    yield from mixtures(data, rng, mixed)
