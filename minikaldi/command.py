"""What a command is, and how one is run: over streams, so that a pipe of commands need not be processes.

Exit codes: 0; what the command returns; 1 for a command line that is no good; 255 for any other error; 141 when the
reader of the output has gone.
"""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from common.errors import KaldiError, UsageError
from minikaldi import commands, log
from minikaldi.io.context import Context
from minikaldi.io.holders import Holder
from minikaldi.io.inner import BROKEN_PIPE
from minikaldi.io.objects import read_object, where, write_object
from minikaldi.io.opening import open_read, open_write
from minikaldi.io.places import naming
from minikaldi.io.primitives import Reader
from minikaldi.io.random_access import RandomAccessReader, random_access
from minikaldi.io.sequential import SequentialReader, sequential
from minikaldi.io.writers import TableWriter, writer
from minikaldi.options import NoOptions, parse, usage_text

T = TypeVar("T")
USAGE_ERROR, ERROR = 1, 255


@dataclass(frozen=True)
class Run:
    """All of the outside world that a command may touch; errors are `common.errors.KaldiError`."""

    name: str
    context: Context
    verbose: int = 0

    @property
    def stdin(self) -> Reader:
        """The standard input (bytes)."""
        return self.context.stdin

    @property
    def stdout(self) -> BinaryIO:
        """The standard output (bytes)."""
        return self.context.stdout

    def log(self, text: str) -> None:
        """A LOG line on stderr."""
        log.log(text)

    def warning(self, text: str) -> None:
        """A WARNING line on stderr."""
        log.warning(text)

    def sequential(self, rspecifier: str, holder: Holder[T]) -> SequentialReader[T]:
        """See `minikaldi.io.sequential`."""
        return sequential(rspecifier, holder, self.context)

    def random_access(self, rspecifier: str, holder: Holder[T]) -> RandomAccessReader[T]:
        """See `minikaldi.io.random_access`."""
        return random_access(rspecifier, holder, self.context)

    def writer(self, wspecifier: str, holder: Holder[T]) -> TableWriter[T]:
        """See `minikaldi.io.writer`."""
        return writer(wspecifier, holder, self.context)

    def open_read(self, rxfilename: str) -> AbstractContextManager[Reader]:
        """See `minikaldi.io.open_read`."""
        return open_read(rxfilename, self.context)

    @contextmanager
    def open_write(self, wxfilename: str) -> Iterator[BinaryIO]:
        """See `minikaldi.io.open_write`; a full disk is told with the name of the file."""
        with naming(where(wxfilename, "standard output")), open_write(wxfilename, self.context) as stream:
            yield stream

    def read_object(self, rxfilename: str, holder: Holder[T]) -> T:
        """See `minikaldi.io.read_object`."""
        return read_object(rxfilename, holder, self.context)

    def write_object(self, wxfilename: str, holder: Holder[T], value: T, binary: bool = True) -> None:
        """See `minikaldi.io.write_object`."""
        write_object(wxfilename, holder, value, binary, self.context)


Main = Callable[[Run, Any, list[str]], int]


@dataclass(frozen=True)
class Command:
    """A declared command: its name, how it is called, and the function that does it."""

    name: str
    usage: str
    about: str
    num_args: tuple[int, int | None]
    options: type[Any]
    main: Main

    def help(self) -> str:
        """The text of ``--help``."""
        return usage_text(self.about, f"{self.name} {self.usage}", self.options)

    def accepts(self, count: int) -> bool:
        """Whether this is a right number of positional arguments."""
        least, most = self.num_args
        return least <= count and (most is None or count <= most)

    def told_of(self, args: list[str]) -> str:
        """What is wrong with positional arguments whose number `accepts` refuses."""
        least, most = self.num_args
        expected = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        late = next((word for word in args if word.startswith("--")), None)
        hint = f"; put {late} first: behind an argument it is no option" if late else ""
        return f"expected {expected} arguments, found {len(args)}{hint}"


def command(
    name: str, *, usage: str, about: str, num_args: tuple[int, int | None], options: type[Any] = NoOptions
) -> Callable[[Main], Command]:
    """Declare the function below as a command.

    Args:
        name: what it is called by.
        usage: its options and arguments, in one line.
        about: what it does.
        num_args: least and most positional arguments (None: any number).
        options: a dataclass of `minikaldi.options.option` fields.
    """

    def declare(main: Main) -> Command:
        return Command(name, usage, about, num_args, options, main)

    return declare


def run_command(
    argv: list[str],
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
    allow_pipes: bool | None = None,
    declared: Command | None = None,
) -> int:
    """Run one command over the two streams.

    Args:
        argv: the command's name or path, then its options and arguments.
        stdin: bytes in; None: the process's own.
        stdout: bytes out, flushed, not closed; None: the process's own.
        allow_pipes: whether file names may hold commands (default: unless MINIKALDI_NO_PIPES is set).
        declared: the command, where it is none of minikaldi's own.

    Returns:
        The exit code; nothing is raised for bad input.
    """
    name = Path(argv[0]).name
    before = log.current_command.set(name)
    try:
        context = Context(stdin, stdout, allow_pipes)
        code = _run(declared or commands.load(name), argv, context)
        context.flush()
        return code
    except BrokenPipeError:
        return BROKEN_PIPE
    except (KaldiError, OSError) as exc:
        log.error(str(exc), exc)
        return USAGE_ERROR if isinstance(exc, UsageError) else ERROR
    except MemoryError as exc:
        log.error(f"memory ran out ({exc or 'a small allocation'}); use a machine with more, or split the table", exc)
        return ERROR
    except Exception as exc:  # the last resort: the reading end of an inner pipe learns of it by the exit code
        _tell_fault(name, exc, with_traceback=False)
        return ERROR
    finally:
        log.current_command.reset(before)


def _tell_fault(name: str, fault: Exception, with_traceback: bool) -> None:
    """Say that the program itself is at fault, and where, in one line."""
    said = " ".join(str(fault).split())[:500]
    log.error(
        f"a fault of {name} itself, where it should have read or refused its input: {type(fault).__name__}: {said}; "
        "please report it, with what --verbose=1 prints",
        fault,
    )
    if with_traceback:
        log.say("".join(traceback.format_exception(fault)))


def _run(declared: Command, argv: list[str], context: Context) -> int:
    try:
        options, standard, args = parse(argv[1:], declared.options)
    except UsageError:
        log.say(declared.help() + f"Command line was: {shlex.join(argv)}\n")
        raise
    if standard.help:
        log.say(declared.help())
        return 0
    if standard.print_args:
        log.say(shlex.join([declared.name, *argv[1:]]) + " \n")
    if not declared.accepts(len(args)):
        log.say(declared.help())
        raise UsageError(declared.told_of(args))
    if standard.no_pipes:
        context.allow_pipes = False
    try:
        return declared.main(Run(declared.name, context, standard.verbose), options, args)
    except (KaldiError, OSError, MemoryError):
        raise
    except Exception as exc:
        _tell_fault(declared.name, exc, with_traceback=standard.verbose >= 1)
        return ERROR
