"""Pipes without processes: `wav-reverberate … - - |` run by this process, with one thread for each command and bounded
streams between them.

A command line is run like this only if it cannot mean anything else: words and quotes joined by `|`, each command one
of the runner's (`minikaldi.io.runner`), found on PATH in this checkout's minikaldi/bin, or utils/to_wav.py of this
checkout. A first command `cat <file>`, which Kaldi's augmentation scripts write, opens that file. Real Kaldi or a
wrapper, if PATH finds it first, is never bypassed.
"""

from __future__ import annotations

import contextvars
import io
import os
import re
import shutil
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from common.errors import KaldiError
from minikaldi.io.channel import Channel, ChannelReader, ChannelWriter
from minikaldi.io.context import StreamContext
from minikaldi.io.primitives import Reader
from minikaldi.io.runner import current_runner

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BUFFER_BYTES = 1 << 16
BROKEN_PIPE = 141  # what a shell reports of a command that wrote to a closed pipe
_NOT_ENDED = 255  # the exit code of a command until it has ended
_ROOT = Path(__file__).resolve().parents[2]
_BIN, _UTILS = str(_ROOT / "minikaldi" / "bin"), str(_ROOT / "utils")
# A blank, the pipe sign, a quoted piece without anything that the shell expands (in double quotes a backslash is kept
# before most characters), a character after a backslash, or plain characters.
_PIECE = re.compile(r"""[ \t]+|\||'[^']*'|"(?:[^"$`\\]|\\[^"$`\\\n])*"|\\[^\n]|[^\s|'"$`\\;&<>()*?\[\]{}~#!]+""")

# Words that mean the streams of a process, which here are channels: an output pipe, whose command would write to our
# standard output, and names such as ark:/dev/stdin.
_PROCESS_STREAMS = re.compile(r"([a-z,]+:)?\s*\||.*/dev/(std(in|out|err)|fd|tty)\b|.*/proc/(self|thread-self)\b")

Stages = list[list[str]]


def parse_pipeline(command: str) -> Stages | None:
    """The words of each command of a pipeline that this process can run itself, or None."""
    stages = _split(command) if "\0" not in command else None
    if stages is None or not all(stages) or any(_PROCESS_STREAMS.match(word) for words in stages for word in words):
        return None
    first, *rest = stages
    if not (_is_ours(first[0]) or _is_plain_cat(first)) or not all(_is_ours(words[0]) for words in rest):
        return None
    return stages


def open_input(command: str, stages: Stages, context: StreamContext) -> Reader:
    """A stream of the pipeline's output; a command that failed raises KaldiError when the stream is closed."""
    source, stages = _open_cat(stages)
    if source is not None and not stages:
        return source
    channel = Channel()
    pipeline = _Pipeline(command, stages, source, ChannelWriter(channel).buffered(), context)
    return _buffered(_PipelineReader(channel, pipeline))


def open_output(command: str, stages: Stages, context: StreamContext) -> BinaryIO:
    """A stream that the pipeline reads; a command that failed raises KaldiError when the stream is closed."""
    if _is_plain_cat(stages[0]):
        raise KaldiError(f"the pipe {command!r} does not read its input")
    channel = Channel()
    source = _buffered(ChannelReader(channel))
    pipeline = _Pipeline(command, stages, source, None, context)
    return _PipelineWriter(channel, pipeline).buffered()


def _buffered(end: ChannelReader) -> Reader:
    return io.BufferedReader(end, _BUFFER_BYTES)


def _split(command: str) -> Stages | None:
    stages: Stages = [[]]
    word: str | None = None
    at = 0
    while at < len(command):
        found = _PIECE.match(command, at)
        if not found:
            return None
        piece, at = found[0], found.end()
        if piece == "|" or piece[0] in " \t":
            if word is not None:
                stages[-1].append(word)
            word = None
            if piece == "|":
                stages.append([])
        else:
            word = (word or "") + _without_marks(piece)
    if word is not None:
        stages[-1].append(word)
    return stages


def _without_marks(piece: str) -> str:
    if piece[0] == "\\":
        return piece[1]
    return piece[1:-1] if piece[0] in "'\"" else piece


def _is_ours(name: str) -> bool:
    if Path(name).name not in current_runner().names:
        return False
    return _found_in_checkout(name, os.environ.get("PATH", os.defpath), str(Path.cwd()) if "/" in name else "")


@lru_cache(maxsize=256)
def _found_in_checkout(name: str, path: str, cwd: str) -> bool:
    """Whether the shell would run this checkout's program for `name`; `cwd` is a part of the cache's key only."""
    found = shutil.which(name, path=path)
    if found is None:
        return False
    return str(Path(found).parent.resolve()) == (_UTILS if name.endswith(".py") else _BIN)


def _is_plain_cat(words: list[str]) -> bool:
    return len(words) == 2 and words[0] == "cat" and not words[1].startswith("-")


def _open_cat(stages: Stages) -> tuple[Reader | None, Stages]:
    """The file of a leading `cat`, None without one, and the commands after it."""
    if not _is_plain_cat(stages[0]):
        return None, stages
    try:
        return Path(stages[0][1]).open("rb"), stages[1:]
    except OSError as exc:
        raise KaldiError(f"{stages[0][1]}: cannot open to read: {exc.strerror}") from exc


class _Pipeline:
    """The running threads of one command line, and their exit codes."""

    def __init__(
        self, command: str, stages: Stages, source: Reader | None, sink: BinaryIO | None, context: StreamContext
    ) -> None:
        self.command = command
        self._context = context
        self._codes = [_NOT_ENDED] * len(stages)
        self._threads: list[threading.Thread] = []
        stdin = source  # None: the standard input of the command that reads or writes the table
        for i, words in enumerate(stages):
            last = i == len(stages) - 1
            link = None if last else Channel()
            stdout: BinaryIO | None = sink if link is None else ChannelWriter(link).buffered()
            thread = threading.Thread(target=self._run, args=(i, words, stdin, stdout), daemon=True)
            thread.start()
            self._threads.append(thread)
            if link is not None:
                stdin = _buffered(ChannelReader(link))

    def _run(self, i: int, words: list[str], stdin: Reader | None, stdout: BinaryIO | None) -> None:
        try:
            run = contextvars.Context().run
            our_stdin, our_stdout = stdin or self._context.stdin_to_share, stdout or self._context.stdout_to_share
            self._codes[i] = run(current_runner().run, words, our_stdin, our_stdout, self._context.allow_pipes)
        finally:
            # Both ends are closed in any case, or the neighbours would wait for ever.
            try:
                if stdin is not None:
                    stdin.close()
            finally:
                if stdout is not None:
                    self._close(i, stdout)

    def _close(self, i: int, stdout: BinaryIO) -> None:
        try:
            stdout.close()
        except BrokenPipeError:
            self._codes[i] = self._codes[i] or BROKEN_PIPE

    def join(self) -> list[int]:
        """Wait for all commands; their exit codes."""
        for thread in self._threads:
            thread.join()
        return self._codes

    def check(self) -> None:
        """Wait for all commands.

        Raises:
            KaldiError: a command failed for another reason than a broken pipe; the first one is named.
        """
        for code in self.join():
            if code not in (0, BROKEN_PIPE):
                raise KaldiError(f"the pipe {self.command!r} failed with exit code {code}")


class _PipelineReader(ChannelReader):
    """The reading end; closing it checks the pipeline."""

    def __init__(self, channel: Channel, pipeline: _Pipeline) -> None:
        super().__init__(channel)
        self._pipeline = pipeline

    def close(self) -> None:
        """Close the stream.

        Raises:
            KaldiError: everything was read, and a command failed.
        """
        if self.closed:
            return
        ended = self.at_end()
        super().close()
        if ended:
            self._pipeline.check()
        else:
            self._pipeline.join()


class _PipelineWriter(ChannelWriter):
    """The writing end; closing it checks the pipeline."""

    def __init__(self, channel: Channel, pipeline: _Pipeline) -> None:
        super().__init__(channel)
        self._pipeline = pipeline

    def write(self, data: ReadableBuffer) -> int:
        """Write all of `data`.

        Raises:
            KaldiError: the pipeline has ended; the text names its exit code.
        """
        try:
            return super().write(data)
        except BrokenPipeError as exc:
            self._pipeline.check()
            code = self._pipeline.join()[-1]  # a shell reports the last command's
            text = f"the pipe {self._pipeline.command!r} ended with exit code {code} before it had read all"
            raise KaldiError(text) from exc

    def close(self) -> None:
        """Close the stream and wait for the pipeline.

        Raises:
            KaldiError: a command failed.
        """
        if self.closed:
            return
        super().close()
        self._pipeline.check()
