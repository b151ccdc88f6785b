"""The one hierarchy of exceptions for bad input, and how their texts are made fit for a terminal."""

from __future__ import annotations

import errno
import re
import resource

LONGEST_MESSAGE = 8192
"""Characters; a file's name may have half of them."""

# What a terminal would take for a command, a second line, or no character at all (bytes that are not UTF-8).
_ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def for_a_message(text: str) -> str:
    """The text of an error, fit for a terminal and a log whatever it quotes from a file.

    Odd characters are shown by their codes, but line breaks stay; of an endless text the middle is left out.
    """
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} … {text[-LONGEST_MESSAGE // 4 :]}"
    return _ODD.sub(lambda odd: repr(odd[0])[1:-1], text)


class InputError(Exception):
    """Bad input, file, option or state; the text says where, what was found, what was expected and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(for_a_message(text))


class KaldiError(InputError):
    """Bad input of a minikaldi command; the launcher prints the text as ``ERROR (command…)`` and exits 255."""


class UsageError(KaldiError):
    """A command line that the command cannot accept; the usage is printed before the text, and the exit code is 1."""


def no_handles(cause: BaseException) -> bool:
    """Whether a system call failed because this process, or the whole machine, may not open another file."""
    return isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE)


def why(cause: BaseException) -> str:
    """The system's reason for a failure in words, with what to do if too few file handles are left."""
    if not isinstance(cause, OSError) or not cause.strerror:
        return str(cause)
    if not no_handles(cause):
        return cause.strerror
    if cause.errno == errno.ENFILE:
        return f"{cause.strerror}: the whole machine has no more file handles (sysctl fs.file-max); end other programs"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"{cause.strerror}: this process may open {limit} (ulimit -n); raise the limit, e.g. ulimit -n 1024"
