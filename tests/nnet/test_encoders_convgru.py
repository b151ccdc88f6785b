"""Convolutions on the waveform, then a bidirectional GRU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnet.encoders import ConvGruOptions
from nnet.encoders.convgru import FIELD, KERNEL_STRIDE, STRIDE, ChannelNorm, ConvGru
from tests.nnet.helpers.slow_networks import convolve, gelu, gru, weights_of

SMALL = ConvGruOptions(channels=3, width=2, layers=2)


def make(options: ConvGruOptions = SMALL, in_dim: int = 160) -> ConvGru:
    torch.manual_seed(0)
    encoder = ConvGru(options, in_dim)
    torch.nn.init.uniform_(encoder.norm.bias, 0.1, 1.0)
    return encoder.double().eval()


def noise(*shape: int) -> torch.Tensor:
    return 0.4 * torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_an_output_frame_sees_400_samples_and_the_next_begins_320_later(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (FIELD, STRIDE) == (400, 320)
    # The norm sees the whole utterance; without it the convolutions' own reach is left.
    monkeypatch.setattr(ChannelNorm, "forward", lambda norm, frames, mask: frames)
    encoder, inputs = make(in_dim=80), []
    encoder.rnn.register_forward_pre_hook(lambda rnn, arguments: inputs.append(arguments[0]))
    feats = noise(1, 20, 80).requires_grad_()
    encoder(feats, torch.tensor([20]))
    (gradient,) = torch.autograd.grad(inputs[0][0, 2].sum(), feats)
    reached = gradient.flatten().nonzero().flatten()
    assert (int(reached.min()), int(reached.max())) == (2 * 320, 2 * 320 + 399)


@pytest.mark.parametrize(
    ("num_samples", "num_frames"), [(400, 1), (719, 1), (720, 2), (16000, 49), (16079, 49), (16080, 50)]
)
def test_frames_out_are_those_of_the_published_network(num_samples: int, num_frames: int) -> None:
    with torch.no_grad():
        frames, lengths = make(in_dim=1)(noise(1, num_samples, 1), torch.tensor([num_samples]))
    assert frames.shape == (1, num_frames, 4)
    assert lengths.tolist() == [num_frames] == [1 + (num_samples - 400) // 320]


def test_frames_equal_those_of_a_step_by_step_computation() -> None:
    encoder = make()
    feats, lengths = noise(2, 9, 160), torch.tensor([9, 5])
    feats[0, 3, 5] = 7.0  # is clamped
    with torch.no_grad():
        frames, _ = encoder(feats, lengths)
    weights = weights_of(encoder)
    for index, length in enumerate(lengths.tolist()):
        signal = np.clip(feats[index, :length].numpy().reshape(1, -1), -1, 1)
        for layer, (_, stride) in enumerate(KERNEL_STRIDE):
            signal = convolve(signal, weights[f"convs.{layer}.weight"], stride)
            if layer == 0:
                centred = signal - signal.mean(axis=1, keepdims=True)
                signal = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
                signal = signal * weights["norm.weight"][:, None] + weights["norm.bias"][:, None]
            signal = gelu(signal)
        expected = gru(signal.T, weights_of(encoder.rnn), 2, 2)
        # 1e-9: float64 sums in another order, through nine layers.
        np.testing.assert_allclose(frames[index, : len(expected)].numpy(), expected, rtol=0, atol=1e-9)


def test_without_padding_the_norm_is_pytorchs_group_norm_and_with_it_that_of_the_real_frames() -> None:
    norm = ChannelNorm(3).double()
    torch.nn.init.uniform_(norm.weight)
    torch.nn.init.uniform_(norm.bias)
    frames = noise(2, 3, 8)
    mask = torch.arange(8)[None, :] < torch.tensor([8, 5])[:, None]
    with torch.no_grad():
        masked = norm(frames, mask)
        torch.testing.assert_close(masked[0], norm(frames[:1], None)[0])
        expected = torch.nn.functional.group_norm(frames[1:, :, :5], 3, norm.weight, norm.bias)
        torch.testing.assert_close(masked[1, :, :5], expected[0])


def test_padding_would_show_in_a_norm_that_counts_it() -> None:
    # The test of padding can fail: the first frame changes when zeros after an utterance are counted as its own.
    encoder, feats = make(), noise(1, 40, 160)
    feats[:, 20:] = 0
    with torch.no_grad():
        alone, _ = encoder(feats[:, :20], torch.tensor([20]))
        leaked, _ = encoder(feats, torch.tensor([40]))
    assert (alone[0, 0, :2] - leaked[0, 0, :2]).abs().max() > 1e-2  # the forward half: the backward sees more anyway


def test_samples_out_of_range_count_as_full_scale() -> None:
    encoder = make()
    loud = 3 * noise(1, 8, 160)
    with torch.no_grad():
        expected, _ = encoder(loud.clamp(-1, 1), torch.tensor([8]))
        assert torch.equal(encoder(loud, torch.tensor([8]))[0], expected)


def test_an_utterance_shorter_than_the_convolutions_is_refused_by_number_and_samples() -> None:
    encoder = make()
    assert encoder.min_frames == 3
    message = r"utterance 1 of the batch has 2 frames \(320 samples\), the convolutions see 400 samples at once: 3 f"
    with pytest.raises(ValueError, match=message):
        encoder(noise(2, 9, 160), torch.tensor([9, 2]))


def test_training_begins_from_the_published_weights() -> None:
    torch.manual_seed(0)
    encoder = ConvGru(ConvGruOptions(channels=64, width=96, layers=2), 160)
    # 5 %: the standard error of a standard deviation over 12 288 weights is 0.6 %.
    assert float(encoder.convs[1].weight.detach().std()) == pytest.approx((2 / (64 * 3)) ** 0.5, rel=0.05)
    assert float(encoder.rnn.weight_ih_l1.detach().std()) == pytest.approx((2 / (288 + 192)) ** 0.5, rel=0.05)
    biases = [p for name, p in encoder.rnn.named_parameters() if name.startswith("bias")]
    assert len(biases) == 8
    assert all(bool((bias == 0).all()) for bias in biases)
