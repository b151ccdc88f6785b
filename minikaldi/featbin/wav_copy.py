"""wav-copy: copy a table of waves, or one wave. Source: Kaldi, featbin/wav-copy.cc."""

from __future__ import annotations

from minikaldi.command import CommandRun, command
from minikaldi.io import WAVE, are_tables
from minikaldi.options import NoOptions


@command(
    "wav-copy",
    usage="[options] <wav-rspecifier> <wav-wspecifier>\nor: wav-copy [options] <wav-rxfilename> <wav-wxfilename>",
    num_args=(2, 2),
    options=NoOptions,
    about="Copy wave files.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Copy a table or a single wave; returns 0 if at least one was copied."""
    if not are_tables(*args):
        run.write_object(args[1], WAVE, run.read_object(args[0], WAVE))
        return 0
    num_done = 0
    with run.sequential(args[0], WAVE) as waves, run.writer(args[1], WAVE) as copies:
        for key, wave in waves:
            copies.write(key, wave)
            num_done += 1
    run.log(f"Copied {num_done} wave files")
    return 0 if num_done else 1
