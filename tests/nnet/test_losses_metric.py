"""GE2E, angular prototypical and triplet loss: published figures, slow versions, edges, and the layouts they refuse."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from common.options import OptionError, part_of
from nnet.losses import AngularPrototypicalOptions, Ge2eOptions, TripletOptions
from nnet.losses.metric import PositiveScale, check_triplets, group_size, unit
from nnet.losses.triplet import random_triplets, semi_hard_triplets

# Two speakers, three utterances each; the figures were computed elsewhere.
GOLDEN = torch.tensor([[1, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 0, 1], [0, 0.6, 0.8], [0, 0.8, 0.6]])
GOLDEN_LABELS = torch.tensor([4, 4, 4, 1, 1, 1])
NUM_CLASSES = 20

GROUPED: list[Any] = [
    *(Ge2eOptions(variant=v, leave_one_out=out) for v in ("softmax", "contrast") for out in (True, False)),
    Ge2eOptions(reduction="sum"),
    AngularPrototypicalOptions(),
    TripletOptions(mining="random"),
    TripletOptions(mining="semi_hard"),
]
grouped = pytest.mark.parametrize("options", GROUPED)


def make(options: Any, in_dim: int = 3) -> Any:
    return part_of(options)(options, in_dim, NUM_CLASSES)


def groups(num_speakers: int, size: int, dim: int, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
    """Utterances that lie around their speaker's place, and labels in no order."""
    torch.manual_seed(num_speakers)
    labels = torch.randperm(NUM_CLASSES)[:num_speakers].repeat_interleave(size)
    places = torch.randn(num_speakers, dim, dtype=dtype).repeat_interleave(size, dim=0)
    return places + 0.8 * torch.randn(num_speakers * size, dim, dtype=dtype), labels


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Ge2eOptions(reduction="sum"), 0.0339274),
        (Ge2eOptions(reduction="mean"), 0.0056546),
        (Ge2eOptions(leave_one_out=False), 0.0022571),
    ],
)
def test_ge2e_gives_the_independently_computed_losses(options: Ge2eOptions, expected: float) -> None:
    value, hits = make(options)(GOLDEN, GOLDEN_LABELS, 1)
    # 5e-7: the figures are of float32, which rounds a logit of 5 by up to 2.4e-7; the equations one by one, in
    # float64, give 0.0339271, 0.0056545, 0.0022572.
    assert value.item() == pytest.approx(expected, abs=5e-7)
    assert hits.tolist() == [True] * 6


def slow_ge2e(x: torch.Tensor, size: int, options: Ge2eOptions) -> tuple[float, list[bool]]:
    """Utterance by utterance and speaker by speaker, from the paper's equations."""
    e = [row / row.norm() for row in x]
    speakers = range(len(x) // size)
    losses, hits = [], []
    for j in speakers:
        for i in range(size):
            scores = []
            for k in speakers:
                members = [e[k * size + m] for m in range(size) if not (options.leave_one_out and (k, m) == (j, i))]
                scores.append(options.w * cosine(e[j * size + i], sum(members) / len(members)) + options.b)  # type: ignore[arg-type]
            if options.variant == "softmax":
                losses.append(-scores[j] + math.log(sum(math.exp(score) for score in scores)))
            else:
                sigma = [1 / (1 + math.exp(-score)) for score in scores]
                losses.append(1 - sigma[j] + max(sigma[k] for k in speakers if k != j))
            hits.append(max(scores) == scores[j])
    return sum(losses) / (len(losses) if options.reduction == "mean" else 1), hits


@pytest.mark.parametrize("options", [each for each in GROUPED if isinstance(each, Ge2eOptions)])
@pytest.mark.parametrize(("num_speakers", "size"), [(2, 2), (5, 3), (7, 2)])
def test_ge2e_equals_its_equations_one_by_one(options: Ge2eOptions, num_speakers: int, size: int) -> None:
    inputs, labels = groups(num_speakers, size, 4)
    value, hits = make(options, 4).double()(inputs, labels, 1)
    expected, expected_hits = slow_ge2e(inputs, size, options)
    # w and b pass through float32 parameters: 10 to a rounding of 5e-7, times cosines of at most 1, summed.
    assert value.item() == pytest.approx(expected, abs=1e-5)
    assert hits.tolist() == expected_hits


def test_the_prototypical_loss_equals_its_equations_one_by_one() -> None:
    options = AngularPrototypicalOptions(w=7.0)
    inputs, labels = groups(5, 4, 3)
    value, hits = make(options).double()(inputs, labels, 1)
    losses, expected_hits = [], []
    for j in range(5):
        query = inputs[4 * j + 3]
        scores = [7 * cosine(query, (inputs[4 * k] + inputs[4 * k + 1] + inputs[4 * k + 2]) / 3) for k in range(5)]
        losses.append(-scores[j] + math.log(sum(math.exp(score) for score in scores)))
        expected_hits.append(max(scores) == scores[j])
    assert value.item() == pytest.approx(sum(losses) / 5, abs=1e-5)  # w passes through a float32 parameter
    assert hits.tolist() == expected_hits
    assert 0 < sum(expected_hits) < 5  # both kinds occur


def test_the_prototypical_loss_by_hand() -> None:
    # Each query lies on its own prototype, at a right angle to the other's: −w + log(e^w + 1).
    inputs = torch.tensor([[2.0, 0], [1, 0], [3, 0], [0, 1], [0, 5], [0, 2]])
    value, hits = make(AngularPrototypicalOptions(w=2.0), 2)(inputs, torch.tensor([0, 0, 0, 1, 1, 1]), 1)
    assert value.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)
    assert hits.tolist() == [True, True]


@pytest.mark.parametrize(
    ("anchor", "positive", "negative", "expected", "hit"),
    [
        ([1.0, 0], [2.0, 0], [1.0, 0], 0.1, False),  # all alike
        ([1.0, 0], [1.0, 0], [0.0, 3], 0.0, True),
        ([1.0, 0], [0.0, 1], [1.0, 0], 1.1, False),
    ],
)
def test_triplets_by_hand(anchor: Any, positive: Any, negative: Any, expected: float, hit: bool) -> None:
    value, hits = make(TripletOptions(), 2)(torch.tensor([anchor, positive, negative]), torch.tensor([3, 3, 5]), 1)
    assert value.item() == pytest.approx(expected, abs=1e-6)
    assert hits.tolist() == [hit]


def test_the_triplet_loss_is_the_mean_over_all_triplets_one_by_one() -> None:
    torch.manual_seed(1)
    inputs, labels = torch.randn(24, 5, dtype=torch.float64), torch.tensor([0, 0, 1, 2, 2, 0] * 4)
    value, hits = make(TripletOptions(margin=0.3), 5)(inputs, labels, 1)
    a, p, n = inputs[0::3], inputs[1::3], inputs[2::3]
    costs = [max(0.0, cosine(a[i], n[i]) - cosine(a[i], p[i]) + 0.3) for i in range(8)]
    assert value.item() == pytest.approx(sum(costs) / 8, abs=1e-12)
    assert hits.tolist() == [cosine(a[i], p[i]) > cosine(a[i], n[i]) for i in range(8)]


def test_semi_hard_negatives_equal_a_search_pair_by_pair() -> None:
    inputs, _ = groups(5, 3, 2)
    cosines = unit(inputs) @ unit(inputs).T
    found = set(zip(*(rows.tolist() for rows in semi_hard_triplets(cosines, 3)), strict=True))
    expected, fallbacks = set(), 0
    for a in range(15):
        for p in range(15):
            if a == p or a // 3 != p // 3:
                continue
            others = [n for n in range(15) if n // 3 != a // 3]
            easier = [n for n in others if cosines[a, n] < cosines[a, p]]
            fallbacks += not easier
            row = cosines[a].tolist()
            pick = max(easier, key=row.__getitem__) if easier else min(others, key=row.__getitem__)
            expected.add((a, p, pick))
    assert found == expected
    assert len(found) == 30
    assert fallbacks > 0  # that case occurs


def test_random_triplets_are_of_the_right_speakers_and_reach_them_all() -> None:
    pairs = set()
    for step in range(1, 200):
        anchors, positives, negatives = random_triplets(12, 3, step)
        assert anchors.tolist() == list(range(12))
        assert (positives // 3 == anchors // 3).all()
        assert (positives != anchors).all()
        assert (negatives // 3 != anchors // 3).all()
        pairs |= {*zip(anchors.tolist(), positives.tolist(), strict=True)}
        pairs |= {*zip(anchors.tolist(), negatives.tolist(), strict=True)}
    assert len(pairs) == 12 * 11  # each with each but itself; one of 9 stays away in 199 draws with p = 7e-11


def test_random_mining_depends_on_the_step_alone() -> None:
    loss = make(TripletOptions(mining="random"), 4)
    inputs, labels = groups(6, 4, 4)
    values = [loss(inputs, labels, step)[0].item() for step in (1, 2, 1)]
    assert values[0] == values[2] != values[1]


@pytest.mark.parametrize(("mining", "expected"), [("random", 24), ("semi_hard", 72)])
def test_mined_triplets_are_counted(mining: Any, expected: int) -> None:
    inputs, labels = groups(6, 4, 4)
    _, hits = make(TripletOptions(mining=mining), 4)(inputs, labels, 1)
    assert (hits.shape, hits.dtype) == ((expected,), torch.bool)


@grouped
def test_neither_lengths_nor_names_of_speakers_count(options: Any) -> None:
    inputs, labels = groups(6, 4, 5)
    loss = make(options, 5).double()
    value, hits = loss(inputs, labels, 3)
    again, same = loss(inputs * 2, (labels + 1) % NUM_CLASSES, 3)
    torch.testing.assert_close(value, again)
    assert torch.equal(hits, same)


@grouped
def test_gradients_agree_with_finite_differences(options: Any) -> None:
    inputs, labels = groups(4, 3, 5)
    loss = make(options, 5).double()
    names = [name for name, _ in loss.named_parameters()]

    def value(inputs: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(loss, dict(zip(names, parameters, strict=True)), (inputs, labels, 1))[0]

    arguments = [inputs.requires_grad_(), *(each.detach().clone().requires_grad_() for each in loss.parameters())]
    assert torch.autograd.gradcheck(value, tuple(arguments))


def degenerate(kind: str) -> torch.Tensor:
    if kind == "zero":
        return torch.zeros(6, 3)
    if kind == "identical":
        return torch.ones(6, 3)
    if kind == "one zero":
        return torch.cat([torch.zeros(1, 3), torch.eye(3), torch.eye(3)[:2]])
    return torch.tensor([[1.0, 0, 0], [-1, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0, 0], [-1, 0, 0]])  # cosines of ±1


@pytest.mark.parametrize("options", [*GROUPED, TripletOptions()])
@pytest.mark.parametrize("kind", ["zero", "identical", "one zero", "opposite"])
def test_value_and_gradients_are_finite_for_degenerate_inputs(options: Any, kind: str) -> None:
    inputs = degenerate(kind).requires_grad_()
    loss = make(options)
    labels = torch.tensor([0, 0, 1, 2, 2, 3] if options.balance == "triplets" else [0, 0, 1, 1, 2, 2])
    value, _ = loss(inputs, labels, 1)
    value.backward()
    assert value.isfinite()
    assert inputs.grad is not None
    assert inputs.grad.isfinite().all()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in loss.parameters())


@pytest.mark.parametrize("initial", [0.01, 1.0, 10.0, 30.0])
def test_the_scale_begins_where_it_is_reported_and_never_leaves_the_positive(initial: float) -> None:
    scale = PositiveScale(initial)
    assert scale.value.item() == pytest.approx(initial, rel=1e-5)  # float32
    scale.raw.data -= initial + 50
    assert scale.value.item() > 0
    (-scale.value).backward()
    assert scale.raw.grad is not None
    assert scale.raw.grad.item() < 0  # a clamp would have no gradient here, and never come back


def test_of_b_the_softmax_has_no_use_and_no_parameter() -> None:
    assert [name for name, _ in make(Ge2eOptions()).named_parameters()] == ["scale.raw"]
    assert [name for name, _ in make(Ge2eOptions(variant="contrast")).named_parameters()] == ["b", "scale.raw"]
    losses = [make(Ge2eOptions(b=b))(GOLDEN, GOLDEN_LABELS, 1)[0].item() for b in (-5.0, 3.0)]
    assert losses[0] == losses[1]


def test_learning_by_ge2e_parts_speakers() -> None:
    inputs, labels = groups(6, 5, 8, torch.float32)
    torch.manual_seed(0)
    net = torch.nn.Linear(8, 8)
    loss = make(Ge2eOptions(), 8)
    optimizer = torch.optim.Adam([*net.parameters(), *loss.parameters()], lr=1e-2)
    values = []
    for step in range(1, 101):
        value, hits = loss(net(inputs), labels, step)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.3 * values[0]
    assert hits.all()
    assert loss.scale.value > 0


GROUPS = r"; the loss compares groups: .*; set data.balance to groups$"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 3, 3, 3], "all 4 rows of the batch are of speaker 3"),
        ([3, 1, 1, 2], "speaker 3 has one utterance in the batch, row 0"),
        ([3, 3, 1, 1, 2], "5 rows cannot be groups of 2, as the first speaker has"),
        ([3, 3, 1, 2], "row 3 is of speaker 2, expected 1 as in its group of 2"),
        ([3, 3, 1, 1, 3, 3], "speaker 3 has two groups in the batch"),
    ],
)
@grouped
def test_a_batch_without_groups_is_refused(options: Any, labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message + GROUPS):
        make(options)(torch.randn(len(labels), 3), torch.tensor(labels), 1)


def test_groups_are_read_off_the_labels() -> None:
    assert group_size(torch.tensor([5, 5, 2, 2, 9, 9])) == 2
    assert group_size(torch.tensor([5, 5, 5, 2, 2, 2])) == 3


TRIPLETS = "; the loss compares triplets of anchor, positive and negative; set data.balance to triplets$"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 3, 1, 1], "4 rows are not whole triplets"),
        ([3, 3, 1, 1, 2, 2], "row 4 is of speaker 2, expected speaker 1, that of the anchor in row 3"),
        ([3, 3, 1, 2, 2, 2], "row 5 is of speaker 2, expected another speaker than 2, that of the anchor in row 3"),
    ],
)
def test_a_batch_without_triplets_is_refused(labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message + TRIPLETS):
        make(TripletOptions())(torch.randn(len(labels), 3), torch.tensor(labels), 1)


def test_triplets_may_share_speakers() -> None:
    check_triplets(torch.tensor([1, 1, 2, 2, 2, 1, 1, 1, 3]))


def test_ge2e_of_many_speakers_is_the_same_in_float32() -> None:
    inputs, labels = groups(20, 6, 32)
    types = (torch.float32, torch.float64)
    values = [make(Ge2eOptions(), 32).to(dtype)(inputs.to(dtype), labels, 1)[0] for dtype in types]
    # float32: cosines to 1e-6, times w = 10.
    torch.testing.assert_close(values[0].double(), values[1], atol=1e-5, rtol=0)
    assert functional.relu(values[0]) == values[0]


@pytest.mark.parametrize("change", [{"w": 0.0}, {"w": math.inf}, {"b": math.nan}])
def test_ge2e_options_that_mean_nothing_are_refused(change: Any) -> None:
    with pytest.raises(OptionError, match=r"expected (> 0 and < inf|a finite number)"):
        Ge2eOptions(**change)
