"""The sections of an experiment's YAML that hold plain options, no choice by name. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.options import at_least, require

Part = Literal["encoder", "pooling", "embedding", "head", "loss"]
PARTS: tuple[Part, ...] = ("encoder", "pooling", "embedding", "head", "loss")


@dataclass(frozen=True)
class FeatureOptions:
    """What the network reads.

    type: of features; it names the data directories. config: its option file. dim: columns. cmvn: whether the sliding
    mean is subtracted. vad: whether voiced frames alone are kept; voice activity is decided every 10 ms.
    """

    type: Literal["mfcc", "fbank", "logmel", "librosa_mfcc", "wave"]
    config: str
    dim: int
    cmvn: bool = True
    vad: bool = True

    def __post_init__(self) -> None:
        at_least(1, dim=self.dim)
        apart = f"false for {self.type}, whose frames are not 10 ms apart as the decisions on voice activity are"
        require(self.type not in ("logmel", "librosa_mfcc") or not self.vad, "vad", self.vad, apart)
        whole = "false for wave: the mean of every 160th sample has no meaning"
        require(self.type != "wave" or not self.cmvn, "cmvn", self.cmvn, whole)


@dataclass(frozen=True)
class EmbeddingOptions:
    """The affine layer after the pooling; its output, before the head, is the embedding.

    dim: its width; null for no such layer, so that the pooled vector itself is the embedding. normalise: whether
    embeddings are brought to length 1.
    """

    dim: int | None = 512
    normalise: bool = False

    def __post_init__(self) -> None:
        if self.dim is not None:
            at_least(1, dim=self.dim)


@dataclass(frozen=True)
class HeadOptions:
    """What stands between embedding and loss in training only.

    batch_norm, relu: on the embedding. hidden: widths of further affine layers, each followed by a ReLU and, where
    batch_norm is on, a batch norm. order: which of the two comes first; Kaldi's x-vector has the ReLU first.
    """

    batch_norm: bool = True
    relu: bool = False
    hidden: tuple[int, ...] = ()
    order: Literal["norm_relu", "relu_norm"] = "norm_relu"

    def __post_init__(self) -> None:
        for width in self.hidden:
            at_least(1, hidden=width)


@dataclass(frozen=True)
class DataOptions:
    """How training batches are drawn.

    chunk_frames: least and greatest chunk length; each batch draws one length for all its chunks. batch_size: chunks.
    valid_batch_frames: frames of a validation batch, padding included. workers: loader processes.
    balance: "none" draws utterances evenly, "speakers" draws speakers evenly, "seed" repeats the utterances of rare
    speakers as the seed recipe does. Of metric losses: "groups" draws as many different speakers as there is room for,
    each with `utterances_per_speaker` different utterances, one after another, and leaves out speakers that have fewer;
    "triplets" draws an utterance, another of the same speaker, and one of another speaker, again and again.
    source: "feats" reads features, "wav" reads audio, augments it, and makes features of it. Of the latter alone:
    cmn_window: frames of the centred window whose mean is subtracted, 0 for none. cmn_context: frames on both sides of
    a chunk that are computed for that mean alone. audio_cache_mb: MB that a loader keeps of decoded audio, and as many
    of the spectra of rooms.
    """

    chunk_frames: tuple[int, int] = (200, 400)
    batch_size: int = 64
    valid_batch_frames: int = 20000
    workers: int = 2
    balance: Literal["none", "speakers", "seed", "groups", "triplets"] = "speakers"
    utterances_per_speaker: int = 4
    source: Literal["feats", "wav"] = "feats"
    cmn_window: int = 300
    cmn_context: int = 0
    audio_cache_mb: int = 256

    def __post_init__(self) -> None:
        at_least(2, batch_size=self.batch_size)  # batch norm has no variance over one embedding
        at_least(1, valid_batch_frames=self.valid_batch_frames)
        at_least(0, workers=self.workers, cmn_window=self.cmn_window, cmn_context=self.cmn_context)
        at_least(0, audio_cache_mb=self.audio_cache_mb)
        shortest, longest = self.chunk_frames
        require(1 <= shortest <= longest, "chunk_frames", list(self.chunk_frames), "[least, greatest], least first")
        at_least(2, utterances_per_speaker=self.utterances_per_speaker)
        if self.balance == "groups":
            size = self.utterances_per_speaker
            whole = self.batch_size % size == 0 and self.batch_size >= 2 * size
            expected = f"a multiple of utterances_per_speaker, {size}, for 2 speakers or more"
            require(whole, "batch_size", self.batch_size, expected)
        if self.balance == "triplets":
            require(self.batch_size % 3 == 0, "batch_size", self.batch_size, "a multiple of 3, whole triplets")


@dataclass(frozen=True)
class TrainingOptions:
    """The training loop.

    steps: updates in all. valid_every, save_every, log_every: in steps. precision: "auto" takes bf16 where the device
    has instructions for it. clip_norm: greatest norm of the gradient, null for no limit; loss_clip_norm: where it is
    set, that of the loss's parameters, and clip_norm that of the others.
    keep_last: checkpoints that are kept beside the best one, in case the newest is damaged.
    start_from: a checkpoint whose weights a new run begins with (fine-tuning); null for random ones. start_from_parts:
    which parts of it; without "loss" the class weights begin anew, as they must where a speaker is new.
    cpu_threads: of the network where it is trained on a CPU, null for all cores: fewer leave the others to the loaders
    (data.workers). It is part of the run, since the order of sums depends on it.
    """

    steps: int = 100000
    valid_every: int = 1000
    save_every: int = 1000
    log_every: int = 100
    keep_last: int = 2
    seed: int = 1
    precision: Literal["auto", "float32", "bf16"] = "auto"
    clip_norm: float | None = None
    loss_clip_norm: float | None = None
    start_from: str | None = None
    start_from_parts: tuple[Part, ...] = PARTS
    cpu_threads: int | None = None

    def __post_init__(self) -> None:
        at_least(1, steps=self.steps, log_every=self.log_every)
        at_least(1, valid_every=self.valid_every, save_every=self.save_every)
        require(1 <= self.keep_last <= 100, "keep_last", self.keep_last, "a number from 1 to 100")
        require(0 <= self.seed < 2**63, "seed", self.seed, "a whole number from 0 to 2^63 - 1")
        at_least(1, cpu_threads=self.cpu_threads)
        for key in ("clip_norm", "loss_clip_norm"):
            value = getattr(self, key)
            require(value is None or value > 0, key, value, "a positive number or null")
        require(len(self.start_from_parts) > 0, "start_from_parts", (), f"one or more of {', '.join(PARTS)}")
        taken = self.start_from is not None or self.start_from_parts == PARTS
        require(taken, "start_from_parts", self.start_from_parts, "start_from beside it, the checkpoint that has them")


@dataclass(frozen=True)
class InferenceOptions:
    """How the embedding of an utterance is taken; it changes nothing of the training.

    mode: "whole", the utterance at once; "windows", the mean over windows of `window` frames, one each `step` frames;
    "slices", the mean over `count` such windows in the middle, for which a shorter utterance is lengthened by
    reflection.
    Of windows alone: tail: what becomes of frames behind the last window: "drop" leaves them out, "keep" embeds the
    incomplete window as it is, "shift" moves it back until it is complete. short: an utterance shorter than a window
    is embedded "whole", or "drop"ped.
    normalise: bring each window's embedding to length 1 before the mean. mean_of: "embeddings", or "affine", what the
    affine layer gives; these differ where embedding.normalise is on, and then the mean is brought to length 1.
    """

    mode: Literal["whole", "windows", "slices"] = "whole"
    window: int = 100
    step: int = 50
    tail: Literal["drop", "keep", "shift"] = "drop"
    short: Literal["whole", "drop"] = "whole"
    count: int = 5
    normalise: bool = False
    mean_of: Literal["embeddings", "affine"] = "embeddings"

    def __post_init__(self) -> None:
        at_least(1, window=self.window, step=self.step, count=self.count)
        either = "embeddings where normalise is true, which is of each window's embedding"
        require(not self.normalise or self.mean_of == "embeddings", "mean_of", self.mean_of, either)
