"""copy-feats. Source: Kaldi featbin/copy-feats.cc."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.feat.htk import HtkHolder, SphinxHolder
from minikaldi.io import FLOAT_MATRIX, INT32, Holder, are_tables, compressed_matrix
from minikaldi.options import CommandOptions


@dataclass
class CopyFeatsOptions(CommandOptions):
    """The forms of the input and of the copy."""

    binary: bool = option(True, "Binary-mode output (not relevant if writing to an archive)")
    compress: bool = option(False, "If true, write output in compressed form (only tables)")
    compression_method: int = option(
        1, "Only relevant if --compress=true: 1 chooses, 2 one byte with column headers, 3-4 two bytes, 5-7 one byte"
    )
    htk_in: bool = option(False, "Read input as HTK features")
    sphinx_in: bool = option(False, "Read input as Sphinx features, of 13 columns (only tables)")
    write_num_frames: str = option("", "Wspecifier for the number of frames of each utterance (ark,t:utt2num_frames)")


@command(
    "copy-feats",
    usage="[options] <feature-rspecifier> <feature-wspecifier>\n"
    "or: copy-feats [options] <feats-rxfilename> <feats-wxfilename>",
    num_args=(2, 2),
    options=CopyFeatsOptions,
    about="Copy features, possibly changing their format.",
)
def main(run: CommandRun, options: CopyFeatsOptions, args: list[str]) -> int:
    """Copy a table or a single matrix; returns 0 if at least one was copied."""
    if options.htk_in and options.sphinx_in:
        raise KaldiError("--htk-in and --sphinx-in contradict each other; give one")
    if not are_tables(*args):
        return _copy_file(run, options, args)
    done = _copy_table(run, options, args)
    run.log(f"Copied {done} feature matrices.")
    return 0 if done else 1


def _read_holder(options: CopyFeatsOptions) -> Holder[NDArray[np.float32]]:
    if options.htk_in:
        return HtkHolder()
    return SphinxHolder() if options.sphinx_in else FLOAT_MATRIX


def _copy_table(run: CommandRun, options: CopyFeatsOptions, args: list[str]) -> int:
    """The number of matrices copied."""
    done = 0
    with ExitStack() as tables:
        feats = tables.enter_context(run.sequential(args[0], _read_holder(options)))
        holder = compressed_matrix(options.compression_method) if options.compress else FLOAT_MATRIX
        copies = tables.enter_context(run.writer(args[1], holder))
        counts = tables.enter_context(run.writer(options.write_num_frames, INT32)) if options.write_num_frames else None
        for key, matrix in feats:
            copies.write(key, matrix)
            if counts is not None:
                counts.write(key, matrix.shape[0])
            done += 1
    return done


def _copy_file(run: CommandRun, options: CopyFeatsOptions, args: list[str]) -> int:
    """Copy one matrix; options that Kaldi has for tables only are refused."""
    for given, name in (
        (options.compress, "--compress=true"),
        (options.write_num_frames, "--write-num-frames"),
        (options.sphinx_in, "--sphinx-in=true"),
    ):
        if given:
            raise KaldiError(f"{name} is for tables (ark: or scp:); {args[0]} is a file")
    run.write_object(args[1], FLOAT_MATRIX, run.read_object(args[0], _read_holder(options)), options.binary)
    run.log(f"Copied features from {args[0]} to {args[1]}")
    return 0
