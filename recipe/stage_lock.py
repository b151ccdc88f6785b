"""Who is at work in a folder of stages: the run that holds its lock, and its processes on this machine."""

from __future__ import annotations

from pathlib import Path

from minikaldi.jobs.processes import marked
from recipe.guard import MARK


def holder(folder: Path) -> str:
    """Who holds the lock `<folder>/.stages/lock`, in two lines."""
    line = _content(folder / ".stages" / "lock")
    run = line.rpartition("(run ")[2].removesuffix(")")
    pids = " ".join(str(process.pid) for process in marked(MARK, run)) if run else ""
    worker = _content(folder / "lock")
    who = line or "a run that has just begun"
    if pids:
        who += f", its processes here: {pids}"
    if worker:
        who += f"; {worker}"
    return f"{who}\n  wait until it ends, or end it with kill and the pid (training saves first)"


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").rstrip("\n") if path.is_file() else ""
