"""Which file a relative path means; the answer does not depend on the directory that a program is called from.

A path on the command line, or in a YAML outside the checkout, is looked for in the caller's directory first, then in
the checkout. A path in a YAML of the checkout is relative to the checkout.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLED_FROM = "PIPELINE_CALLED_FROM"
"""Environment variable: the directory that ./pipeline.sh was called from, as it works in the checkout."""


def callers_directory() -> Path:
    """The directory that the command was called from."""
    return Path(os.environ.get(CALLED_FROM) or ".").resolve()


def in_checkout(path: str | Path) -> bool:
    """Whether a file is in the checkout."""
    return Path(path).resolve().is_relative_to(ROOT)


def callers(path: str) -> str:
    """A path as the caller means it: absolute if it is in the caller's directory, else unchanged (the checkout's)."""
    here = callers_directory()
    return str(here / path) if path and here != ROOT and (here / path).exists() else path


def located(path: str | Path) -> Path:
    """The file that a config names: a relative path is the checkout's, or this directory's if it is not there."""
    return ROOT / path if (ROOT / path).exists() else Path(path)


def alternatives(path: str, folder: str, pattern: str = "*.yaml") -> str:
    """The end of a message on a missing file: the files of the checkout's `folder`, the nearest name first."""
    known = {file.stem: f"{folder}/{file.name}" for file in sorted((ROOT / folder).glob(pattern))}
    nearest = difflib.get_close_matches(Path(path).stem, known, n=1)
    names = [*nearest, *(name for name in known if name not in nearest)]
    hint = f'did you mean "{known[nearest[0]]}"? ' if nearest else ""
    return f"{hint}choose one of: {', '.join(known[name] for name in names)}"
