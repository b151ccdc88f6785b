"""copy-feats. Source: Kaldi featbin/copy-feats.cc; HTK and Sphinx input is not read."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from minikaldi.command import Run, command
from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, INT32, compressed_matrix, is_rspecifier
from minikaldi.options import option


@dataclass
class CopyFeatsOptions:
    """How the copy is written."""

    binary: bool = option(True, "Binary-mode output (not relevant if writing to an archive)")
    compress: bool = option(False, "If true, write output in compressed form (only possible in binary mode)")
    compression_method: int = option(
        1, "Only relevant if --compress=true: 1 chooses, 2 one byte with column headers, 3-4 two bytes, 5-7 one byte"
    )
    htk_in: bool = option(False, "Read input as HTK features (not available here)")
    sphinx_in: bool = option(False, "Read input as Sphinx features (not available here)")
    write_num_frames: str = option("", "Wspecifier for the number of frames of each utterance (ark,t:utt2num_frames)")


@command(
    "copy-feats",
    usage="[options] <feature-rspecifier> <feature-wspecifier>\n"
    "or: copy-feats [options] <feats-rxfilename> <feats-wxfilename>",
    num_args=(2, 2),
    options=CopyFeatsOptions,
    about="Copy features, possibly changing their format.",
)
def main(run: Run, options: CopyFeatsOptions, args: list[str]) -> int:
    """Copy a table or a single matrix; 0 where at least one was copied."""
    if options.htk_in or options.sphinx_in:
        raise KaldiError("--htk-in and --sphinx-in are not available here; convert with real Kaldi's copy-feats")
    holder = compressed_matrix(options.compression_method) if options.compress else FLOAT_MATRIX
    if not is_rspecifier(args[0]):
        run.write_object(args[1], holder, run.read_object(args[0], FLOAT_MATRIX), options.binary)
        run.log(f"Copied features from {args[0]} to {args[1]}")
        return 0
    done = 0
    with ExitStack() as tables:
        feats = tables.enter_context(run.sequential(args[0], FLOAT_MATRIX))
        copies = tables.enter_context(run.writer(args[1], holder))
        counts = tables.enter_context(run.writer(options.write_num_frames, INT32)) if options.write_num_frames else None
        for key, matrix in feats:
            copies.write(key, matrix)
            if counts is not None:
                counts.write(key, matrix.shape[0])
            done += 1
    run.log(f"Copied {done} feature matrices.")
    return 0 if done else 1
