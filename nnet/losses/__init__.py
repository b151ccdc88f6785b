"""The losses: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

The contract is ``nnet.parts.Loss``. To add a loss: its file here and its line in `SUMMANDS` below, a YAML, and a test
file with its numbers; tests/nnet/test_parts.py tries the contract on each of the table. Options are declared as in
``nnet.pooling``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar

from common.options import REQUIRED, OptionError, Weighted, option, require
from nnet.part_options import PartOptions

Balance = Literal["any", "groups", "triplets"]
OwnLoss = TypeVar("OwnLoss", bound="LossOptions")


@dataclass(frozen=True)
class LossOptions(PartOptions):
    """Options of a loss, a subclass of ``nnet.parts.Loss``."""

    @property
    def balance(self) -> Balance:
        """Which batches it needs: those of this value of data.balance, or any."""
        return "any"

    def shortened(self: OwnLoss, before: int, now: int) -> OwnLoss:
        """The same course in a run of `now` steps in place of `before`: what counts in steps changes."""
        return self


@dataclass(frozen=True)
class AsoftmaxOptions(LossOptions):
    """A-softmax (SphereFace), annealed by λ = max(lambda_min, lambda_base / (1 + lambda_gamma · step)).

    A large λ is plain softmax. A shorter run keeps these options: the annealing gives the network time to learn first,
    and a shorter run does not learn sooner. (Annealed within 1,200 steps on the mini corpus, lde3 was right about 7 %
    of its chunks after 1,820; lde1, with softmax, was about 80 %.)
    """

    implementation: ClassVar[str] = "nnet.losses.asoftmax:Asoftmax"
    margin: int = option(2, "m, by which the angle is multiplied; 1 is no margin", least=1, most=4)
    lambda_base: float = option(1500.0, "λ before the annealing", least=0)
    lambda_min: float = option(5.0, "the least λ", least=0)
    lambda_gamma: float = option(0.01, "how fast λ falls", least=0)


@dataclass(frozen=True)
class AdditiveOptions(LossOptions):
    """Of both additive margins."""

    margin: float = option(0.2, "m", least=0)
    scale: float = option(30.0, "s, the length that every input is given", above=0, below=math.inf)
    sub_centres: int = option(
        1, "weight vectors of a speaker; the nearest one counts; 2 or 3 if labels are noisy", least=1
    )
    margin_steps: tuple[int, int] | None = option(
        None, "training steps between which the margin grows from 0 to its size; null: it has its size from the start"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin_steps is not None:
            first, last = self.margin_steps
            require(0 <= first <= last, "margin_steps", self.margin_steps, "[first step, last step], the first first")

    def margin_at(self, step: int) -> float:
        """The margin at a training step counted from 1."""
        if self.margin_steps is None:
            return self.margin
        first, last = self.margin_steps
        if step >= last:
            return self.margin
        return self.margin * (step - first) / (last - first) if step > first else 0.0

    def shortened(self: OwnAdditive, before: int, now: int) -> OwnAdditive:
        """The margin grows at the same places of the run."""
        if self.margin_steps is None:
            return self
        first, last = self.margin_steps
        return replace(self, margin_steps=(round(first * now / before), round(last * now / before)))


OwnAdditive = TypeVar("OwnAdditive", bound=AdditiveOptions)


@dataclass(frozen=True)
class AamOptions(AdditiveOptions):
    """AAM-softmax (ArcFace), also with sub-centres."""

    implementation: ClassVar[str] = "nnet.losses.aam:Aam"
    margin: float = option(0.2, "m, added to the angle, in radians", least=0, below=1.5)


@dataclass(frozen=True)
class AmOptions(AdditiveOptions):
    """AM-softmax (CosFace)."""

    implementation: ClassVar[str] = "nnet.losses.am:Am"
    margin: float = option(0.2, "m, subtracted from the cosine", least=0, below=2)


@dataclass(frozen=True)
class Ge2eOptions(LossOptions):
    """GE2E, over groups of utterances."""

    implementation: ClassVar[str] = "nnet.losses.ge2e:Ge2e"
    variant: Literal["softmax", "contrast"] = option(
        "softmax", "softmax compares with all centroids, contrast with the nearest wrong one"
    )
    leave_one_out: bool = option(
        True, "whether the own centroid is made without the utterance that is compared with it"
    )
    reduction: Literal["mean", "sum"] = option("mean", "over the utterances of a batch")
    w: float = option(10.0, "start of the scale in the scores w cos + b, which is learnt", above=0, below=math.inf)
    b: float = option(-5.0, "start of the shift in the scores, learnt; softmax does not use it")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(math.isfinite(self.b), "b", self.b, "a finite number")

    @property
    def balance(self) -> Balance:
        """Groups."""
        return "groups"


@dataclass(frozen=True)
class AngularPrototypicalOptions(LossOptions):
    """The angular prototypical loss, over groups of utterances."""

    implementation: ClassVar[str] = "nnet.losses.angular_prototypical:AngularPrototypical"
    w: float = option(10.0, "start of the scale of the cosines, which is learnt", above=0, below=math.inf)

    @property
    def balance(self) -> Balance:
        """Groups."""
        return "groups"


@dataclass(frozen=True)
class TripletOptions(LossOptions):
    """The triplet loss over cosines."""

    implementation: ClassVar[str] = "nnet.losses.triplet:Triplet"
    margin: float = option(0.1, "by which the positive must be more like the anchor than the negative", least=0, most=2)
    mining: Literal["given", "random", "semi_hard"] = option(
        "given", "given: data.balance makes the triplets; random, semi_hard: they are made from groups"
    )

    @property
    def balance(self) -> Balance:
        """Triplets if they are given, else groups."""
        return "triplets" if self.mining == "given" else "groups"


SUMMANDS: Mapping[str, type[LossOptions]] = {
    "aam": AamOptions,
    "am": AmOptions,
    "angular_prototypical": AngularPrototypicalOptions,
    "asoftmax": AsoftmaxOptions,
    "ge2e": Ge2eOptions,
    "softmax": LossOptions.without_options("nnet.losses.softmax:Softmax", "A linear layer and cross-entropy."),
    "triplet": TripletOptions,
}


@dataclass(frozen=True)
class WeightedLoss(Weighted):
    """A loss of a sum."""

    table: ClassVar[Mapping[str, type[LossOptions]]] = SUMMANDS


@dataclass(frozen=True)
class SumOptions(LossOptions):
    """A weighted sum of losses over one batch; accuracy is that of the first."""

    implementation: ClassVar[str] = "nnet.losses.sum:Sum"
    losses: tuple[WeightedLoss, ...] = option(REQUIRED, "the summands, each {name, weight, options}")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.losses) > 0, "losses", list(self.losses), "one loss or more")
        kinds = sorted({each.options.balance for each in self.losses} - {"any"})
        if len(kinds) > 1:
            raise OptionError("losses", f"need batches of {' and of '.join(kinds)} at once; choose one kind")

    @property
    def balance(self) -> Balance:
        """That of the first summand that needs one."""
        kinds: list[Balance] = [each.options.balance for each in self.losses if each.options.balance != "any"]
        return kinds[0] if kinds else "any"

    def shortened(self, before: int, now: int) -> SumOptions:
        """Each summand shortened."""
        losses = tuple(replace(each, options=each.options.shortened(before, now)) for each in self.losses)
        return replace(self, losses=losses)


LOSSES: dict[str, type[LossOptions]] = {**SUMMANDS, "sum": SumOptions}
