"""The lock of an experiment directory: one training at a time writes there, on any machine.

<exp>/lock is locked with flock(2) by the process that does the work, so that the lock ends with it, even after SIGKILL.
Its one line names the process that holds it. It is removed at the end; a lock file that a killed process left is taken
over. If a file system does not carry locks to other hosts, the line and the file's time decide: training touches the
file while it runs, and a line of another host counts as long as the file is touched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shlex
import socket
import sys
import time
from pathlib import Path

from common.errors import InputError

log = logging.getLogger("lock")

NAME = "lock"
TOUCH_SECONDS = 10.0
WATCH_SECONDS = 120.0  # a process on another host that has not touched the file for so long has ended
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # what a file system without locks answers
COMMAND_LENGTH = 300


def whoami(work: str) -> str:
    """`training, pid 12 on node3 since 2026-02-01 10:11:12: python3 -m nnet.train …`."""
    job = os.environ.get("SLURM_JOB_ID")
    host = socket.gethostname() + (f" (SLURM job {job})" if job else "")
    command = shlex.join([Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]])
    shown = command if len(command) <= COMMAND_LENGTH else f"{command[:COMMAND_LENGTH]} …"
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"{work}, pid {os.getpid()} on {host} since {since}: {shown}".replace("\n", " ")


class ExpLock:
    """Held while entered.

    Args:
        exp: the experiment directory, which exists.
        work: what is done: training, extraction, import.
        shared: several processes may hold it at once, but not together with one that is not shared.
    """

    def __init__(self, exp: Path, work: str, shared: bool = False) -> None:
        self.exp, self.path = exp, exp / NAME
        self._work, self._shared = work, shared
        self._line = whoami(work)
        self._descriptor: int | None = None
        self._touched = 0.0

    def __enter__(self) -> ExpLock:
        """Take it.

        Raises:
            InputError: another process holds it (the message names it); or the lock file cannot be made.
        """
        os.register_at_fork(after_in_child=self._close)  # a loader that outlives the training holds nothing
        try:
            while not self._take():
                self._close()
        except OSError as error:
            self._close()
            raise InputError(f"{self.path}: cannot be locked: {error.strerror or error}") from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is None:
            return  # in a child process, which does not hold it
        with contextlib.suppress(OSError):  # others share it, or the directory is gone
            if self._shared:
                fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_ours() or self._shared:
                self.path.unlink()
        self._close()

    def touch(self) -> None:
        """Show other hosts that this process is running; call it often."""
        if self._descriptor is not None and time.monotonic() - self._touched >= TOUCH_SECONDS:
            with contextlib.suppress(OSError):
                os.utime(self._descriptor)
            self._touched = time.monotonic()

    def check(self) -> None:
        """Make sure before writing that the directory is still this process's.

        Raises:
            InputError: it is not: another process holds the lock, or the directory was removed.
        """
        if not self._is_ours():
            found = self._read() or "nobody"
            raise InputError(
                f"{self.path} does not name this process any more (pid {os.getpid()}) but {found}: the directory was"
                " removed or taken by another; nothing more is written there"
            )

    def _take(self) -> bool:
        """Lock the file and write the line; False if a process that ended has removed the file meanwhile."""
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        carried = True
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use() from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            carried = False
        if not self._same_file():
            return False
        left = self._read()  # by a process that did not end properly, or by one on a host that shares no locks
        joined = self._shared and left.startswith(f"{self._work}, ")
        if left and not joined and not (carried and f" on {socket.gethostname()} " in left):
            self._watch(left)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{self._line}\n".encode(), 0)
        os.fsync(self._descriptor)
        return True

    def _same_file(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._open()), self.path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _watch(self, left: str) -> None:
        """Wait for a sign of life of a process on another host."""
        log.warning("%s was left by %s; waiting %.0f s for a sign that it is running", self.path, left, WATCH_SECONDS)
        before, deadline = self.path.stat().st_mtime_ns, time.monotonic() + WATCH_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(1.0, WATCH_SECONDS / 10))
            if self.path.stat().st_mtime_ns != before:
                if self._shared and self._read().startswith(f"{self._work}, "):
                    return  # another of these has taken it over
                raise self._in_use()
        log.warning("%s: there is none; taken over", self.path)

    def _in_use(self) -> InputError:
        who = self._read() or "a process that has just begun"
        return InputError(
            f"{self.exp} is in use by {who}; wait for its end, or end it with kill and this pid (training saves first),"
            " or give another --exp"
        )

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def _is_ours(self) -> bool:
        return self._read() == self._line

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
