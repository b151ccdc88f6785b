"""How a command is run: over streams, so that a pipe of commands need not be processes.

Exit codes: 0; what the command returns; 1 for an invalid command line; 255 for any other error; 141 if the reader of
the output has gone.
"""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from common import log
from common.errors import KaldiError, UsageError
from minikaldi.command import Command, CommandRun
from minikaldi.commands import MODULES, load_command
from minikaldi.io.context import StreamContext
from minikaldi.io.inner import BROKEN_PIPE
from minikaldi.io.runner import use_runner
from minikaldi.options import parse_command_line

USAGE_ERROR, ERROR = 1, 255


class OwnCommands:
    """minikaldi's commands as a `minikaldi.io.runner.CommandRunner`."""

    @property
    def names(self) -> Collection[str]:
        """The names of all commands."""
        return MODULES.keys()

    def run(self, argv: list[str], stdin: BinaryIO | None, stdout: BinaryIO | None, allow_pipes: bool) -> int:
        """Run one command over the two streams; the exit code."""
        return run_command(argv, stdin, stdout, allow_pipes)


def run_pipes_inside() -> None:
    """Let pipes of minikaldi's commands run inside this process: for a program that reads tables, when it starts."""
    use_runner(OwnCommands())


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
        allow_pipes: whether file names may hold commands; None: unless MINIKALDI_NO_PIPES is set.
        declared: the command, if it is not one of minikaldi's own.

    Returns:
        The exit code; nothing is raised for bad input.
    """
    run_pipes_inside()
    name = Path(argv[0]).name
    before = log.current_command.set(name)
    try:
        context = StreamContext(stdin, stdout, allow_pipes)
        code = _run(declared or load_command(name), argv, context)
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
    except Exception as exc:  # the last resort: the reading end of an inner pipe sees the exit code
        _report_fault(name, exc, with_traceback=False)
        return ERROR
    finally:
        log.current_command.reset(before)


def _report_fault(name: str, fault: Exception, with_traceback: bool) -> None:
    """Report in one line that the program itself is at fault, and where."""
    said = " ".join(str(fault).split())[:500]
    log.error(
        f"a fault of {name} itself, where it should have read or refused its input: {type(fault).__name__}: {said}; "
        "please report it, with the output of --verbose=1",
        fault,
    )
    if with_traceback:
        log.print_text("".join(traceback.format_exception(fault)))


def _run(declared: Command, argv: list[str], context: StreamContext) -> int:
    try:
        options, standard, args = parse_command_line(argv[1:], declared.options)
    except UsageError:
        log.print_text(declared.help() + f"Command line was: {shlex.join(argv)}\n")
        raise
    if standard.help:
        log.print_text(declared.help())
        return 0
    if standard.print_args:
        log.print_text(shlex.join([declared.name, *argv[1:]]) + " \n")
    if not declared.accepts(len(args)):
        log.print_text(declared.help())
        raise UsageError(declared.argument_error(args))
    if standard.no_pipes:
        context.allow_pipes = False
    try:
        return declared.main(CommandRun(declared.name, context, standard.verbose), options, args)
    except (KaldiError, OSError, MemoryError):
        raise
    except Exception as exc:
        _report_fault(declared.name, exc, with_traceback=standard.verbose >= 1)
        return ERROR
