"""The sections of an experiment's YAML that hold plain options, no choice by name. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.options import REQUIRED, OptionSet, option, require

Part = Literal["encoder", "pooling", "embedding", "head", "loss"]
PARTS: tuple[Part, ...] = ("encoder", "pooling", "embedding", "head", "loss")


@dataclass(frozen=True)
class FeatureOptions(OptionSet):
    """The input of the network."""

    type: Literal["mfcc", "fbank", "logmel", "librosa_mfcc", "samples"] = option(
        REQUIRED, "type of the features, which names their data directories; samples: the audio itself"
    )
    config: str = option(REQUIRED, "option file of the features, e.g. conf/fbank.conf")
    dim: int = option(REQUIRED, "columns of a frame", least=1)
    cmvn: bool = option(True, "subtract the sliding mean")
    vad: bool = option(True, "keep voiced frames only; voice activity is decided every 10 ms")

    def __post_init__(self) -> None:
        super().__post_init__()
        apart = f"false for {self.type}, whose frames are not 10 ms apart as the decisions on voice activity are"
        require(self.type not in ("logmel", "librosa_mfcc") or not self.vad, "vad", self.vad, apart)
        whole = "false for samples: the mean of every 160th sample has no meaning"
        require(self.type != "samples" or not self.cmvn, "cmvn", self.cmvn, whole)


@dataclass(frozen=True)
class EmbeddingOptions(OptionSet):
    """The affine layer after the pooling; its output, before the head, is the embedding."""

    dim: int | None = option(512, "width of the layer; null: no layer, the pooled vector is the embedding", least=1)
    normalise: bool = option(False, "scale embeddings to length 1")


@dataclass(frozen=True)
class HeadOptions(OptionSet):
    """The layers between embedding and loss; they are used in training only."""

    batch_norm: bool = option(True, "batch norm on the embedding and after each hidden layer")
    relu: bool = option(False, "ReLU on the embedding")
    hidden: tuple[int, ...] = option((), "widths of further affine layers, each followed by a ReLU", least=1)
    order: Literal["norm_relu", "relu_norm"] = option(
        "norm_relu", "which of batch norm and ReLU comes first; Kaldi's x-vector has the ReLU first"
    )


@dataclass(frozen=True)
class DataOptions(OptionSet):
    """How training batches are drawn."""

    chunk_frames: tuple[int, int] = option(
        (200, 400), "least and greatest chunk length; each batch draws one length for all its chunks", least=1
    )
    batch_size: int = option(64, "chunks of a batch", least=2)  # batch norm has no variance over one embedding
    valid_batch_frames: int = option(20000, "frames of a validation batch, padding included", least=1)
    workers: int = option(2, "loader processes; 0: the trainer reads by itself", least=0)
    balance: Literal["none", "speakers", "jl", "groups", "triplets"] = option(
        "speakers",
        "none: utterances are drawn evenly; speakers: speakers are drawn evenly; jl: utterances of rare speakers are"
        " repeated, as by the system of that name; for metric losses, groups: as many different speakers as a batch has"
        " room for, with utterances_per_speaker different utterances each (speakers with fewer are left out);"
        " triplets: an utterance, another of its speaker, one of another speaker, repeated",
    )
    utterances_per_speaker: int = option(4, "utterances of a speaker in a batch, with balance groups", least=2)
    source: Literal["feats", "audio"] = option(
        "feats", "feats: read features; audio: read audio, augment it, and compute features of it"
    )
    cmn_window: int = option(
        300, "frames of the centred window whose mean is subtracted, 0 for none; with source audio", least=0
    )
    cmn_context: int = option(
        0, "frames on both sides of a chunk that are computed for that mean only; with source audio", least=0
    )
    audio_cache_mb: int = option(
        256, "MB of decoded audio that a loader keeps, and as many of spectra of rooms; with source audio", least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        shortest, longest = self.chunk_frames
        require(shortest <= longest, "chunk_frames", list(self.chunk_frames), "[least, greatest], least first")
        if self.balance == "groups":
            size = self.utterances_per_speaker
            whole = self.batch_size % size == 0 and self.batch_size >= 2 * size
            expected = f"a multiple of utterances_per_speaker, {size}, for 2 speakers or more"
            require(whole, "batch_size", self.batch_size, expected)
        if self.balance == "triplets":
            require(self.batch_size % 3 == 0, "batch_size", self.batch_size, "a multiple of 3, whole triplets")


@dataclass(frozen=True)
class TrainingOptions(OptionSet):
    """The training loop."""

    steps: int = option(100000, "updates of the weights in all", least=1)
    epochs: int | None = option(
        None, "passes over the training list, which then give steps and valid_every (one pass); null: steps", least=1
    )
    most_steps: int | None = option(
        None, "limit of epochs; a run of more steps is shortened to it as by --max-steps; null: no limit", least=1
    )
    valid_every: int = option(1000, "steps between two validations", least=1)
    valid_by: Literal["eer", "speakers"] = option(
        "eer",
        "the error rate of a validation, which chooses the best model and which schedules ask for; eer: of the held-out"
        " trials; speakers: share of held-out utterances whose speaker is not recognised, as in the LDE systems",
    )
    save_every: int = option(1000, "steps between two checkpoints", least=1)
    log_every: int = option(100, "steps between two lines of the log", least=1)
    keep_last: int = option(2, "checkpoints kept beside the best one, in case the newest is damaged", least=1, most=100)
    seed: int = option(1, "random seed of the weights, batches and augmentation", least=0, most=2**63 - 1)
    precision: Literal["auto", "float32", "bf16"] = option(
        "auto", "number format of products; auto: bf16 if the device has instructions for it"
    )
    clip_norm: float | None = option(None, "greatest norm of the gradient; null: no limit", above=0)
    loss_clip_norm: float | None = option(
        None, "a limit of its own for the parameters of the loss; clip_norm is then that of the others", above=0
    )
    start_from: str | None = option(
        None, "checkpoint with whose weights a new run begins (fine-tuning); null: random weights"
    )
    start_from_parts: tuple[Part, ...] = option(
        PARTS, "parts taken from start_from; without loss, the class weights begin at random, as new speakers require"
    )
    cpu_threads: int | None = option(
        None,
        "threads of the network on a CPU, null for all cores; fewer leave the others to the loaders. Part of the run:"
        " the order of sums depends on it",
        least=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        counted = self.most_steps is None or self.epochs is not None
        require(counted, "most_steps", self.most_steps, "epochs beside it; else set steps")
        require(len(self.start_from_parts) > 0, "start_from_parts", (), f"one or more of {', '.join(PARTS)}")
        taken = self.start_from is not None or self.start_from_parts == PARTS
        require(taken, "start_from_parts", self.start_from_parts, "start_from beside it, the checkpoint that has them")


@dataclass(frozen=True)
class InferenceOptions(OptionSet):
    """How the embedding of an utterance is computed; training does not depend on it."""

    mode: Literal["whole", "windows", "slices"] = option(
        "whole",
        "whole: the utterance at once; windows: the mean over windows along the utterance; slices: the mean over"
        " `count` windows in its middle, and a shorter utterance is lengthened by reflection",
    )
    window: int = option(100, "frames of a window or slice", least=1)
    step: int = option(50, "frames from one window to the next", least=1)
    tail: Literal["drop", "keep", "shift"] = option(
        "drop",
        "frames after the last window, with mode windows: drop leaves them out, keep embeds the incomplete window,"
        " shift moves it back until it is complete",
    )
    short: Literal["whole", "drop"] = option(
        "whole", "an utterance shorter than a window, with mode windows: embedded whole, or dropped"
    )
    count: int = option(5, "slices of an utterance", least=1)
    normalise: bool = option(False, "scale each window's embedding to length 1 before the mean")
    mean_of: Literal["embeddings", "affine"] = option(
        "embeddings",
        "average embeddings, or outputs of the affine layer; with embedding.normalise the latter is scaled to length 1"
        " after the mean",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        either = "embeddings where normalise is true, which is of each window's embedding"
        require(not self.normalise or self.mean_of == "embeddings", "mean_of", self.mean_of, either)
