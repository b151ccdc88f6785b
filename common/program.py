"""How the scripts of utils/ read their command line and fail: a message on stderr that names the script, code 1."""

from __future__ import annotations

import argparse
import gc
import importlib
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn, cast

from common.errors import for_a_message
from common.interrupts import ending_signals


class Parser(argparse.ArgumentParser):
    """argparse with Kaldi's habits: no abbreviations, exit code 1, values may begin with a dash (`--utt-suffix -x`)."""

    def __init__(self, usage: str, about: str) -> None:
        super().__init__(
            usage=usage, description=about, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse `argv`; bad usage is told on stderr and ends the process with code 1."""
        return self.parse_args(self._join_values(argv))

    def _join_values(self, argv: Sequence[str]) -> list[str]:
        # `--name -value` becomes `--name=-value`: argparse would take the value for an option.
        joined: list[str] = []
        rest = iter(argv)
        for word in rest:
            action = self._option_string_actions.get(word)
            takes_one = action is not None and action.nargs is None
            value = next(rest, None) if takes_one and word.startswith("--") else None
            joined.append(word if value is None else f"{word}={value}")
        return joined

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{script_name()}: {message}", file=sys.stderr)
        sys.exit(1)


def boolean(text: str) -> bool:
    """``true`` or ``false``, as Kaldi's shell scripts write them."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f'expected "true" or "false", found "{text}"')
    return text == "true"


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, found "{text}"')
    return int(text)


def script_name() -> str:
    """The name under which the user called the script."""
    return Path(sys.argv[0]).name


def tell(message: str) -> None:
    """A line about the progress or the result, on stderr: stdout belongs to the data."""
    print(f"{script_name()}: {message}", file=sys.stderr)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)  # as an exception, so that nothing half-written stays


def run(module: str) -> NoReturn:
    """Run `main(argv)` of a module over the command line: the last line of a launcher in utils/."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends us silently, as it ends any filter
    for number in ending_signals():
        if number != signal.SIGINT:  # Python raises KeyboardInterrupt
            signal.signal(number, _end)
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="surrogateescape")  # for paths that are no UTF-8
    gc.disable()  # millions of strings and no cycles: the collector would only walk over them again and again
    try:
        code: int = importlib.import_module(module).main(sys.argv[1:])
        sys.stdout.flush()
    except InputError as error:
        tell(str(error))
        code = 1
    except OSError as error:  # no such file, no space left, no permission: the system's own words name the file
        tell(for_a_message(f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")))
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
