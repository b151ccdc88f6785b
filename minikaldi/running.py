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

from common.errors import KaldiError, UsageError
from minikaldi import log
from minikaldi.command import Command, Run
from minikaldi.commands import MODULES, load
from minikaldi.io.context import Context
from minikaldi.io.inner import BROKEN_PIPE
from minikaldi.io.runner import use_runner
from minikaldi.options import parse

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
        allow_pipes: whether file names may hold commands (default: unless MINIKALDI_NO_PIPES is set).
        declared: the command, if it is not one of minikaldi's own.

    Returns:
        The exit code; nothing is raised for bad input.
    """
    run_pipes_inside()
    name = Path(argv[0]).name
    before = log.current_command.set(name)
    try:
        context = Context(stdin, stdout, allow_pipes)
        code = _run(declared or load(name), argv, context)
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
