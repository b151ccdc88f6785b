"""What stands behind an id in wav.scp: a file, an offset into an archive, or a pipe; and further commands put to it.

The lines hold nothing but commands, quotes and `|`, so that minikaldi can run them without a shell.
"""

from __future__ import annotations

import re
import shlex

TO_WAV = "utils/to_wav.py"


def is_pipe(rxfilename: str) -> bool:
    """Whether a command writes the audio."""
    return rxfilename.rstrip().endswith("|")


def _is_offset(rxfilename: str) -> bool:
    return re.search(r":\d+$", rxfilename) is not None


def as_pipe(rxfilename: str) -> str:
    """The audio as a command that writes it, ending in `|`."""
    if is_pipe(rxfilename):
        return rxfilename
    if _is_offset(rxfilename):
        return f"wav-copy {shlex.quote(rxfilename)} - |"
    return f"cat {shlex.quote(rxfilename)} |"


def through_to_wav(rxfilename: str, options: str) -> str:
    """The audio changed by utils/to_wav.py: `--rate 16000` resamples, `--speed 1.1` plays faster."""
    if is_pipe(rxfilename) or _is_offset(rxfilename):
        return f"{as_pipe(rxfilename)} {TO_WAV} {options} - |"
    return f"{TO_WAV} {options} {shlex.quote(rxfilename)} |"
