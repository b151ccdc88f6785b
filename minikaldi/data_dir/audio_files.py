"""The file that an entry of wav.scp reads, and what is done with it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from common.errors import KaldiError
from common.text_lines import BLANKS, fields_of
from minikaldi.data_dir.wav_lines import is_pipe
from minikaldi.io.specifiers import parse_rxfilename

PLACE = "{}"
_QUOTES = re.compile(r"""['"\\]""")
_SHELL = re.compile(r"[$`;&<>(){}*?\[\]~#!\n]")


def file_and_use(rxfilename: str, is_file: Callable[[str], bool] | None = None) -> tuple[str, str] | None:
    """The one file that audio comes from, and the entry with `{}` for its name.

    Two entries with the same use of files of the same content give the same audio. `cat x.wav |` is `x.wav`.

    Args:
        rxfilename: a file, an offset in an archive, or a pipe.
        is_file: whether there is a file of this name.

    Returns:
        (path, use), or None: a pipe that reads no file or several, or that only a shell can take apart.
    """
    is_there = is_file or (lambda name: Path(name).is_file())
    if not is_pipe(rxfilename):
        try:
            name = parse_rxfilename(rxfilename)
        except KaldiError:  # whoever reads the audio reports it
            return None
        return None if name.kind != "file" else (name.target, f"{PLACE}:{name.offset}" if name.offset else PLACE)
    words = _words(rxfilename.rstrip(BLANKS)[:-1])
    if not words:
        return None
    commands = {0, *(place + 1 for place, word in enumerate(words) if word == "|")}
    files = [place for place, word in enumerate(words) if place not in commands and word[0] != "-" and is_there(word)]
    others = (word for place, word in enumerate(words) if place not in files)
    if len(files) != 1 or any(_SHELL.search(word) for word in others):
        return None
    path, words[files[0]] = words[files[0]], PLACE
    if words[:2] == ["cat", PLACE] and words[2:3] in ([], ["|"]):
        words = [PLACE, *words[3:]]
    return path, " ".join(words)


def _words(command: str) -> list[str]:
    """The words of a pipe, with `|` as a word of its own."""
    if not _QUOTES.search(command):
        return fields_of(command.replace("|", " | "))
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return [word for word in lexer if word]
    except ValueError:  # a quote that does not end
        return []
