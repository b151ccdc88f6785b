"""ResNets over the time-frequency plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tests.nnet.helpers.slow_convolution as slow
from common.options import ConfigError, OptionError
from nnet.encoders import ResNet18Options, ResNet34Options, ResNet50Options, SeResNet34Options
from nnet.encoders.resnet import ResNet
from nnet.encoders.resnet_blocks import BasicBlock, BottleneckBlock

SMALL = ResNet34Options(width=2)


def make(options: ResNet34Options = SMALL, in_dim: int = 30) -> ResNet:
    """An encoder whose batch norms shift, so that padding would show: relu(BN(0)) is not 0."""
    torch.manual_seed(0)
    encoder = ResNet(options, in_dim)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.bias, 0.1, 1.0)
    return encoder.eval()


def test_it_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in ResNet(ResNet34Options(), 30).parameters()) == 1_333_680


@pytest.mark.parametrize(("num_frames", "out_frames"), [(1, 1), (8, 1), (9, 2), (300, 38), (800, 100)])
def test_time_is_an_eighth_rounded_up(num_frames: int, out_frames: int) -> None:
    with torch.no_grad():
        frames, lengths = make()(torch.randn(1, num_frames, 30), torch.tensor([num_frames]))
    assert frames.shape == (1, out_frames, 16)
    assert lengths.tolist() == [out_frames]


@pytest.mark.parametrize("in_dim", [1, 13, 24, 40, 80])
def test_any_number_of_features_works(in_dim: int) -> None:
    with torch.no_grad():
        frames, _ = make(in_dim=in_dim)(torch.randn(2, 20, in_dim), torch.tensor([20, 20]))
    assert frames.shape == (2, 3, 16)


@pytest.mark.parametrize("in_dim", [17, 24])
def test_three_columns_make_the_average_of_variant_jl_the_same(in_dim: int) -> None:
    feats, lengths = torch.randn(1, 20, in_dim), torch.tensor([20])
    with torch.no_grad():
        every, _ = make(in_dim=in_dim)(feats, lengths)
        three, _ = make(ResNet34Options(width=2, variant="jl"), in_dim)(feats, lengths)
    torch.testing.assert_close(every, three)


@pytest.mark.parametrize("in_dim", [16, 41, 80])
def test_the_average_of_variant_jl_refuses_features_that_it_cannot_take(in_dim: int) -> None:
    with pytest.raises(ConfigError, match=f"from 17 to 40; it is {in_dim}; set encoder.variant=own"):
        ResNet(ResNet34Options(variant="jl"), in_dim)


@pytest.mark.parametrize("in_dim", [8, 30, 80])
def test_the_mean_of_stacked_columns_is_what_is_given_otherwise(in_dim: int) -> None:
    feats, lengths = torch.randn(2, 20, in_dim), torch.tensor([20, 11])
    stacking = make(ResNet34Options(width=2, columns="stack"), in_dim)
    with torch.no_grad():
        mean, _ = make(in_dim=in_dim)(feats, lengths)
        stacked, out_lengths = stacking(feats, lengths)
    assert stacked.shape == (2, 3, stacking.out_dim)
    assert stacking.out_dim == 16 * -(-in_dim // 8)
    assert out_lengths.tolist() == [3, 2]
    torch.testing.assert_close(stacked.unflatten(2, (16, -1)).mean(dim=3), mean)


def test_columns_are_not_stacked_where_the_published_systems_average_them() -> None:
    with pytest.raises(OptionError, match='columns is "stack"; expected mean, as variant jl has it'):
        ResNet34Options(variant="jl", columns="stack")


@pytest.mark.parametrize("padding", [0.0, 1e3, float("nan")])
def test_a_batch_gives_what_each_utterance_gives_alone(padding: float) -> None:
    encoder = make().double()
    lengths = torch.tensor([75, 64, 33, 9, 1])
    feats = torch.randn(5, 75, 30, dtype=torch.float64)
    for index, length in enumerate(lengths.tolist()):
        feats[index, length:] = padding
    with torch.no_grad():
        frames, out_lengths = encoder(feats, lengths)
        for index, length in enumerate(lengths.tolist()):
            alone, (alone_length,) = encoder(feats[index : index + 1, :length], torch.tensor([length]))
            assert out_lengths[index] == alone_length
            # float64, so that what is compared is the mask and not the rounding.
            torch.testing.assert_close(frames[index, :alone_length], alone[0], atol=1e-10, rtol=1e-10)


def test_padding_would_show_without_the_masks() -> None:
    # The test above can fail: frames after an utterance change its last frames when they are counted as its own.
    encoder, feats = make(), torch.randn(1, 48, 30)
    with torch.no_grad():
        alone, _ = encoder(feats[:, :33], torch.tensor([33]))
        leaked, _ = encoder(feats, torch.tensor([48]))
    assert (alone[0, 4] - leaked[0, 4]).abs().max() > 1e-2


def norms(*channels: int) -> int:
    return 2 * sum(channels)


def test_18_layers_have_two_basic_blocks_a_stage() -> None:
    expected = 7 * 7 * 16 + norms(16)
    for inputs, outputs in ((16, 16), (16, 32), (32, 64), (64, 128)):
        expected += 9 * (inputs * outputs + 3 * outputs * outputs) + norms(*[outputs] * 4)
        expected += inputs * outputs + norms(outputs) if inputs != outputs else 0
    encoder = ResNet(ResNet18Options(), 30)
    assert sum(p.numel() for p in encoder.parameters()) == expected
    assert encoder.out_dim == 128


def test_50_layers_have_bottlenecks_four_times_as_wide_outside() -> None:
    expected, inputs = 7 * 7 * 16 + norms(16), 16
    for inner, num_blocks in ((16, 3), (32, 4), (64, 6), (128, 3)):
        outer = 4 * inner
        for _ in range(num_blocks):
            expected += inputs * inner + 9 * inner * inner + inner * outer + norms(inner, inner, outer)
            expected += inputs * outer + norms(outer) if inputs != outer else 0
            inputs = outer
    encoder = ResNet(ResNet50Options(), 30)
    assert sum(p.numel() for p in encoder.parameters()) == expected
    assert encoder.out_dim == 512


def test_sixteen_channels_are_squeezed_into_one_hidden_unit() -> None:
    encoder = ResNet(SeResNet34Options(), 30)
    shapes = [tuple(stage[0].squeeze.squeeze.weight.shape) for stage in encoder.stages]
    assert shapes == [(1, 16), (2, 32), (4, 64), (8, 128)]
    assert not any("squeeze" in name and "bias" in name for name in encoder.state_dict())


def prepare(block: torch.nn.Module) -> Any:
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.bias, -1.0, 1.0)
            torch.nn.init.uniform_(module.running_mean, -1.0, 1.0)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return block.double().eval()


def slow_shortcut(planes: np.ndarray, block: Any) -> np.ndarray:
    return (
        slow.normalise(slow.convolve(planes, block.downsample[0]), block.downsample[1]) if block.downsample else planes
    )


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize(("inputs", "stride"), [(4, 1), (3, 1), (3, 2)])
def test_a_basic_block_agrees_with_a_slow_one(inputs: int, stride: int, squeeze: bool) -> None:
    torch.manual_seed(0)
    block = prepare(BasicBlock(inputs, 4, stride, squeeze))
    planes = torch.randn(1, inputs, 7, 5, dtype=torch.float64)
    inner = slow.relu(slow.normalise(slow.convolve(planes[0].numpy(), block.conv1), block.bn1))
    outer = slow.normalise(slow.convolve(inner, block.conv2), block.bn2)
    outer = slow.excite(outer, block.squeeze) if squeeze else outer
    expected = slow.relu(outer + slow_shortcut(planes[0].numpy(), block))
    # 1e-12: float64 sums in another order.
    np.testing.assert_allclose(block(planes, None, None)[0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (3, 1), (3, 2)])
def test_a_bottleneck_block_agrees_with_a_slow_one(inputs: int, stride: int, squeeze: bool) -> None:
    torch.manual_seed(0)
    block = prepare(BottleneckBlock(inputs, 2, stride, squeeze))
    planes = torch.randn(1, inputs, 7, 5, dtype=torch.float64)
    inner = slow.relu(slow.normalise(slow.convolve(planes[0].numpy(), block.conv1), block.bn1))
    inner = slow.relu(slow.normalise(slow.convolve(inner, block.conv2), block.bn2))
    outer = slow.normalise(slow.convolve(inner, block.conv3), block.bn3)
    outer = slow.excite(outer, block.squeeze) if squeeze else outer
    expected = slow.relu(outer + slow_shortcut(planes[0].numpy(), block))
    np.testing.assert_allclose(block(planes, None, None)[0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("options", "entries"), [(ResNet34Options(), 216), (SeResNet34Options(), 216 + 2 * 16)])
def test_each_entry_of_a_published_checkpoint_has_a_place(options: ResNet34Options, entries: int) -> None:
    # Of its 227 entries, 11 are the pooling's, the embedding's, the head's and the loss's.
    parts = ("conv1", "bn1", "conv2", "bn2", "downsample.0", "downsample.1", "squeeze.squeeze", "squeeze.excite")
    keys = ResNet(options, 30).state_dict()
    assert len(keys) == entries
    for key in keys:
        where = key.split(".", 3)[3] if key.startswith("stages.") else key
        assert where.rpartition(".")[0] in parts, key
