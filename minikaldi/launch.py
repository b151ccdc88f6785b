#!/usr/bin/env python3
"""The program that every link in minikaldi/bin starts: the name of the link is that of the command."""

import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


VENV_PYTHON = HERE.parent / ".venv" / "bin" / "python"


def _has_numpy() -> bool:
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


def _run_in_own_environment() -> int:
    """Start again with the checkout's own Python; without one, print what to do."""
    if os.access(VENV_PYTHON, os.X_OK) and Path(sys.prefix) != VENV_PYTHON.parent.parent:
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    name = Path(sys.argv[0]).name
    print(f"ERROR ({name}[minikaldi]) {sys.executable} has no numpy; run utils/prepare_environment.sh", file=sys.stderr)
    return 255


def _keep_freed_memory() -> None:
    """Let glibc keep up to 64 MB of freed memory, and take arrays of up to 32 MB from it.

    By default it returns each freed array of over 128 kB to the system, which then supplies zeroed pages again: with a
    page fault for each 4 kB, feature extraction takes 1.6 times as long (0.7 µs per page on a virtual machine).
    """
    import ctypes  # numpy has loaded it already

    trim_threshold, mmap_threshold = -1, -3  # as in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    mallopt(mmap_threshold, 1 << 25)
    mallopt(trim_threshold, 1 << 26)


def _log_python_warnings() -> None:
    """Print warnings of Python and numpy (an overflow, NaN) in the form of the commands' own, in one line."""
    import warnings
    from typing import TextIO

    from common import log

    def log_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Log a warning; the arguments are those of `warnings.showwarning`."""
        log.warning(f"{message}, at {Path(filename).name}:{lineno}")

    warnings.showwarning = log_warning


def main() -> int:
    """Run the command this file was called as; the exit code is the command's."""
    # Python puts this file's folder first; its `io` and others would hide the library's modules.
    sys.path[:] = [str(HERE.parent), *(p for p in sys.path if Path(p or ".").resolve() != HERE)]
    if sys.stderr is None:  # after `2>&-`
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (to the end)
    # Kaldi's commands use one thread, and recipes start one per processor.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not _has_numpy():
        return _run_in_own_environment()
    _keep_freed_memory()
    from minikaldi.running import run_command

    _log_python_warnings()
    return run_command(sys.argv)


if __name__ == "__main__":
    # Ctrl-C ends the process at once, as it ends Kaldi's commands: there is nothing to clean up, and closing a shell's
    # pipe properly would wait for its command. A shell that starts a command in the background has it ignored, though.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = main()
    # The command has flushed its output. Exit at once: Python's own exit takes as long as a small table, and would
    # write to a broken pipe again.
    os._exit(code)
