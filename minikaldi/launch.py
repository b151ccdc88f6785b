#!/usr/bin/env python3
"""What every link in minikaldi/bin starts: the link's name is the command's."""

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
    """Start again with the checkout's own Python; says what to do where there is none."""
    if os.access(VENV_PYTHON, os.X_OK) and Path(sys.prefix) != VENV_PYTHON.parent.parent:
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    name = Path(sys.argv[0]).name
    print(f"ERROR ({name}[minikaldi]) {sys.executable} has no numpy; run utils/prepare_environment.sh", file=sys.stderr)
    return 255


def _keep_freed_memory() -> None:
    """Let glibc keep up to 64 MB of freed memory, and take arrays of up to 32 MB from it.

    Its default gives each freed array of over 128 kB back to the system, which then hands out zeroed pages again: with
    a fault on each 4 kB, feature extraction takes 1.6 times as long (0.7 µs a page on a virtual machine).
    """
    import ctypes  # numpy has loaded it already

    trim_threshold, mmap_threshold = -1, -3  # as in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, with rules of its own
        return
    mallopt(mmap_threshold, 1 << 25)
    mallopt(trim_threshold, 1 << 26)


def _tell_warnings_as_kaldi() -> None:
    """Warnings of Python's and numpy's (an overflow, NaN) go out in the form of the commands' own, in one line."""
    import warnings
    from typing import TextIO

    from common import log

    def tell(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        log.warning(f"{message}, at {Path(filename).name}:{lineno}")

    warnings.showwarning = tell


def main() -> int:
    """Run the command this file was called as; the exit code is the command's."""
    # Python puts this file's folder first; there `io` and others would stand before the library's own.
    sys.path[:] = [str(HERE.parent), *(p for p in sys.path if Path(p or ".").resolve() != HERE)]
    if sys.stderr is None:  # what Python makes of `2>&-`
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (to the end)
    # Kaldi's commands use one thread, and recipes start one per processor.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not _has_numpy():
        return _run_in_own_environment()
    _keep_freed_memory()
    from minikaldi.running import run_command

    _tell_warnings_as_kaldi()
    return run_command(sys.argv)


if __name__ == "__main__":
    # Ctrl-C ends us at once, as it ends Kaldi's commands: nothing is to be tidied, and closing a shell's pipe in order
    # would wait for its command. A shell that started us in the background wants it ignored, though.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = main()
    # The command has flushed its output. Leave at once: taking Python down costs as much as a small table, and would
    # write to a broken pipe once more.
    os._exit(code)
