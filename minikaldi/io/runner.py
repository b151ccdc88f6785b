"""Who runs commands inside this process, in place of processes of their own.

`minikaldi.io` opens pipes, but knows no commands: the commands read and write their tables by it. So a program that
wants the pipes of its tables inside its own process hands the commands in when it starts
(`minikaldi.running.run_pipes_inside`); the launcher of minikaldi/bin does so. Without them every pipe is a shell's,
with the same results.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import BinaryIO, Protocol

from common.errors import KaldiError


class CommandRunner(Protocol):
    """Commands that can run over streams, several at once, each in a thread of its own."""

    @property
    def names(self) -> Collection[str]:
        """The commands that there are, by the names of their programs."""

    def run(self, argv: list[str], stdin: BinaryIO | None, stdout: BinaryIO | None, allow_pipes: bool) -> int:
        """Run one command; bad input is reported on stderr, nothing is raised for it.

        Args:
            argv: the command's name or path, then its options and arguments.
            stdin: bytes in; None: the process's own.
            stdout: bytes out, flushed, not closed; None: the process's own.
            allow_pipes: whether the file names of this command may hold commands.

        Returns:
            The exit code.
        """


class NoCommands:
    """The runner of a program that has handed in none: it has no commands, so every pipe is a shell's."""

    names: Collection[str] = ()

    def run(self, argv: list[str], stdin: BinaryIO | None, stdout: BinaryIO | None, allow_pipes: bool) -> int:
        """Refuse: there is no command.

        Raises:
            KaldiError: always.
        """
        raise KaldiError(f"no command {argv[0]!r} can run inside this process")


_runner: CommandRunner = NoCommands()


def use_runner(runner: CommandRunner) -> None:
    """Let the pipes of this process be run by `runner`, from now on."""
    global _runner
    _runner = runner


def current_runner() -> CommandRunner:
    """The runner that was handed in last."""
    return _runner
