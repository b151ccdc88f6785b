"""Compute embeddings of utterances, whole or as the mean over windows.

    python3 -m nnet.extract --exp DIR [--checkpoint best|last|FILE] [--inference key=value ...] \\
        <feats-rspecifier> <vector-wspecifier>

The section `inference` of the checkpoint's config says how; --inference changes it without training anew.
The output has the order of the input. Utterances, or windows of several of them, are computed in padded batches of
similar length, in float32; the batch does not change an embedding. What cannot be embedded is dropped with its name
and the reason, and counted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from common.errors import InputError
from common.progress import Progress
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from minikaldi.running import run_pipes_inside
from nnet.config.experiment import from_mapping
from nnet.config.sections import InferenceOptions
from nnet.data.batches import check_finite
from nnet.device import choose_device
from nnet.inference.embed import batches_by_length, embed_batch, embed_long
from nnet.inference.windows import WindowCounts, cut, lengthened, override_inference
from nnet.model import NORM_FLOOR, SpeakerNet, build
from nnet.training.checkpoint import DamagedError, load
from nnet.training.exp_lock import ExpLock
from nnet.training.fine_tuning import LOSS_PREFIX
from nnet.training.records import extraction_record, write_record

log = logging.getLogger("extract")

_WAYS_OUT = (
    "give the training command again, which puts best.pt back where another file has the same step, or take another"
    " model: --checkpoint last, or --checkpoint FILE"
)
AHEAD_BATCHES = 8  # utterances of this many batches are read ahead, to find some of similar length

Utterance = tuple[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Model:
    """A trained network and what it expects.

    net: in eval mode. dim: F. min_frames: fewer frames cannot be embedded. device: where it is. inference: how an
    embedding is taken. unit: embeddings are of length 1, and so is a mean of them.
    """

    net: SpeakerNet
    dim: int
    min_frames: int
    device: torch.device
    inference: InferenceOptions
    unit: bool


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
            raise InputError(f"--batch-frames is {self.batch_frames}, expected 1 or more")

    def of(self, net: SpeakerNet) -> Limits:
        """These, or less where the encoder asks for it, as attention does.

        Raises:
            InputError: the equal pieces of an utterance a little longer would be too short for the encoder.
        """
        most = min(self.piece_frames, net.max_frames or self.piece_frames)
        if most < 2 * net.needed_frames - 1:  # one frame more makes two pieces of half as many
            needed = f"the encoder needs {net.needed_frames} frames; expected {2 * net.needed_frames - 1} or more"
            raise InputError(f"--piece-frames is {most}, and of a longer utterance's pieces {needed}")
        return Limits(min(self.batch_frames, most), most)


@dataclass
class Counts:
    """What became of the utterances, and into which windows they were cut."""

    done: int = 0
    dropped: list[str] = field(default_factory=list)
    windows: WindowCounts = field(default_factory=WindowCounts)


def load_model(path: Path, device: torch.device, overrides: Sequence[str] = ()) -> Model:
    """The network of a checkpoint, built from the config in it.

    Args:
        path: the checkpoint.
        device: where the network is to be.
        overrides: `key=value` for its section `inference`.

    Raises:
        InputError: no checkpoint, one whose weights do not fit its config, or windows too short for the network.
        ConfigError: an override that cannot be used.
    """
    try:
        checkpoint = load(path)
    except DamagedError as error:
        raise InputError(f"{error}; {_WAYS_OUT}") from error
    config = from_mapping(checkpoint.config, str(path))
    net = build(config, len(checkpoint.speaker_ids))
    load_weights(net, checkpoint.model, path)
    min_frames = net.needed_frames
    inference = override_inference(config.inference, overrides)
    if inference.mode != "whole" and inference.window < min_frames:
        raise InputError(f"{path}: inference.window is {inference.window}, expected {min_frames} frames or more")
    unit = net.normalise
    net.normalise = unit and inference.mean_of == "embeddings"
    return Model(net.eval().to(device), config.features.dim, min_frames, device, inference, unit)


def load_weights(net: SpeakerNet, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Give a network its weights. A checkpoint that was imported may hold none of the loss, which embeds nothing.

    Raises:
        InputError: other tensors or shapes than the network's.
    """
    own = {name: tensor for name, tensor in net.state_dict().items() if name.startswith(LOSS_PREFIX)}
    lossless = not any(name.startswith(LOSS_PREFIX) for name in weights)
    try:
        net.load_state_dict({**weights, **own} if lossless else weights)
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit its config: {error}") from error


def usable(feats: Iterable[Utterance], model: Model, counts: Counts) -> Iterator[Utterance]:
    """The utterances that can be embedded; the others are named in the log and counted.

    Raises:
        InputError: another number of feature bins than the model was trained on.
    """
    for utt_id, rows in feats:
        if len(rows) and rows.shape[1] != model.dim:
            raise InputError(f"{utt_id}: features have {rows.shape[1]} bins, the model was trained on {model.dim}")
        try:
            check_finite(rows, utt_id)
            least = fewest_frames(model)
            if len(rows) < least:
                raise InputError(f"{utt_id}: {len(rows)} frames, expected {least} or more")
        except InputError as error:
            log.warning("dropped %s", error)
            counts.dropped.append(str(error))
            continue
        yield utt_id, rows


def fewest_frames(model: Model) -> int:
    """An utterance with fewer frames is dropped."""
    options = model.inference
    if options.mode == "slices":
        return 1  # reflection lengthens it
    return options.window if options.mode == "windows" and options.short == "drop" else model.min_frames


def read_ahead(feats: Iterable[Utterance], max_frames: int) -> Iterator[list[Utterance]]:
    """Groups of consecutive utterances with `max_frames` frames or a little more in all."""
    group: list[Utterance] = []
    frames = 0
    for utt_id, rows in feats:
        group.append((utt_id, rows))
        frames += len(rows)
        if frames >= max_frames:
            yield group
            group, frames = [], 0
    if group:
        yield group


def embed_group(
    model: Model, group: Sequence[Utterance], limits: Limits, counts: WindowCounts
) -> npt.NDArray[np.float32]:
    """Embeddings of some utterances, in their order; windows of any of them are batched together.

    Returns:
        float32 (N, E).
    """
    options, limits = model.inference, limits.of(model.net)
    cuts = [cut(len(rows), options, model.min_frames) for _, rows in group]
    counts.add(cuts, [len(rows) for _, rows in group], options)
    pieces = [
        (place, rows[start:stop])
        for place, ((_, whole), each) in enumerate(zip(group, cuts, strict=True))
        for rows in [lengthened(whole, options)]
        for start, stop in each.spans
    ]
    sums = torch.zeros(len(group), model.net.embedding_dim, dtype=torch.float64)
    for batch in batches_by_length([len(rows) for _, rows in pieces], limits.batch_frames):
        embeddings = embed_pieces(model, [pieces[index][1] for index in batch], limits)
        sums.index_add_(0, torch.tensor([pieces[index][0] for index in batch]), embeddings.double())
    means = sums / torch.tensor([len(each.spans) for each in cuts])[:, None]
    return (functional.normalize(means, eps=NORM_FLOOR) if model.unit else means).float().numpy()


def embed_pieces(model: Model, pieces: Sequence[npt.NDArray[np.float32]], limits: Limits) -> torch.Tensor:
    """Embeddings of one batch, utterances or windows: float32 (B, E) on the CPU."""
    if len(pieces[0]) > limits.piece_frames:  # then it is alone in its batch
        embeddings = embed_long(model.net, pieces[0], limits.piece_frames, model.device)[None]
    else:
        embeddings = embed_batch(model.net, pieces, model.device)
    return functional.normalize(embeddings, eps=NORM_FLOOR) if model.inference.normalise else embeddings


def extract(model: Model, rspecifier: str, wspecifier: str, limits: Limits) -> Counts:
    """Read features, write embeddings.

    Args:
        model: the network.
        rspecifier: table of matrices (T, F).
        wspecifier: table of vectors (E,).
        limits: how much is computed at once.

    Raises:
        InputError, KaldiError: unreadable input, unwritable output, or the wrong number of bins.
    """
    counts = Counts()
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
    """Utterances where a script file tells, else 0."""
    path = Path(rspecifier.partition(":")[2])
    if not rspecifier.startswith("scp") or not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def lock_for_writing(exp: Path, wspecifier: str) -> AbstractContextManager[object]:
    """The lock of the experiment, shared with other extractions, where the output goes into its directory.

    Entering it raises InputError while training is at work there.
    """
    outputs = [Path(name) for name in wspecifier.partition(":")[2].split(",")]
    inside = any(path.resolve().is_relative_to(exp.resolve()) for path in outputs)
    return ExpLock(exp, "extraction", shared=True) if inside else nullcontext()


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
    parser.add_argument(
        "--inference",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the section inference, e.g. mode=windows; may be given again",
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="write down what computed the embeddings, as YAML")
    parser.add_argument("rspecifier", help="features, e.g. scp:data/test_no_sil/feats.scp")
    parser.add_argument("wspecifier", help="embeddings, e.g. ark,scp:exp/a/embedding.ark,exp/a/embedding.scp")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns 0 where at least one embedding was written, else 1."""
    run_pipes_inside()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s (nnet.extract) %(message)s")
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    named = options.checkpoint in ("best", "last")
    path = options.exp / f"{options.checkpoint}.pt" if named else Path(options.checkpoint)
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of precision would let an embedding depend on its batch
    try:
        with lock_for_writing(options.exp, options.wspecifier):
            model = load_model(path, choose_device(options.device), options.inference)
            limits = Limits(options.batch_frames, max(options.piece_frames, options.batch_frames))
            counts = extract(model, options.rspecifier, options.wspecifier, limits)
            if options.record:
                write_record(options.record, extraction_record(path, options.inference, model.device))
    except (InputError, OSError) as error:
        log.error("%s", error)
        return 1
    except torch.OutOfMemoryError as error:
        log.error("%s; lower --batch-frames or --piece-frames", error)
        return 1
    if model.inference.mode != "whole":
        log.info("%s", counts.windows.line(model.inference))
    dropped = len(counts.dropped)
    log.info("%d embeddings of %d utterances, %d dropped", counts.done, counts.done + dropped, dropped)
    return 0 if counts.done else 1


if __name__ == "__main__":
    sys.exit(main())
