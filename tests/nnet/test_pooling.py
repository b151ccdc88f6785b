"""What holds for every pooling of the table: sizes, padding, gradients, edges, precision, tracing.

The cases are the table's own poolings with their default options, and further options of those that have some.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from common.options import part_of
from nnet.model import SpeakerNet
from nnet.parts import Encoder, Loss, Pooling
from nnet.pooling import (
    POOLINGS,
    AttentiveOptions,
    ChannelAttentiveOptions,
    LastOptions,
    LdeOptions,
    MultiHeadOptions,
    PoolingOptions,
)
from tests.nnet.helpers.embedder import Embedder

CHANNELS = 4
FURTHER: dict[str, PoolingOptions] = {
    "last-bidirectional": LastOptions(bidirectional=True),
    "attentive-relu": AttentiveOptions(hidden=5),
    "attentive-tanh": AttentiveOptions(hidden=5, activation="tanh"),
    "multi_head-three": MultiHeadOptions(heads=3, hidden=6),
    "multi_head-one": MultiHeadOptions(heads=1, hidden=6),
    "channel_attentive-narrow": ChannelAttentiveOptions(hidden=5),
    "channel_attentive-plain": ChannelAttentiveOptions(hidden=5, context=False, batch_norm=False),
    "lde-spread": LdeOptions(components=3, output="mean+std", centred=True),
    "lde-normalised": LdeOptions(components=3, occupancy="linear", norm_frames=True),
    "lde-att": LdeOptions(components=3, assignment="att", distance="norm"),
}
EVERY_POOLING = {name: options() for name, options in POOLINGS.items()} | FURTHER
ONE_FRAME = ("first", "last", "last-bidirectional")  # the result depends on where a frame stands
ATTENTIONS = [name for name, options in EVERY_POOLING.items() if hasattr(part_of(options), "attend")]
every_pooling = pytest.mark.parametrize("name", EVERY_POOLING)
every_attention = pytest.mark.parametrize("name", ATTENTIONS)


def make(name: str, channels: int = CHANNELS) -> Pooling:
    """A pooling with random weights, and batch norms that neither start at the identity nor hide their input."""
    torch.manual_seed(0)
    options = EVERY_POOLING[name]
    pooling: Pooling = part_of(options)(options, channels)
    for module in pooling.modules():
        if isinstance(module, nn.BatchNorm1d):
            own = [(module.weight, module.bias)] if module.affine else []
            for scale, shift in [*own, (module.running_var, module.running_mean)]:
                nn.init.uniform_(scale, 0.5, 1.5)  # type: ignore[arg-type]
                nn.init.uniform_(shift, -0.5, 0.5)  # type: ignore[arg-type]
    return pooling


@every_pooling
def test_it_keeps_the_contract(name: str) -> None:
    pooling = make(name)
    assert isinstance(pooling, Pooling)
    assert pooling.out_dim > 0


@every_pooling
def test_the_output_has_the_declared_size(name: str) -> None:
    pooling = make(name)
    for training in (True, False):
        pooled = pooling.train(training)(torch.randn(2, 7, CHANNELS), torch.tensor([7, 5]))
        assert pooled.shape == (2, pooling.out_dim)


@every_pooling
@pytest.mark.parametrize("padding", [1e6, float("nan"), float("inf")])
def test_padding_changes_neither_value_nor_gradient(name: str, padding: float) -> None:
    pooling = make(name).double().eval()
    own = torch.randn(1, 7, CHANNELS, dtype=torch.float64)
    padded = torch.cat([own, torch.full((1, 4, CHANNELS), padding, dtype=torch.float64)], dim=1)
    leaves: list[list[torch.Tensor]] = []
    for frames in (own, padded):
        frames.requires_grad_()
        pooled = pooling(frames, torch.tensor([7]))
        leaves.append([pooled, *torch.autograd.grad(pooled.square().sum(), [frames, *pooling.parameters()])])
    (alone, alone_gradient, *alone_weights), (batched, batched_gradient, *batched_weights) = leaves
    # 1e-10: float64 sums of other lengths may be grouped otherwise.
    torch.testing.assert_close(batched, alone, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(batched_gradient[:, :7], alone_gradient, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(batched_weights, alone_weights, atol=1e-10, rtol=1e-10)
    assert not batched_gradient[:, 7:].any()


@every_pooling
def test_padding_enters_no_batch_norm_while_training(name: str) -> None:
    own = torch.randn(3, 7, CHANNELS, dtype=torch.float64)
    results = []
    for padding in (0.0, float("nan")):
        pooling = make(name).double().train()
        frames = own.clone()
        frames[1, 4:], frames[2, 2:] = padding, padding
        pooled = pooling(frames, torch.tensor([7, 4, 2]))
        results.append([pooled, *pooling.state_dict().values()])
    torch.testing.assert_close(results[0], results[1], atol=0, rtol=0)
    assert all(values.isfinite().all() for values in results[1])


@pytest.mark.parametrize("name", [*FURTHER, "first", "last", "mean", "statistics"])
def test_the_order_of_frames_matters_only_if_one_is_taken(name: str) -> None:
    pooling = make(name).double().eval()
    frames = torch.randn(2, 8, CHANNELS, dtype=torch.float64)
    lengths = torch.tensor([8, 8])
    reversed_frames = pooling(frames.flip(1), lengths)
    same = torch.allclose(pooling(frames, lengths), reversed_frames, atol=1e-12, rtol=0)
    assert same == (name not in ONE_FRAME)


@every_pooling
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("lengths", [[5, 5, 5], [5, 3, 2]])
def test_gradients_agree_with_finite_differences(name: str, lengths: list[int], training: bool) -> None:
    pooling = make(name).double().train(training)
    frames = torch.randn(3, 5, CHANNELS, dtype=torch.float64, requires_grad=True)
    counts = torch.tensor(lengths)
    names, weights = zip(*pooling.named_parameters(), strict=True) if list(pooling.parameters()) else ((), ())

    def pooled(frames: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(pooling, dict(zip(names, weights, strict=True)), (frames, counts))

    leaves = [weight.detach().clone().requires_grad_() for weight in weights]
    # Element by element for narrow poolings; in random directions for the widths of the default options.
    many = sum(leaf.numel() for leaf in leaves) > 100
    assert torch.autograd.gradcheck(pooled, (frames, *leaves), fast_mode=many)


EDGES = {
    "one frame": torch.linspace(-1, 1, 2 * CHANNELS).reshape(2, 1, CHANNELS),
    "constant": torch.full((2, 9, CHANNELS), 0.3),
    "zero": torch.zeros(2, 9, CHANNELS),
    "large": 1e4 * torch.linspace(-1, 1, 2 * 9 * CHANNELS).sin().reshape(2, 9, CHANNELS),
    "large and constant": torch.full((2, 9, CHANNELS), 1e4),
}


@every_pooling
@pytest.mark.parametrize("case", EDGES)
@pytest.mark.parametrize("training", [True, False])
def test_value_and_gradients_are_finite_at_the_edges(name: str, case: str, training: bool) -> None:
    pooling = make(name).train(training)
    frames = EDGES[case].clone().requires_grad_()
    lengths = torch.full((2,), frames.shape[1])
    pooled, penalty = pooling.with_penalty(frames, lengths)
    (pooled.sum() + penalty).backward()
    assert pooled.isfinite().all()
    assert frames.grad is not None and frames.grad.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in pooling.parameters())


@every_attention
def test_attention_weights_of_padding_are_zero_and_the_others_sum_to_one(name: str) -> None:
    pooling = make(name).eval()
    frames = torch.randn(3, 6, CHANNELS)
    frames[1, 4:], frames[2, 1:] = float("nan"), 1e6
    weights = pooling.attend(frames, torch.tensor([6, 4, 1]))
    assert not weights[1, 4:].any()
    assert not weights[2, 1:].any()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3, weights.shape[2]))
    assert (weights >= 0).all()


@every_attention
def test_attention_is_not_uniform(name: str) -> None:
    weights = make(name).eval().attend(torch.randn(1, 6, CHANNELS), torch.tensor([6]))
    assert (weights - 1 / 6).abs().max() > 1e-3


class Pointwise(Encoder):
    """An encoder without context."""

    def __init__(self) -> None:
        super().__init__(out_dim=CHANNELS)
        self.layer = nn.Linear(3, CHANNELS)

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layer(feats), lengths


class Nothing(Loss):
    """No loss: these networks only embed."""

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("these networks only embed")


def small_net(name: str) -> SpeakerNet:
    pooling = make(name)
    return SpeakerNet(3, Pointwise(), pooling, nn.Linear(pooling.out_dim, 5), nn.Identity(), Nothing()).eval()


@every_pooling
def test_under_bf16_autocast_the_pooling_runs_in_float32(name: str) -> None:
    net = small_net(name)
    seen: list[torch.dtype] = []
    net.pooling.register_forward_hook(lambda module, args, output: seen.extend([args[0].dtype, output.dtype]))
    feats, lengths = torch.randn(2, 8, 3), torch.tensor([8, 5])
    plain = net.embed(feats, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.encoder(feats, lengths)[0].dtype == torch.bfloat16
        mixed = net.embed(feats, lengths)
    assert seen == [torch.float32] * 4
    # 5e-2 of the size: bf16 has 8 bits, 4e-3, in the encoder; attention and deviations enlarge that.
    assert (mixed - plain).abs().max() <= 5e-2 * plain.abs().max()


@every_pooling
def test_an_exported_net_gives_the_same_for_other_batches_and_lengths(name: str) -> None:
    net = small_net(name)
    batch, time = torch.export.Dim("batch", min=2, max=64), torch.export.Dim("time", min=2, max=4096)
    program = torch.export.export(
        Embedder(net),
        (torch.randn(3, 9, 3), torch.tensor([9, 5, 1])),
        dynamic_shapes={"feats": {0: batch, 1: time}, "lengths": {0: batch}},
    )
    exported = program.module()
    with torch.no_grad():
        for lengths in ([9, 5, 1], [12, 12], [4, 20, 17, 2]):
            feats = torch.randn(len(lengths), max(lengths), 3)
            feats[0, lengths[0] :] = 1e3
            # float32; the graph always masks, the eager way skips that where nothing is padding.
            torch.testing.assert_close(
                exported(feats, torch.tensor(lengths)), net.embed(feats, torch.tensor(lengths)), atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("name", [name for name in FURTHER if name.startswith(("multi_head", "channel_attentive"))])
def test_a_batch_norm_over_frames_is_compiled_without_a_shape_that_depends_on_the_lengths(name: str) -> None:
    eager, compiled = make(name).train(), make(name).train()
    traced = torch.compile(compiled, backend="eager", fullgraph=True, dynamic=True)
    for lengths in ([9, 5, 2], [7, 7, 7], [3, 8, 8]):
        frames, counts = torch.randn(3, max(lengths), CHANNELS), torch.tensor(lengths)
        results = []
        for pooling in (eager, traced):
            own = frames.clone().requires_grad_()
            pooled = pooling(own, counts)
            results.append([pooled, *torch.autograd.grad(pooled.square().sum(), own)])
        # float32; the graph always masks, which changes the order of sums, and small deviations enlarge that.
        torch.testing.assert_close(results[0], results[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(eager.state_dict(), compiled.state_dict(), atol=1e-5, rtol=1e-5)
