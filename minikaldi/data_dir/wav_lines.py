"""The audio in a line of wav.scp: a file, an offset in an archive, or a pipe; and further commands appended to it.

The lines consist of commands, quotes and `|` only, so that minikaldi can run them without a shell.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from common.errors import InputError
from common.text_lines import BLANKS

TO_WAV = "utils/to_wav.py"


def is_pipe(rxfilename: str) -> bool:
    """Whether a command writes the audio."""
    return rxfilename.rstrip(BLANKS).endswith("|")


def _is_offset(rxfilename: str) -> bool:
    return rxfilename[-1:].isdigit() and re.search(r":\d+$", rxfilename) is not None


def wave_form(rxfilename: str) -> tuple[int, int] | None:
    """(channels, rate in Hz) of a file that Kaldi reads as it is (`minikaldi.io.wave.whole_wave_header`); else None.

    Args:
        rxfilename: a path from the current directory.
    """
    from minikaldi.io.wave import whole_wave_header  # imports numpy, which nothing else here needs

    try:
        with Path(rxfilename).open("rb") as stream:
            header = whole_wave_header(stream, os.fstat(stream.fileno()).st_size)
    except (OSError, ValueError):  # a pipe or an absent file: the program that reads it reports it
        return None
    return (header.channels, header.sample_rate) if header else None


def mono_at_rate(rxfilename: str, sample_rate: int, first_channel: bool = False) -> str:
    """The audio as mono at `sample_rate` Hz.

    A file or a pipe of utils/to_wav.py that already is mono at this rate stays as it is; any other audio goes through
    utils/to_wav.py. With the bare path, real Kaldi does not start Python for each utterance.

    Args:
        rxfilename: a file, an offset in an archive, or a pipe.
        sample_rate: Hz.
        first_channel: take the first of several channels, not their mean.
    """
    form = wave_form(rxfilename)
    if form == (1, sample_rate) or to_wav_rate(rxfilename) == sample_rate:
        return rxfilename
    several = form is not None and form[0] > 1
    return to_wav_pipe(rxfilename, f"--rate {sample_rate}" + (" --channel 0" if first_channel and several else ""))


def to_wav_rate(rxfilename: str) -> int | None:
    """The rate in Hz of a pipe that ends in utils/to_wav.py, which writes mono; None for anything else."""
    if not is_pipe(rxfilename):
        return None
    lexer = shlex.shlex(rxfilename.rstrip(BLANKS)[:-1], posix=True, punctuation_chars="|")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that does not end: the program that runs the pipe reports it
        return None
    last = words[len(words) - words[::-1].index("|") :] if "|" in words else words
    if not last or not (last[0] == TO_WAV or last[0].endswith(f"/{TO_WAV}")):
        return None
    rates, others, rest = [], [], iter(last[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in ("--rate", "--speed", "--channel"):
            value = value if equals else next(rest, "")
            rates += [value] if name == "--rate" else []
        else:
            others.append(word)
    rates += others[1:]
    known = len(others) in (1, 2) and len(set(rates)) == 1 and rates[0].isascii() and rates[0].isdecimal()
    return int(rates[0]) if known else None


def as_pipe(rxfilename: str) -> str:
    """The audio as a command that writes it, ending in `|`."""
    if is_pipe(rxfilename):
        return rxfilename
    if _is_offset(rxfilename):
        return f"wav-copy {shlex.quote(rxfilename)} - |"
    return f"cat {shlex.quote(rxfilename)} |"


def to_wav_pipe(rxfilename: str, options: str) -> str:
    """The audio changed by utils/to_wav.py: `--rate 16000` resamples, `--speed 1.1` plays faster."""
    if is_pipe(rxfilename) or _is_offset(rxfilename):
        return f"{as_pipe(rxfilename)} {TO_WAV} {options} - |"
    return f"{TO_WAV} {options} {shlex.quote(rxfilename)} |"


def through_reverberate(rxfilename: str, options: str) -> str:
    """The audio changed by wav-reverberate; a file is its argument, a pipe comes before it."""
    if is_pipe(rxfilename):
        return f"{rxfilename} wav-reverberate {options} - - |"
    return f"wav-reverberate {options} {shlex.quote(rxfilename)} - |"


def signal_through_reverberate(audio: str, options: str) -> str:
    """The same for audio inside quotes, in the form of `without_quotes`: blanks get backslashes."""
    if is_pipe(audio):
        return through_reverberate(audio, options)
    return f"wav-reverberate {options} {_with_backslashes(audio)} - |"


def _with_backslashes(word: str) -> str:
    return re.sub(r"([^\w@%+=:./-])", r"\\\1", word)


def without_quotes(rxfilename: str, where: str) -> str:
    """The same audio in a form that can be put inside quotes and in a list with commas.

    Quotes around the words of a pipe become backslashes.

    Args:
        rxfilename: the audio.
        where: its place in errors.

    Raises:
        InputError: it has a character for which there is no such form.
    """
    if is_pipe(rxfilename) and re.search(r"['\"]", rxfilename):
        lexer = shlex.shlex(rxfilename, posix=True, punctuation_chars="|")
        lexer.whitespace_split = True
        try:
            words = [word if set(word) == {"|"} else _with_backslashes(word) for word in lexer]
        except ValueError as error:
            raise InputError(f"{where}: {rxfilename} has a quote that does not end") from error
        rxfilename = " ".join(words)
    found = re.search(r"[,'\"`$]", rxfilename)
    if found:
        raise InputError(
            f"{where}: {rxfilename} holds the character {found[0]}, which the list of signals of wav-reverberate "
            "cannot hold; give the file another name, or make a link with another name"
        )
    return rxfilename
