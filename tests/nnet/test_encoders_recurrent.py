"""GRU and LSTM on frames of features."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnet.encoders import GruOptions, LstmOptions
from nnet.encoders.recurrent import Gru, Lstm
from tests.nnet.helpers.slow_networks import gru, lstm, weights_of

LENGTHS = (9, 4, 1)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    feats = torch.randn(len(LENGTHS), max(LENGTHS), 4, generator=torch.Generator().manual_seed(1)).double()
    return feats, torch.tensor(LENGTHS)


def set_weights(rnn: torch.nn.RNNBase, **values: list[float]) -> None:
    """Weights of a network with one input and one unit, gate by gate."""
    with torch.no_grad():
        for name, value in values.items():
            getattr(rnn, f"{name}_l0").copy_(torch.tensor(value).reshape(getattr(rnn, f"{name}_l0").shape))


def test_a_gru_of_one_unit_worked_by_hand() -> None:
    encoder = Gru(GruOptions(width=1, layers=1), 1).eval()
    set_weights(encoder.rnn, weight_ih=[0, 0, 1], weight_hh=[0, 0, 2], bias_ih=[0, 0, 0], bias_hh=[0, 0, 0])
    frames, _ = encoder(torch.tensor([[[0.5], [0.25]]]), torch.tensor([2]))
    # Reset and update gates are sigmoid(0) = 1/2; the candidate is tanh(x + 1/2 · 2h).
    first = 0.5 * math.tanh(0.5)
    second = 0.5 * math.tanh(0.25 + first) + 0.5 * first
    assert frames.flatten().tolist() == pytest.approx([first, second], abs=1e-6)  # float32


def test_an_lstm_of_one_unit_worked_by_hand() -> None:
    encoder = Lstm(LstmOptions(width=1, layers=1, bidirectional=False), 1).eval()
    zeros = [0.0] * 4
    set_weights(encoder.rnn, weight_ih=[0, 0, 1, 0], weight_hh=zeros, bias_ih=zeros, bias_hh=zeros)
    frames, _ = encoder(torch.tensor([[[0.5], [0.25]]]), torch.tensor([2]))
    # Every gate is 1/2; the cell takes half of tanh(x) and keeps half of itself.
    first = 0.5 * math.tanh(0.5)
    second = 0.5 * first + 0.5 * math.tanh(0.25)
    by_hand = [0.5 * math.tanh(first), 0.5 * math.tanh(second)]
    assert frames.flatten().tolist() == pytest.approx(by_hand, abs=1e-6)  # float32


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("cell", "slow"), [("gru", gru), ("lstm", lstm)])
def test_states_equal_those_of_a_step_by_step_computation(cell: str, slow: object, bidirectional: bool) -> None:
    torch.manual_seed(0)
    maker, kind = (Gru, GruOptions) if cell == "gru" else (Lstm, LstmOptions)
    options = kind(width=3, layers=2, bidirectional=bidirectional, input_shift=0.5, input_scale=2.0)
    encoder, (feats, lengths) = maker(options, 4).double().eval(), batch()
    with torch.no_grad():
        frames, _ = encoder(feats, lengths)
    for index, length in enumerate(LENGTHS):
        rows = (feats[index, :length].numpy() + 0.5) / 2.0
        expected = slow(rows, weights_of(encoder.rnn), 2, 2 if bidirectional else 1)  # type: ignore[operator]
        # 1e-12: the same float64 sums in another order.
        np.testing.assert_allclose(frames[index, :length].numpy(), expected, rtol=0, atol=1e-12)
        assert bool((frames[index, length:] == 0).all())


@pytest.mark.parametrize(("maker", "kind"), [(Gru, GruOptions), (Lstm, LstmOptions)])
def test_the_forward_half_has_seen_what_came_before_and_the_backward_half_what_comes(
    maker: type[Gru | Lstm], kind: type[GruOptions | LstmOptions]
) -> None:
    torch.manual_seed(0)
    encoder = maker(kind(width=3, layers=1, bidirectional=True), 4).double().eval()  # type: ignore[arg-type]
    for column, seen in ((0, {0, 1, 2}), (3, {2, 3, 4})):  # of an utterance of five frames, padded to nine
        feats = batch()[0].requires_grad_()
        frames, _ = encoder(feats, torch.tensor([9, 5, 1]))
        frames[1, 2, column].backward()
        assert feats.grad is not None
        assert set(feats.grad[1].abs().sum(dim=1).nonzero().flatten().tolist()) == seen


def test_shift_and_scale_take_log_mel_to_minus_one_to_one() -> None:
    torch.manual_seed(0)
    scaled = Gru(GruOptions(width=3, layers=1, input_shift=5.76, input_scale=5.76), 2).eval()
    plain = Gru(GruOptions(width=3, layers=1), 2).eval()
    plain.load_state_dict(scaled.state_dict())
    logmel = torch.tensor([[[-11.52, 0.0], [-5.76, -2.88]]])
    with torch.no_grad():
        expected, _ = plain(torch.tensor([[[-1.0, 1.0], [0.0, 0.5]]]), torch.tensor([2]))
        torch.testing.assert_close(scaled(logmel, torch.tensor([2]))[0], expected)


def test_one_layer_with_dropout_is_built_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    Gru(GruOptions(layers=1, width=2, dropout=0.3), 2)
    assert not recwarn.list
