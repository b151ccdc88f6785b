"""LSTMs around which sums run; what holds for every sequence encoder is in test_encoders_sequence.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnet.encoders import LstmOptions, ResidualLstmOptions
from nnet.encoders.recurrent import Lstm
from nnet.encoders.residual_lstm import ResidualLstm
from tests.nnet.helpers.slow_networks import lstm, weights_of

LENGTHS = (9, 4, 1)


def made(width: int = 3, layers: int = 3, in_dim: int = 4, **more: float) -> ResidualLstm:
    torch.manual_seed(0)
    encoder = ResidualLstm(ResidualLstmOptions(width=width, layers=layers, **more), in_dim)  # type: ignore[arg-type]
    return encoder.double().eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    feats = torch.randn(len(LENGTHS), max(LENGTHS), 4, generator=torch.Generator().manual_seed(1)).double()
    return feats, torch.tensor(LENGTHS)


def test_two_layers_of_one_unit_worked_by_hand() -> None:
    encoder = made(width=1, layers=2, in_dim=1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
        encoder.prenet.weight.fill_(2.0)
        encoder.prenet.bias.fill_(-0.5)
        for layer in encoder.layers:
            layer.weight_ih_l0[2] = 1.0  # of the candidate; the gates are 1/2 whatever comes
        frames, _ = encoder(torch.tensor([[[0.5], [0.25]]]).double(), torch.tensor([2]))

    def layer(first: float, second: float) -> tuple[float, float]:
        """States of one LSTM: half of tanh(cell), which takes half of tanh(x) and keeps half of itself."""
        cell = 0.5 * math.tanh(first)
        return 0.5 * math.tanh(cell), 0.5 * math.tanh(0.5 * cell + 0.5 * math.tanh(second))

    inner = layer(0.5, 0.0)  # 2 x − 0.5
    by_hand = layer(0.5 + inner[0], 0.0 + inner[1])
    assert frames.flatten().tolist() == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_states_equal_those_of_a_step_by_step_computation(layers: int) -> None:
    encoder, (feats, lengths) = made(layers=layers, input_shift=0.5, input_scale=2.0), batch()
    prenet = weights_of(encoder.prenet)
    with torch.no_grad():
        frames, _ = encoder(feats, lengths)
    for index, length in enumerate(LENGTHS):
        rows = (feats[index, :length].numpy() + 0.5) / 2.0 @ prenet["weight"].T + prenet["bias"]
        for number, layer in enumerate(encoder.layers, start=1):
            states = lstm(rows, weights_of(layer), 1, 1)
            rows = states if number == layers else rows + states
        # 1e-12: the same float64 sums in another order.
        np.testing.assert_allclose(frames[index, :length].numpy(), rows, rtol=0, atol=1e-12)
        assert bool((frames[index, length:] == 0).all())


def test_one_layer_is_an_lstm_on_the_affine_map() -> None:
    encoder, (feats, lengths) = made(layers=1), batch()
    plain = Lstm(LstmOptions(width=3, layers=1, bidirectional=False), 3).double().eval()
    plain.rnn.load_state_dict(encoder.layers[0].state_dict())
    with torch.no_grad():
        assert torch.equal(encoder(feats, lengths)[0], plain(encoder.prenet(feats), lengths)[0])


def test_a_frame_has_seen_what_came_before_and_no_other_utterance() -> None:
    encoder, feats = made(), batch()[0].requires_grad_()
    frames, lengths = encoder(feats, torch.tensor([9, 5, 1]))
    assert lengths.tolist() == [9, 5, 1]
    frames[1, 2].sum().backward()
    assert feats.grad is not None
    assert feats.grad.abs().sum(dim=2).nonzero().tolist() == [[1, 0], [1, 1], [1, 2]]


def test_padding_that_is_not_a_number_leaves_gradients_finite() -> None:
    encoder, (feats, lengths) = made(), batch()
    for index, length in enumerate(LENGTHS):
        feats[index, length:] = float("nan")
    encoder.train()(feats, lengths)[0].sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name


def test_dropout_leaves_the_sums_and_takes_of_what_is_added() -> None:
    encoder, (feats, lengths) = made(layers=2, dropout=0.5), batch()
    first, last = encoder.layers
    torch.manual_seed(5)
    with torch.no_grad():
        given = encoder.train()(feats[:1], lengths[:1])[0]
        torch.manual_seed(5)
        frames = encoder.prenet(feats[:1])
        kept = torch.nn.functional.dropout(first(frames)[0], 0.5)
        assert bool((kept == 0).any()) and bool((kept != 0).any())
        torch.testing.assert_close(given, last(frames + kept)[0], atol=1e-12, rtol=0)


def test_shift_and_scale_take_decibels_below_full_scale_to_plus_and_minus_four() -> None:
    encoder = made(in_dim=3, input_shift=2.5 * math.log(10), input_scale=0.625 * math.log(10))
    plain = made(in_dim=3)
    plain.load_state_dict(encoder.state_dict())
    energies = torch.tensor([[[1e-5, 1.0, 10**-2.5], [1e-4, 0.1, 1e-3]]], dtype=torch.float64)
    wanted = 8 * (20 * energies.log10() + 100) / 100 - 4  # -100 dB ... 0 dB
    assert wanted[0, 0].tolist() == pytest.approx([-4, 4, 0], abs=1e-12)
    with torch.no_grad():
        given = encoder(energies.log(), torch.tensor([2]))[0]
        torch.testing.assert_close(given, plain(wanted, torch.tensor([2]))[0], atol=1e-12, rtol=0)
