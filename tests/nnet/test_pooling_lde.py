"""Dictionary encoding by matrix products against its formulas written out frame by frame."""

from __future__ import annotations

import itertools

import pytest
import torch

from common.options import OptionError
from nnet.pooling import LdeOptions
from nnet.pooling.lde import LdePooling

VARIANTS = [
    LdeOptions(components=3, assignment=assignment, distance=distance, output=output, centred=centred)  # type: ignore[arg-type]
    for assignment, distance, (output, centred) in itertools.product(
        ("lde", "att"), ("sqr", "norm"), (("mean", False), ("mean+std", False), ("mean+std", True))
    )
]
VARIANTS.append(LdeOptions(components=3, distance="mean", occupancy="linear"))
VARIANTS += [
    LdeOptions(components=3, output="mean+std", centred=centred, occupancy="linear") for centred in (False, True)
]
every_variant = pytest.mark.parametrize(
    "options", VARIANTS, ids=lambda o: f"{o.assignment}-{o.distance}-{o.output}{'-centred' * o.centred}-{o.occupancy}"
)


def make(options: LdeOptions, in_dim: int) -> LdePooling:
    torch.manual_seed(0)
    pooling = LdePooling(options, in_dim).double()
    torch.nn.init.uniform_(pooling.scales, 0.5, 1.5)  # ones would hide what a scale does
    return pooling


def encode_frame_by_frame(pooling: LdePooling, frames: torch.Tensor) -> torch.Tensor:
    """The definition, for one utterance (T, C), one centre and one frame at a time."""
    options = pooling.options
    num_frames, num_centres = len(frames), len(pooling.centres)
    scores = torch.empty(num_frames, num_centres, dtype=frames.dtype)
    for t, d in itertools.product(range(num_frames), range(num_centres)):
        squared = ((frames[t] - pooling.centres[d]) ** 2).sum()
        distance = {"sqr": squared, "norm": squared.sqrt(), "mean": squared / frames.shape[1]}[options.distance]
        scale = pooling.scales[d] ** 2 if options.assignment == "lde" else pooling.scales[d]
        scores[t, d] = -scale * distance
    weights = scores.softmax(dim=1 if options.assignment == "lde" else 0)
    share = weights.mean(dim=0)
    factor = share if options.occupancy == "linear" else torch.ones_like(share)
    weights = weights / (weights.sum(dim=0) + 1e-9)
    encoded = []
    for d in range(num_centres):
        residuals = frames - pooling.centres[d]
        mean = sum(weights[t, d] * residuals[t] for t in range(num_frames))
        about = mean if options.centred else 0
        encoded.append(factor[d] * mean)
        if options.output == "mean+std":
            spread = sum(weights[t, d] * (residuals[t] - about) ** 2 for t in range(num_frames))
            encoded.append(factor[d] * (spread + 1e-8).sqrt())
    return torch.cat(encoded)


GOLDEN = {
    ("lde", "sqr", "mean"): [-0.05873, 0.076403, 0.297863, 0.40711, -0.262519, -1.084847],
    ("lde", "sqr", "mean+std"): [
        -0.05873, 0.076403, 0.297863, 0.568847, 0.730963, 0.545869,
        0.40711, -0.262519, -1.084847, 0.671482, 0.470521, 1.282083,
    ],
    ("att", "norm", "mean"): [-0.181918, 0.295388, 0.295212, 0.677744, -0.484228, -0.778297],
    ("att", "norm", "mean+std"): [
        -0.181918, 0.295388, 0.295212, 0.536585, 0.702482, 0.534311,
        0.677744, -0.484228, -0.778297, 0.835012, 0.7087, 0.943118,
    ],
    ("lde", "norm", "mean"): [-0.188861, 0.237461, 0.208709, 0.599909, -0.501134, -0.950388],
    ("att", "sqr", "mean"): [-0.115567, 0.254537, 0.402959, 0.709641, -0.383944, -0.623328],
}  # fmt: skip


@pytest.mark.parametrize("variant", GOLDEN, ids="-".join)
def test_it_gives_what_the_published_system_gives(variant: tuple[str, str, str]) -> None:
    assignment, distance, output = variant
    options = LdeOptions(components=2, assignment=assignment, distance=distance, output=output)  # type: ignore[arg-type]
    pooling = LdePooling(options, 3)
    pooling.centres.data = torch.tensor([[0.5, -0.25, 0.0], [-0.5, 0.75, 1.0]])
    pooling.scales.data = torch.tensor([1.0, 0.8])
    frames = torch.tensor([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [-0.7, 0.8, -0.9], [1.0, -1.0, 0.5]]])
    # The figures have six decimals; float32 adds its own rounding.
    torch.testing.assert_close(pooling(frames, torch.tensor([4]))[0], torch.tensor(GOLDEN[variant]), atol=2e-6, rtol=0)


def test_two_frames_and_one_centre_by_hand() -> None:
    # One centre at 1 takes both frames, 2 and 5, with weight 1/2: mean residual 2.5, second moment (1 + 16) / 2, and
    # about the mean ((1 - 2.5)² + (4 - 2.5)²) / 2 = 2.25.
    for centred, spread in ((False, 8.5), (True, 2.25)):
        pooling = make(LdeOptions(components=1, output="mean+std", centred=centred), 1)
        pooling.centres.data.fill_(1.0)
        encoded = pooling(torch.tensor([[[2.0], [5.0]]], dtype=torch.float64), torch.tensor([2]))
        # 1e-7: the floors under the weights (1e-9) and under the root (1e-8).
        torch.testing.assert_close(encoded, torch.tensor([[2.5, spread**0.5]], dtype=torch.float64), atol=1e-7, rtol=0)


@every_variant
def test_value_and_gradients_agree_with_the_formulas_frame_by_frame(options: LdeOptions) -> None:
    pooling = make(options, 4)
    frames = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    inputs = (frames, pooling.centres, pooling.scales)
    fast = pooling(frames, torch.tensor([6, 4]))
    slow = torch.stack([encode_frame_by_frame(pooling, frames[0]), encode_frame_by_frame(pooling, frames[1, :4])])
    assert fast.shape == (2, pooling.out_dim)
    torch.testing.assert_close(fast, slow, atol=1e-10, rtol=1e-10)
    direction = torch.randn_like(fast)
    fast_gradients = torch.autograd.grad((fast * direction).sum(), inputs)
    slow_gradients = torch.autograd.grad((slow * direction).sum(), inputs)
    for fast_gradient, slow_gradient in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast_gradient, slow_gradient, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("options", [o for o in VARIANTS if o.assignment == "lde" and o.distance != "mean"], ids=str)
def test_a_centre_whose_weights_underflow_agrees_too(options: LdeOptions) -> None:
    # Its weights' sum is of the size of the floor under it, so that they do not sum to 1 after division.
    pooling = make(options, 4)
    distance = 4.75 if options.distance == "sqr" else 22.5
    pooling.centres.data[0] = pooling.centres.data[1] + distance / 2  # in each of four channels, so twice that in all
    pooling.scales.data.fill_(1.0)
    frames = pooling.centres.detach()[1] + 0.1 * torch.randn(1, 6, 4, dtype=torch.float64)
    weights, _ = pooling._assign(frames, pooling.centres[None], None)
    assert 0.01 < float(weights[..., 0].sum()) < 0.99
    found = pooling(frames, torch.tensor([6]))[0]
    # 1e-10: float64, sums in another order.
    torch.testing.assert_close(found, encode_frame_by_frame(pooling, frames[0]), atol=1e-10, rtol=1e-10)


@every_variant
@pytest.mark.parametrize("padding", [1e3, float("nan")])
def test_padding_changes_neither_value_nor_gradient(options: LdeOptions, padding: float) -> None:
    pooling = make(options, 4)
    own = torch.randn(1, 5, 4, dtype=torch.float64)
    padded = torch.cat([own, torch.full((1, 3, 4), padding, dtype=torch.float64)], dim=1).requires_grad_()
    own.requires_grad_()
    alone, batched = pooling(own, torch.tensor([5])), pooling(padded, torch.tensor([5]))
    torch.testing.assert_close(batched, alone)
    (alone_gradient,) = torch.autograd.grad(alone.square().sum(), own)
    (batched_gradient,) = torch.autograd.grad(batched.square().sum(), padded)
    torch.testing.assert_close(batched_gradient[:, :5], alone_gradient)
    assert not batched_gradient[:, 5:].any()


@every_variant
@pytest.mark.parametrize("case", ["one frame", "constant", "on a centre", "far from each centre"])
def test_value_and_gradients_are_finite_at_the_edges(options: LdeOptions, case: str) -> None:
    pooling = make(options, 4).float()
    centre = pooling.centres.detach()[1]
    frames = {
        "one frame": torch.randn(1, 1, 4),
        "constant": torch.full((1, 6, 4), 0.3),
        "on a centre": centre.expand(1, 6, 4).clone(),
        "far from each centre": torch.full((1, 6, 4), 1e4),
    }[case].requires_grad_()
    encoded = pooling(frames, torch.tensor([frames.shape[1]]))
    encoded.sum().backward()
    assert encoded.isfinite().all()
    for leaf in (frames, pooling.centres, pooling.scales):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


@every_variant
@pytest.mark.parametrize("offset", [10.0, 100.0, 1000.0])
def test_far_from_zero_nothing_cancels(options: LdeOptions, offset: float) -> None:
    # Frames and centres far from zero and near each other, utterances of unlike means, one padded.
    pooling = make(options, 16)
    means = offset + torch.tensor([0.5, -0.5])[:, None, None]
    frames = (means + torch.randn(2, 100, 16)).float()
    pooling.centres.data += offset
    pooling.float()
    lengths = torch.tensor([100, 61])
    found = pooling(frames, lengths).double()
    expected = pooling.double()(frames.double(), lengths)  # of the same rounded numbers
    # 2e-5: the numbers are near 1, float32 keeps 1e-7 of each, and 1e-7 of the weights' exponents, which reach 100.
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("offset", [10.0, 100.0, 1000.0])
def test_a_deviation_is_right_where_its_centre_is_far_away(offset: float) -> None:
    # One centre, near zero, takes each frame with the same weight: the deviation is that of the frames, near 1.
    pooling = make(LdeOptions(components=1, output="mean+std", centred=True), 16).float()
    frames = (offset + torch.randn(2, 100, 16)).requires_grad_()
    lengths = torch.tensor([100, 61])
    found = pooling(frames, lengths)[:, 16:]
    expected = torch.stack(
        [frames[0].double().std(dim=0, correction=0), frames[1, :61].double().std(dim=0, correction=0)]
    )
    # 1e-5: the sum of a hundred squares near 1 in float32.
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    direction = torch.randn(2, 16)
    (gradient,) = torch.autograd.grad((found * direction).sum(), frames)
    (slow,) = torch.autograd.grad((expected * direction).sum(), frames)
    torch.testing.assert_close(gradient, slow, atol=1e-5, rtol=0)


def test_no_tensor_of_every_residual_is_made() -> None:
    pooling = LdePooling(LdeOptions(components=16, output="mean+std"), 32)
    largest = 0

    def watch(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    frames = torch.randn(2, 50, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(watch, lambda tensor: tensor):
        pooling(frames, torch.tensor([50, 50])).sum().backward()
    assert 0 < largest <= 2 * 50 * 32  # the frames themselves; the residuals would be 2 * 50 * 16 * 32


def test_no_components_are_refused() -> None:
    with pytest.raises(OptionError, match="components is 0; expected >= 1"):
        LdeOptions(components=0)
