"""The losses: their options, and the table of their names. No torch here: ``nnet.config`` reads this.

A loss is a module made as ``Loss(options, in_dim, num_classes)`` whose ``forward(inputs (B, H), labels (B,), step)``
gives ``loss (), hits (K,) bool``: the mean loss, and for each decision whether it was right without any margin; a
classification makes one decision for each input, K = B. `step` counts training steps from 1; a loss that changes over
time is a pure function of it, so the trainer's step in the checkpoint is all there is to restore, and validation
advances nothing. ``scale_invariant`` names the parameters of which only the direction counts, which weight decay must
leave alone; so it must those that ``undecayed`` names, where a loss has such. To add one: its file here, its options
and its line below, a YAML, a test.

An option set says in ``layout`` which batches the loss can be given: "any", or one of the values of data.balance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.options import OptionError, OptionTable, Weighted, at_least, require

Layout = Literal["any", "groups", "triplets"]


@dataclass(frozen=True)
class SoftmaxOptions:
    """A linear layer and cross-entropy."""

    implementation: ClassVar[str] = "nnet.losses.softmax:Softmax"
    layout: ClassVar[Layout] = "any"


@dataclass(frozen=True)
class AsoftmaxOptions:
    """A-softmax (SphereFace).

    margin: m, 1 to 4; 1 has none. lambda_base, lambda_min, lambda_gamma: of the annealing
    λ = max(lambda_min, lambda_base / (1 + lambda_gamma · step)); a large λ is plain softmax.
    """

    implementation: ClassVar[str] = "nnet.losses.asoftmax:Asoftmax"
    layout: ClassVar[Layout] = "any"
    margin: int = 2
    lambda_base: float = 1500.0
    lambda_min: float = 5.0
    lambda_gamma: float = 0.01

    def __post_init__(self) -> None:
        require(1 <= self.margin <= 4, "margin", self.margin, "1 to 4")
        at_least(0, lambda_base=self.lambda_base, lambda_min=self.lambda_min, lambda_gamma=self.lambda_gamma)


@dataclass(frozen=True)
class _AdditiveOptions:
    """Of both additive margins.

    margin: see the loss. scale: s, the length that every input is given. sub_centres: K, weight vectors of a speaker,
    of which the nearest counts; 1 for the usual loss, 2 or 3 where labels are noisy. margin_steps: the margin is 0 up
    to the first of these training steps, its full size from the second on, and grows evenly between; null for the full
    margin from the beginning.
    """

    layout: ClassVar[Layout] = "any"
    margin: float = 0.2
    scale: float = 30.0
    sub_centres: int = 1
    margin_steps: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        require(0 < self.scale < float("inf"), "scale", self.scale, "a positive number")
        at_least(1, sub_centres=self.sub_centres)
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


@dataclass(frozen=True)
class AamOptions(_AdditiveOptions):
    """AAM-softmax (ArcFace), also with sub-centres. margin: m, added to the angle, in radians."""

    implementation: ClassVar[str] = "nnet.losses.aam:Aam"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.margin < 1.5, "margin", self.margin, "radians, 0 to less than 1.5")


@dataclass(frozen=True)
class AmOptions(_AdditiveOptions):
    """AM-softmax (CosFace). margin: m, subtracted from the cosine."""

    implementation: ClassVar[str] = "nnet.losses.am:Am"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.margin < 2, "margin", self.margin, "0 to less than 2, all that cosines differ by")


@dataclass(frozen=True)
class Ge2eOptions:
    """GE2E, over groups of utterances.

    variant: "softmax" compares with all centroids, "contrast" with the nearest wrong one. leave_one_out: whether the
    own centroid is made without the utterance that is compared with it. reduction: over the utterances of a batch.
    w, b: where the scores w cos + b begin; both are learned, w stays positive. Of b the softmax variant has no use.
    """

    implementation: ClassVar[str] = "nnet.losses.ge2e:Ge2e"
    layout: ClassVar[Layout] = "groups"
    variant: Literal["softmax", "contrast"] = "softmax"
    leave_one_out: bool = True
    reduction: Literal["mean", "sum"] = "mean"
    w: float = 10.0
    b: float = -5.0

    def __post_init__(self) -> None:
        require(0 < self.w < float("inf"), "w", self.w, "a positive number")
        require(abs(self.b) < float("inf"), "b", self.b, "a finite number")


@dataclass(frozen=True)
class AngularPrototypicalOptions:
    """The angular prototypical loss, over groups of utterances. w: where the scale of the cosines begins; learned."""

    implementation: ClassVar[str] = "nnet.losses.angular_prototypical:AngularPrototypical"
    layout: ClassVar[Layout] = "groups"
    w: float = 10.0

    def __post_init__(self) -> None:
        require(0 < self.w < float("inf"), "w", self.w, "a positive number")


@dataclass(frozen=True)
class TripletOptions:
    """The triplet loss over cosines.

    margin: by which the positive must be more like the anchor than the negative. mining: "given" takes the triplets of
    data.balance triplets; "random" and "semi_hard" make them from those of data.balance groups.
    """

    implementation: ClassVar[str] = "nnet.losses.triplet:Triplet"
    margin: float = 0.1
    mining: Literal["given", "random", "semi_hard"] = "given"

    def __post_init__(self) -> None:
        require(0 <= self.margin <= 2, "margin", self.margin, "0 to 2, all that cosines differ by")

    @property
    def layout(self) -> Layout:
        """Which batches it can be given."""
        return "triplets" if self.mining == "given" else "groups"


SUMMANDS: OptionTable = {
    "aam": AamOptions,
    "am": AmOptions,
    "angular_prototypical": AngularPrototypicalOptions,
    "asoftmax": AsoftmaxOptions,
    "ge2e": Ge2eOptions,
    "softmax": SoftmaxOptions,
    "triplet": TripletOptions,
}


@dataclass(frozen=True)
class WeightedLoss(Weighted):
    """A loss of a sum."""

    table: ClassVar[OptionTable] = SUMMANDS


@dataclass(frozen=True)
class SumOptions:
    """A weighted sum of losses over one batch; accuracy is that of the first."""

    implementation: ClassVar[str] = "nnet.losses.sum:Sum"
    losses: tuple[WeightedLoss, ...]

    def __post_init__(self) -> None:
        require(len(self.losses) > 0, "losses", list(self.losses), "one loss or more")
        layouts = sorted({each.options.layout for each in self.losses} - {"any"})
        if len(layouts) > 1:
            raise OptionError("losses", f"need batches of {' and of '.join(layouts)} at once; choose one kind")

    @property
    def layout(self) -> Layout:
        """Which batches it can be given."""
        layouts: list[Layout] = [each.options.layout for each in self.losses if each.options.layout != "any"]
        return layouts[0] if layouts else "any"


LOSSES: OptionTable = {**SUMMANDS, "sum": SumOptions}
