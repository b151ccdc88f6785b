"""What a command is, and what of the outside world it may touch; `minikaldi.running` runs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from common import log
from minikaldi.io.context import StreamContext
from minikaldi.io.holders import Holder
from minikaldi.io.objects import read_object, where, write_object
from minikaldi.io.opening import open_read, open_write
from minikaldi.io.places import naming
from minikaldi.io.primitives import Reader
from minikaldi.io.random_access import RandomAccessReader, random_access
from minikaldi.io.sequential import SequentialReader, sequential
from minikaldi.io.writers import TableWriter, writer
from minikaldi.options import CommandOptions, NoOptions, usage_text

T = TypeVar("T")


@dataclass(frozen=True)
class CommandRun:
    """All of the outside world that a command may touch; errors are `common.errors.KaldiError`.

    Attributes:
        name: of the command.
        context: its standard streams, and whether its file names may hold commands.
        verbose: as `--verbose`.
    """

    name: str
    context: StreamContext
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
        """See `minikaldi.io.open_write`; a full disk is reported with the name of the file."""
        with naming(where(wxfilename, "standard output")), open_write(wxfilename, self.context) as stream:
            yield stream

    def read_object(self, rxfilename: str, holder: Holder[T]) -> T:
        """See `minikaldi.io.read_object`."""
        return read_object(rxfilename, holder, self.context)

    def write_object(self, wxfilename: str, holder: Holder[T], value: T, binary: bool = True) -> None:
        """See `minikaldi.io.write_object`."""
        write_object(wxfilename, holder, value, binary, self.context)


Main = Callable[[CommandRun, Any, list[str]], int]


@dataclass(frozen=True)
class Command:
    """A declared command.

    Attributes:
        name: name of its program.
        usage: its options and arguments, in one line for each way to call it.
        about: what it does.
        num_args: least and most positional arguments (None: any number).
        options: the class of its own options.
        main: the function that does it; returns the exit code.
    """

    name: str
    usage: str
    about: str
    num_args: tuple[int, int | None]
    options: type[CommandOptions]
    main: Main

    def help(self) -> str:
        """The text of ``--help``."""
        return usage_text(self.about, f"{self.name} {self.usage}", self.options)

    def accepts(self, count: int) -> bool:
        """Whether this number of positional arguments is right."""
        least, most = self.num_args
        return least <= count and (most is None or count <= most)

    def argument_error(self, args: list[str]) -> str:
        """The message for positional arguments whose number `accepts` refuses."""
        least, most = self.num_args
        expected = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        late = next((word for word in args if word.startswith("--")), None)
        hint = f"; put {late} first: after an argument it is not an option" if late else ""
        return f"expected {expected} arguments, found {len(args)}{hint}"


def command(
    name: str, *, usage: str, about: str, num_args: tuple[int, int | None], options: type[CommandOptions] = NoOptions
) -> Callable[[Main], Command]:
    """Declare the function below as a command.

    Args:
        name: as `Command.name`.
        usage: as `Command.usage`.
        about: as `Command.about`.
        num_args: as `Command.num_args`.
        options: as `Command.options`.
    """

    def declare(main: Main) -> Command:
        """The command that `main` does."""
        return Command(name, usage, about, num_args, options, main)

    return declare
