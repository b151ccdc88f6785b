"""How every program of the project starts and ends: one line on stderr for bad input, never a traceback; code 1.

The commands of minikaldi are the exception: they end as Kaldi's do (`minikaldi/launch.py`).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn, cast

from common.errors import InputError, for_a_message
from common.interrupts import ending_signals

Main = Callable[[Sequence[str]], int | None]
"""A program's `main(argv)`: returns its exit code, None for 0; raises InputError for bad input."""


class Parser(argparse.ArgumentParser):
    """argparse with Kaldi's habits: no abbreviations, exit code 1, values may begin with a dash (`--utt-suffix -x`).

    Args:
        usage: the line of usage without the word; None: made from the options.
        description: what the program does; its lines stay as they are in --help.
        prog: the program's name in the usage; None: the name of its file.
    """

    def __init__(self, usage: str | None = None, description: str | None = None, prog: str | None = None) -> None:
        about = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, usage, description, formatter_class=about, allow_abbrev=False)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse `argv`; bad usage is reported on stderr and ends the process with code 1."""
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
        log_message(message)
        sys.exit(1)


def boolean(text: str) -> bool:
    """``true`` or ``false``, as Kaldi's shell scripts write them."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f'expected "true" or "false", found "{text}"')
    return text == "true"


def positive_int(text: str) -> int:
    """An integer >= 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected an integer >= 1, found "{text}"')
    return int(text)


def program_name() -> str:
    """The name by which the user called the program: `fix_data_dir.sh`, or `nnet.train` after `python3 -m`."""
    spec = vars(sys.modules["__main__"]).get("__spec__")
    return Path(sys.argv[0]).name if spec is None else spec.name.removesuffix(".__main__")


def log_message(message: str) -> None:
    """Print a line about the progress or the result on stderr, after the program's name: stdout belongs to the data."""
    print(f"{program_name()}: {message}", file=sys.stderr)


def exit_code(main: Main, argv: Sequence[str]) -> int:
    """Run a program's `main`; bad input and what the system refuses become one line on stderr and code 1."""
    try:
        return main(argv) or 0
    except InputError as error:
        log_message(str(error))
    except OSError as error:  # no such file, no space left, no permission: the system's own words name the file
        log_message(for_a_message(f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")))
    except KeyboardInterrupt:
        return 130
    return 1


def run_program(main: Main, log_format: str = "%(levelname)s %(message)s") -> NoReturn:
    """Run `main` over the command line and exit: the last line of a program."""
    logging.basicConfig(level=logging.INFO, format=log_format, stream=sys.stderr)
    sys.exit(exit_code(main, sys.argv[1:]))


def run_script(module: str) -> NoReturn:
    """Run `main(argv)` of a module over the command line: the last line of a launcher in utils/."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends a script silently, as it ends any filter
    for number in ending_signals():
        if number != signal.SIGINT:  # Python raises KeyboardInterrupt
            signal.signal(number, _end)
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="surrogateescape")  # for paths that are not UTF-8
    gc.disable()  # millions of strings and no cycles: the collector would only walk over them again and again

    def main(argv: Sequence[str]) -> int:
        code: int = importlib.import_module(module).main(argv)
        sys.stdout.flush()
        return code

    run_program(main)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)  # as an exception, so that nothing half-written stays
