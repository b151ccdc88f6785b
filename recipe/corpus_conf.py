"""conf/pipeline/<corpus>.conf and conf/preset/<name>.conf: lines `key=value` for the options that the command line
leaves open. A preset takes precedence over the corpus file.

Standard library only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from common.text_lines import clean_lines, trimmed
from recipe.command_line import Given

_KEY = re.compile(r"[a-z][a-z0-9_-]*")


def corpus_file(corpus: str, mini_size: str) -> str:
    """The file of a corpus, relative to the checkout."""
    return f"conf/pipeline/{corpus}{'-tiny' if (corpus, mini_size) == ('mini', 'tiny') else ''}.conf"


def read_corpus_conf(path: str, given: Given) -> None:
    """Take the options of a corpus file, or of a preset, which replace those of files before it.

    Its changes of the experiment (`nnet_opts`) are always added.

    Raises:
        InputError: a line that is not key=value, an unknown key, or an invalid value; it names the line.
    """
    with Path(path).open("rb") as stream:
        lines = [os.fsdecode(line) for line in clean_lines(stream, path, InputError, log_message)]
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0]
        if not trimmed(text):
            continue
        key, equals, value = map(trimmed, text.partition("="))
        if not equals or not _KEY.fullmatch(key):
            raise InputError(f'{path}:{number}: found "{text}", expected key=value')
        name = key.replace("-", "_")
        if name == "nnet_opts" or not given.on_command_line(name):
            if name != "nnet_opts" and not given.found_in.get(name, path).startswith(path):
                given.forget(name)
            given.set(name, value, f"{path}:{number}")


def read_corpus_options(given: Given) -> None:
    """Complete a command line by the file of its corpus and by its preset; seconds given there replace their frames."""
    read_corpus_conf(corpus_file(given.values.get("corpus", "mini"), given.values.get("mini_size", "full")), given)
    if given.values.get("preset") is not None:
        read_corpus_conf(f"conf/preset/{given.values['preset']}.conf", given)
    if given.on_command_line("min_seconds") and not given.on_command_line("min_frames"):
        given.values["min_frames"] = None
