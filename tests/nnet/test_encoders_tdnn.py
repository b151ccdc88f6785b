"""The x-vectors' frame-level layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tests.nnet.helpers.slow_convolution as slow
from nnet.encoders import EtdnnOptions, TdnnOptions
from nnet.encoders.tdnn import ExtendedTdnn, Tdnn

SMALL = TdnnOptions(width=8, last_width=12)


def make(options: TdnnOptions = SMALL, in_dim: int = 5) -> Tdnn:
    torch.manual_seed(0)
    return Tdnn(options, in_dim).eval()


def test_a_frame_sees_seven_frames_on_either_side_and_no_more() -> None:
    encoder = make()
    feats = torch.randn(1, 41, 5, requires_grad=True)
    frames, _ = encoder(feats, torch.tensor([41]))
    frames[0, 13].sum().backward()  # output 13 is centred on input 20
    assert feats.grad is not None
    seen = feats.grad[0].abs().sum(dim=1).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (13, 27)


def test_shapes_and_lengths_lose_the_context_of_14_frames() -> None:
    frames, lengths = make()(torch.randn(2, 50, 5), torch.tensor([50, 33]))
    assert frames.shape == (2, 36, 12)
    assert lengths.tolist() == [36, 19]


def test_kaldis_widths_have_the_published_number_of_parameters() -> None:
    # conv 5, 3, 3, affine, affine with biases, and a scale and a shift per channel for each batch norm.
    affine = (30 * 5 + 1) * 512 + 2 * (512 * 3 + 1) * 512 + (512 + 1) * 512 + (512 + 1) * 1500
    norms = 2 * (4 * 512 + 1500)
    encoder = Tdnn(TdnnOptions(), 30)
    assert sum(p.numel() for p in encoder.parameters()) == affine + norms


@pytest.mark.parametrize("num_frames", [1, 2, 9, 14])
def test_a_short_utterance_is_lengthened_by_its_own_edges(num_frames: int) -> None:
    encoder = make()
    feats = torch.randn(1, num_frames, 5)
    before = (15 - num_frames) // 2
    after = 15 - num_frames - before
    by_hand = torch.cat([feats[:, :1].expand(1, before, 5), feats, feats[:, -1:].expand(1, after, 5)], dim=1)
    expected, _ = encoder(by_hand, torch.tensor([15]))
    frames, lengths = encoder(feats, torch.tensor([num_frames]))
    assert lengths.tolist() == [1]
    torch.testing.assert_close(frames, expected)


def test_a_short_utterance_is_refused_where_asked() -> None:
    encoder = make(TdnnOptions(width=8, last_width=12, pad_short=False))
    with pytest.raises(ValueError, match="utterance 1 of the batch has 14 frames, the encoder needs 15"):
        encoder(torch.randn(2, 30, 5), torch.tensor([30, 14]))


@pytest.mark.parametrize("padding", [0.0, 1e3, float("nan")])
def test_a_batch_gives_what_each_utterance_gives_alone(padding: float) -> None:
    encoder = make()
    lengths = torch.tensor([60, 31, 15, 7, 1])
    feats = torch.randn(5, 60, 5)
    for index, length in enumerate(lengths.tolist()):
        feats[index, length:] = padding
    with torch.no_grad():
        frames, out_lengths = encoder(feats, lengths)
        for index, length in enumerate(lengths.tolist()):
            alone, (alone_length,) = encoder(feats[index : index + 1, :length], torch.tensor([length]))
            assert out_lengths[index] == alone_length
            # 1e-5: float32 sums in another order.
            torch.testing.assert_close(frames[index, :alone_length], alone[0], atol=1e-5, rtol=1e-5)


def sc_checkpoint(in_dim: int, width: int, last_width: int) -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes of kaldi_voxceleb_pytorch's `raw_modelNN.pt`."""
    shapes = {
        "tdnn.layer.1.layer.0": (width, in_dim, 5),
        "tdnn.layer.2.layer.0": (width, width, 3),
        "tdnn.layer.3.layer.0": (width, width, 3),
        "tdnn.layer.5": (width, width),
        "tdnn.layer.8": (last_width, width),
    }
    norms = {f"tdnn.layer.{n}.layer.1": width for n in (1, 2, 3, 6)} | {"tdnn.layer.9.layer.1": last_width}
    weights = {}
    for name, shape in shapes.items():
        weights |= {f"{name}.weight": torch.randn(shape) * 0.3, f"{name}.bias": torch.randn(shape[0])}
    for name, channels in norms.items():
        weights |= {f"{name}.{part}": torch.randn(channels) for part in ("weight", "bias", "running_mean")}
        weights |= {f"{name}.running_var": torch.rand(channels) + 0.5, f"{name}.num_batches_tracked": torch.tensor(7)}
    return weights


SC_NAMES = {  # theirs -> ours, as in the docstring of nnet.encoders.tdnn
    "tdnn.layer.1.layer.0": "layers.0.0",
    "tdnn.layer.1.layer.1": "layers.0.1",
    "tdnn.layer.2.layer.0": "layers.1.0",
    "tdnn.layer.2.layer.1": "layers.1.1",
    "tdnn.layer.3.layer.0": "layers.2.0",
    "tdnn.layer.3.layer.1": "layers.2.1",
    "tdnn.layer.5": "layers.3.0",
    "tdnn.layer.6.layer.1": "layers.3.1",
    "tdnn.layer.8": "layers.4.0",
    "tdnn.layer.9.layer.1": "layers.4.1",
}


def sc_network(weights: dict[str, torch.Tensor], feats: torch.Tensor) -> torch.Tensor:
    """(T, F) → (T − 8, C) by that system's own order: convolution, batch norm, ReLU; then linear layers on frames."""

    def norm(frames: torch.Tensor, name: str) -> torch.Tensor:  # (T, C)
        deviation = (weights[f"{name}.running_var"] + 1e-5).sqrt()
        scaled = (frames - weights[f"{name}.running_mean"]) / deviation
        return (scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]).clamp(min=0)

    frames = feats
    for name, dilation, padding in (("tdnn.layer.1", 1, 0), ("tdnn.layer.2", 2, 1), ("tdnn.layer.3", 3, 2)):
        weight, bias = weights[f"{name}.layer.0.weight"], weights[f"{name}.layer.0.bias"]
        zeros = frames.new_zeros(padding, frames.shape[1])
        padded = torch.cat([zeros, frames, zeros])
        count = len(padded) - dilation * (weight.shape[2] - 1)
        taps = [padded[k * dilation : k * dilation + count] @ weight[:, :, k].T for k in range(weight.shape[2])]
        frames = norm(torch.stack(taps).sum(dim=0) + bias, f"{name}.layer.1")
    for name, norm_name in (("tdnn.layer.5", "tdnn.layer.6.layer.1"), ("tdnn.layer.8", "tdnn.layer.9.layer.1")):
        frames = norm(frames @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], norm_name)
    return frames


@pytest.mark.parametrize("num_frames", [9, 10, 40])
def test_variant_sc_does_what_that_system_does_with_its_checkpoints(num_frames: int) -> None:
    torch.manual_seed(0)
    weights = sc_checkpoint(5, 8, 12)
    encoder = make(TdnnOptions(width=8, last_width=12, variant="sc"))
    shapes = {key: value.shape for key, value in encoder.state_dict().items()}
    renamed = {}
    for name, value in weights.items():
        layer, _, part = name.rpartition(".")
        ours = f"{SC_NAMES[layer]}.{part}"
        renamed[ours] = value.reshape(shapes[ours])
    encoder.load_state_dict(renamed, strict=True)
    feats = torch.randn(2, num_frames, 5)
    with torch.no_grad():
        frames, lengths = encoder(feats, torch.tensor([num_frames, num_frames]))
    assert lengths.tolist() == [num_frames - 8] * 2
    for index in range(2):
        # 1e-4: float32 sums in another order, of numbers up to a hundred.
        torch.testing.assert_close(frames[index], sc_network(weights, feats[index]), atol=1e-4, rtol=1e-5)


def test_variant_sc_has_the_parameters_of_that_systems_x_vector() -> None:
    # Its 4 496 818 for 10 speakers, less the embedding, the head of one hidden layer and the loss layer.
    embedding = 3000 * 512 + 512
    head = 2 * 512 + (512 + 1) * 512 + 2 * 512
    loss = (512 + 1) * 10 + 2 * 10
    encoder = Tdnn(TdnnOptions(variant="sc"), 30)
    assert sum(p.numel() for p in encoder.parameters()) == 4_496_818 - embedding - head - loss


def test_the_extended_network_sees_eleven_frames_on_either_side_through_ten_layers() -> None:
    torch.manual_seed(0)
    encoder = ExtendedTdnn(EtdnnOptions(width=8, last_width=12), 5).eval()
    assert len(encoder.layers) == 10
    assert encoder.min_frames == 23
    feats = torch.randn(1, 61, 5, requires_grad=True)
    frames, _ = encoder(feats, torch.tensor([61]))
    frames[0, 19].sum().backward()  # output 19 is centred on input 30
    assert feats.grad is not None
    seen = feats.grad[0].abs().sum(dim=1).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (19, 41)


def test_the_extended_networks_parameters_are_those_of_its_table() -> None:
    affine = (30 * 5 + 1) * 512 + 3 * (512 * 3 + 1) * 512 + 5 * (512 + 1) * 512 + (512 + 1) * 1500
    norms = 2 * (9 * 512 + 1500)
    assert sum(p.numel() for p in ExtendedTdnn(EtdnnOptions(), 30).parameters()) == affine + norms


@pytest.mark.parametrize(
    ("options", "encoder_class"),
    [
        (SMALL, Tdnn),
        (TdnnOptions(width=8, last_width=12, variant="sc"), Tdnn),
        (EtdnnOptions(width=8, last_width=12), ExtendedTdnn),
    ],
)
def test_layers_agree_with_slow_ones(options: Any, encoder_class: Any) -> None:
    torch.manual_seed(0)
    encoder = encoder_class(options, 5).eval()
    feats = torch.randn(1, 30, 5)
    expected = feats[0].double().numpy().T
    for layer in encoder.layers:
        for part in layer:
            step = {torch.nn.Conv1d: slow.convolve, torch.nn.BatchNorm1d: slow.normalise}.get(type(part))
            expected = slow.relu(expected) if step is None else step(expected, part)
    with torch.no_grad():
        frames, _ = encoder(feats, torch.tensor([30]))
    # 1e-5: float32 against float64, of numbers about 1.
    np.testing.assert_allclose(frames[0].numpy(), expected.T, atol=1e-5)
