"""What an experiment's YAML may hold: its sections, and the rules between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.options import OptionError, OptionTable, parse, parse_named
from nnet.augment import AugmentOptions
from nnet.config.sections import (
    DataOptions,
    EmbeddingOptions,
    FeatureOptions,
    HeadOptions,
    InferenceOptions,
    TrainingOptions,
)
from nnet.encoders import ENCODERS
from nnet.losses import LOSSES
from nnet.pooling import POOLINGS
from nnet.training.optimizer_options import OPTIMIZERS
from nnet.training.schedules import SCHEDULES

# Section -> its option set, or the table of names from which its key `name` chooses one.
SECTIONS: dict[str, type[Any] | OptionTable] = {
    "features": FeatureOptions,
    "encoder": ENCODERS,
    "pooling": POOLINGS,
    "embedding": EmbeddingOptions,
    "head": HeadOptions,
    "loss": LOSSES,
    "data": DataOptions,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "training": TrainingOptions,
    "inference": InferenceOptions,
}
OPTIONAL = ("inference",)  # sections that may be left out: all their options have defaults
AUGMENT = "augment"  # a section that may be left out, and may be the name of a file; see nnet/augment/schema.py
PATHS = ("features.config", "training.start_from")  # options that name a file


@dataclass(frozen=True)
class Config:
    """An experiment. The sections that are chosen by name hold the option set of that name."""

    features: FeatureOptions
    encoder: Any
    pooling: Any
    embedding: EmbeddingOptions
    head: HeadOptions
    loss: Any
    data: DataOptions
    optimizer: Any
    schedule: Any
    training: TrainingOptions
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        if self.data.source == "feats":
            for part, given in (("speed", self.augment.speed), ("audio", self.augment.audio)):
                if given:
                    message = "changes audio, but data.source is feats; set data.source=audio, or remove it"
                    raise OptionError(f"{AUGMENT}.{part}", message)
        needed, balance = self.loss.balance, self.data.balance
        if needed not in ("any", balance):
            message = f'is "{balance}"; the loss compares utterances with one another and needs "{needed}"'
            raise OptionError("data.balance", message)
        if self.training.valid_by == "speakers" and needed != "any":
            message = f'is "speakers", but the loss decides between the utterances of "{needed}"; set it to eer'
            raise OptionError("training.valid_by", message)


def parse_section(section: str, mapping: object) -> Any:
    """The option set of a section of `SECTIONS`.

    Raises:
        OptionError: as `common.options.parse` and `parse_named`.
    """
    kind = SECTIONS[section]
    return parse_named(kind, section, mapping) if isinstance(kind, Mapping) else parse(kind, section, mapping)
