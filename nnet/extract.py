"""Compute embeddings of utterances, whole or as the mean over windows.

    python3 -m nnet.extract --exp DIR [--checkpoint best|last|FILE] [--inference key=value ...] \\
        <feats-rspecifier> <vector-wspecifier>

The section `inference` of the checkpoint's config says how; --inference changes it, without new training.
The output has the order of the input. Utterances, or windows of several of them, are computed in padded batches of
similar length, in float32; the batch does not change an embedding. An utterance that cannot be embedded is dropped,
counted, and logged with the reason.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from common.program import Parser, run_program
from common.progress import Progress
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from minikaldi.running import run_pipes_inside
from nnet.device import choose_device, memory_advice
from nnet.inference.groups import embed_group
from nnet.inference.limits import BatchLimits
from nnet.inference.loading import Model, load_model
from nnet.inference.reading import ExtractionCounts, read_ahead, usable
from nnet.training.exp_lock import ExpLock
from nnet.training.records import extraction_record, num_parameters, write_record

log = logging.getLogger("extract")

AHEAD_BATCHES = 8  # utterances of this many batches are read ahead, to find some of similar length


def extract_embeddings(model: Model, rspecifier: str, wspecifier: str, limits: BatchLimits) -> ExtractionCounts:
    """Read features, write embeddings.

    Args:
        model: the network.
        rspecifier: table of matrices (T, F).
        wspecifier: table of vectors (E,).
        limits: how much is computed at once.

    Raises:
        InputError, KaldiError: unreadable input, unwritable output, or the wrong number of bins.
    """
    counts = ExtractionCounts()
    progress = Progress("extract", count_lines(rspecifier), "utterances")
    with sequential(rspecifier, FLOAT_MATRIX) as table, writer(wspecifier, FLOAT_VECTOR) as out:
        for group in read_ahead(usable(table, model, counts), AHEAD_BATCHES * limits.batch_frames):
            for (utt_id, _), embedding in zip(group, embed_group(model, group, limits, counts.windows), strict=True):
                out.write(utt_id, embedding)
            counts.done += len(group)
            progress.update(len(group))
    progress.close()
    return counts


def count_lines(rspecifier: str) -> int:
    """The number of utterances if the table is a script file, else 0."""
    path = Path(rspecifier.partition(":")[2])
    if not rspecifier.startswith("scp") or not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def lock_for_writing(exp: Path, wspecifier: str) -> AbstractContextManager[object]:
    """The lock of the experiment, shared with other extractions; no lock if the output goes elsewhere.

    Entering it raises InputError while training is running there.
    """
    outputs = [Path(name) for name in wspecifier.partition(":")[2].split(",")]
    inside = any(path.resolve().is_relative_to(exp.resolve()) for path in outputs)
    return ExpLock(exp, "extraction", shared=True) if inside else nullcontext()


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="python3 -m nnet.extract", description="Compute embeddings of utterances.")
    parser.add_argument("--exp", type=Path, required=True, metavar="DIR", help="experiment directory")
    parser.add_argument("--checkpoint", default="best", metavar="best|last|FILE", help="which model (default best)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<n> (default auto)")
    parser.add_argument("--batch-frames", type=int, default=12000, help="frames of a batch, padding included")
    parser.add_argument(
        "--piece-frames", type=int, default=60000, help="longer utterances are computed in pieces (default: 10 minutes)"
    )
    parser.add_argument(
        "--inference",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the section inference, e.g. mode=windows; may be repeated",
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what computed the embeddings, as YAML")
    parser.add_argument("rspecifier", help="features, e.g. scp:data/test_no_sil/feats.scp")
    parser.add_argument("wspecifier", help="embeddings, e.g. ark,scp:exp/a/embedding.ark,exp/a/embedding.scp")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Extract embeddings.

    Returns:
        The exit code: 0 if at least one embedding was written, else 1.

    Raises:
        InputError: a checkpoint, features or options that cannot be used.
    """
    run_pipes_inside()
    options = parse_arguments(argv)
    named = options.checkpoint in ("best", "last")
    path = options.exp / f"{options.checkpoint}.pt" if named else Path(options.checkpoint)
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of precision would let an embedding depend on its batch
    with memory_advice("lower --batch-frames or --piece-frames"), lock_for_writing(options.exp, options.wspecifier):
        model = load_model(path, choose_device(options.device), options.inference)
        limits = BatchLimits(options.batch_frames, max(options.piece_frames, options.batch_frames))
        counts = extract_embeddings(model, options.rspecifier, options.wspecifier, limits)
        if options.record:
            parameters = num_parameters(model.net, embedding=True)
            write_record(options.record, extraction_record(path, options.inference, model.device, parameters))
    if model.inference.mode != "whole":
        log.info("%s", counts.windows.line(model.inference))
    dropped = len(counts.dropped)
    log.info("%d embeddings of %d utterances, %d dropped", counts.done, counts.done + dropped, dropped)
    return 0 if counts.done else 1


if __name__ == "__main__":
    run_program(main, "%(levelname)s (nnet.extract) %(message)s")
