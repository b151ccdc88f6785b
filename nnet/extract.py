"""Compute embeddings of whole utterances.

    python3 -m nnet.extract --exp DIR [--checkpoint best|last|FILE] <feats-rspecifier> <vector-wspecifier>

The output has the order of the input. Utterances are computed in padded batches of similar length, in float32; the
batch does not change an embedding. What cannot be embedded is dropped with its name and the reason, and counted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from minikaldi.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from minikaldi.progress import Progress
from nnet.checkpoint import load
from nnet.config import from_mapping
from nnet.data import check_finite
from nnet.device import choose_device
from nnet.embed import batches_by_length, embed_batch, embed_long
from nnet.errors import NnetError
from nnet.model import SpeakerNet, build
from nnet.options import ConfigError

log = logging.getLogger("extract")

WINDOW_BATCHES = 8  # utterances of this many batches are read ahead, to find some of similar length

Utterance = tuple[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Model:
    """A trained network and what it expects.

    net: in eval mode. dim: F. min_frames: utterances with fewer frames cannot be embedded. device: where it is.
    """

    net: SpeakerNet
    dim: int
    min_frames: int
    device: torch.device


@dataclass(frozen=True)
class Limits:
    """How much is computed at once: it bounds the memory.

    batch_frames: frames of a batch with its padding; a longer utterance is a batch of its own.
    piece_frames: an utterance longer than this is computed in pieces; at least batch_frames.
    """

    batch_frames: int
    piece_frames: int

    def __post_init__(self) -> None:
        if self.batch_frames < 1:
            raise NnetError(f"--batch-frames is {self.batch_frames}, expected 1 or more")


@dataclass
class Counts:
    """What became of the utterances."""

    done: int = 0
    dropped: list[str] = field(default_factory=list)


def load_model(path: Path, device: torch.device) -> Model:
    """The network of a checkpoint, built from the config in it.

    Raises:
        NnetError: no checkpoint, or one whose weights do not fit its config.
    """
    checkpoint = load(path)
    config = from_mapping(checkpoint.config, str(path))
    net = build(config, len(checkpoint.speaker_ids))
    try:
        net.load_state_dict(checkpoint.model)
    except RuntimeError as error:
        raise NnetError(f"{path}: its weights do not fit its config: {error}") from error
    # An encoder that lengthens short utterances itself takes any that has a frame.
    min_frames = 1 if getattr(net.encoder, "pad_short", True) else net.min_frames
    return Model(net.eval().to(device), config.features.dim, min_frames, device)


def usable(feats: Iterable[Utterance], model: Model, counts: Counts) -> Iterator[Utterance]:
    """The utterances that can be embedded; the others are named in the log and counted.

    Raises:
        NnetError: another number of feature bins than the model was trained on.
    """
    for utt_id, rows in feats:
        if len(rows) and rows.shape[1] != model.dim:
            raise NnetError(f"{utt_id}: features have {rows.shape[1]} bins, the model was trained on {model.dim}")
        try:
            check_finite(rows, utt_id)
            if len(rows) < model.min_frames:
                raise NnetError(f"{utt_id}: {len(rows)} frames, expected {model.min_frames} or more")
        except NnetError as error:
            log.warning("dropped %s", error)
            counts.dropped.append(str(error))
            continue
        yield utt_id, rows


def windows(feats: Iterable[Utterance], max_frames: int) -> Iterator[list[Utterance]]:
    """Runs of consecutive utterances with `max_frames` frames or a little more in all."""
    window: list[Utterance] = []
    frames = 0
    for utt_id, rows in feats:
        window.append((utt_id, rows))
        frames += len(rows)
        if frames >= max_frames:
            yield window
            window, frames = [], 0
    if window:
        yield window


def embed_window(model: Model, window: list[Utterance], limits: Limits) -> npt.NDArray[np.float32]:
    """Embeddings of some utterances, in their order.

    Returns:
        float32 (N, E).
    """
    lengths = [len(rows) for _, rows in window]
    embeddings = torch.empty(len(window), model.net.embedding_dim)
    for batch in batches_by_length(lengths, limits.batch_frames):
        rows = [window[place][1] for place in batch]
        if len(rows[0]) > limits.piece_frames:  # then it is alone in its batch
            embeddings[batch[0]] = embed_long(model.net, rows[0], limits.piece_frames, model.device)
        else:
            embeddings[batch] = embed_batch(model.net, rows, model.device)
    return embeddings.numpy()


def extract(model: Model, rspecifier: str, wspecifier: str, limits: Limits) -> Counts:
    """Read features, write embeddings.

    Args:
        model: the network.
        rspecifier: table of matrices (T, F).
        wspecifier: table of vectors (E,).
        limits: how much is computed at once.

    Raises:
        NnetError, KaldiError: unreadable input, unwritable output, or the wrong number of bins.
    """
    counts = Counts()
    progress = Progress("extract", count_lines(rspecifier), "utterances")
    with sequential(rspecifier, FLOAT_MATRIX) as table, writer(wspecifier, FLOAT_VECTOR) as out:
        for window in windows(usable(table, model, counts), WINDOW_BATCHES * limits.batch_frames):
            for (utt_id, _), embedding in zip(window, embed_window(model, window, limits), strict=True):
                out.write(utt_id, embedding)
            counts.done += len(window)
            progress.update(len(window))
    progress.close()
    return counts


def count_lines(rspecifier: str) -> int:
    """Utterances where a script file tells, else 0."""
    path = Path(rspecifier.partition(":")[2])
    if not rspecifier.startswith("scp") or not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m nnet.extract", description="Compute embeddings of utterances.")
    parser.add_argument("--exp", type=Path, required=True, metavar="DIR", help="experiment directory")
    parser.add_argument("--checkpoint", default="best", metavar="best|last|FILE", help="which model (default best)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<n> (default auto)")
    parser.add_argument("--batch-frames", type=int, default=12000, help="frames of a batch, padding included")
    parser.add_argument(
        "--piece-frames", type=int, default=60000, help="longer utterances are computed in pieces (default: 10 minutes)"
    )
    parser.add_argument("rspecifier", help="features, e.g. scp:data/test_no_sil/feats.scp")
    parser.add_argument("wspecifier", help="embeddings, e.g. ark,scp:exp/a/embedding.ark,exp/a/embedding.scp")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns 0 where at least one embedding was written, else 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s (nnet.extract) %(message)s")
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    named = options.checkpoint in ("best", "last")
    path = options.exp / f"{options.checkpoint}.pt" if named else Path(options.checkpoint)
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of precision would let an embedding depend on its batch
    try:
        model = load_model(path, choose_device(options.device))
        limits = Limits(options.batch_frames, max(options.piece_frames, options.batch_frames))
        counts = extract(model, options.rspecifier, options.wspecifier, limits)
    except (NnetError, KaldiError, ConfigError, OSError) as error:
        log.error("%s", error)
        return 1
    except torch.OutOfMemoryError as error:
        log.error("%s; lower --batch-frames or --piece-frames", error)
        return 1
    dropped = len(counts.dropped)
    log.info("%d embeddings of %d utterances, %d dropped", counts.done, counts.done + dropped, dropped)
    return 0 if counts.done else 1


if __name__ == "__main__":
    sys.exit(main())
