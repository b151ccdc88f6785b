"""What holds for each of the recurrent, waveform and transformer encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from common.options import OptionError, parse_named
from nnet.device import cpu_refuses_bf16_lstm
from nnet.encoders import (
    ENCODERS,
    ConvGruOptions,
    GruOptions,
    LstmOptions,
    QueryTransformerOptions,
    ResidualLstmOptions,
    ScaledTransformerOptions,
)
from nnet.encoders.convgru import ConvGru
from nnet.encoders.query_transformer import QueryTransformer
from nnet.encoders.recurrent import Gru, Lstm
from nnet.encoders.residual_lstm import ResidualLstm
from nnet.encoders.scaled_transformer import ScaledTransformer

GRU, LSTM = GruOptions(width=6, layers=2), LstmOptions(width=5, layers=2)
CONV_GRU = ConvGruOptions(channels=6, width=5, layers=2)
QUERY = QueryTransformerOptions(width=8, heads=2, feed_forward=12)
SCALED = ScaledTransformerOptions(width=8, heads=2, layers=2, feed_forward=12)

MAKERS: dict[str, tuple[Callable[..., torch.nn.Module], object, int]] = {
    "gru": (Gru, GRU, 7),
    "gru both ways": (Gru, replace(GRU, bidirectional=True), 7),
    "lstm": (Lstm, replace(LSTM, bidirectional=False, dropout=0.2), 7),
    "lstm both ways": (Lstm, replace(LSTM, dropout=0.2), 7),
    "convgru": (ConvGru, CONV_GRU, 160),
    "query_transformer": (QueryTransformer, QUERY, 7),
    "residual_lstm": (ResidualLstm, ResidualLstmOptions(width=6, dropout=0.2), 7),
    "scaled_transformer": (ScaledTransformer, SCALED, 7),
}
LENGTHS = (31, 12, 31, 7, 3)
every_encoder = pytest.mark.parametrize("name", MAKERS)


def make(name: str, **changes: object) -> torch.nn.Module:
    """A small encoder in eval mode whose every parameter is random, so that no zero hides another."""
    torch.manual_seed(0)
    maker, options, in_dim = MAKERS[name]
    encoder = maker(replace(options, **changes), in_dim)  # type: ignore[type-var]
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return encoder.eval()


def batch(name: str, padding: float = 0.0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    feats = torch.randn(len(LENGTHS), max(LENGTHS), MAKERS[name][2], generator=generator, dtype=dtype)
    for index, length in enumerate(LENGTHS):
        feats[index, length:] = padding
    return feats, torch.tensor(LENGTHS)


@every_encoder
@pytest.mark.parametrize("padding", [0.0, 1e3, float("nan")])
def test_a_batch_gives_what_each_utterance_gives_alone(name: str, padding: float) -> None:
    encoder, (feats, lengths) = make(name).double(), batch(name, padding)
    with torch.no_grad():
        frames, out_lengths = encoder(feats, lengths)
        assert frames.shape == (len(LENGTHS), int(out_lengths.max()), encoder.out_dim)
        for index, length in enumerate(LENGTHS):
            alone, (alone_length,) = encoder(feats[index : index + 1, :length], torch.tensor([length]))
            assert out_lengths[index] == alone_length == alone.shape[1]
            # float64, so that what is compared is the mask and not the rounding.
            torch.testing.assert_close(frames[index, :alone_length], alone[0], atol=1e-10, rtol=1e-10)


@every_encoder
def test_the_order_of_a_batch_is_the_order_of_its_frames(name: str) -> None:
    encoder, (feats, lengths) = make(name).double(), batch(name)
    order = torch.tensor([3, 0, 4, 2, 1])
    with torch.no_grad():
        frames, out_lengths = encoder(feats, lengths)
        reordered, reordered_lengths = encoder(feats[order], lengths[order])
    assert reordered_lengths.tolist() == out_lengths[order].tolist()
    for new, old in enumerate(order.tolist()):
        length = int(out_lengths[old])
        # 1e-10 in float64: sums may be taken in another order.
        torch.testing.assert_close(reordered[new, :length], frames[old, :length], atol=1e-10, rtol=1e-10)


@every_encoder
def test_gradients_reach_every_parameter_and_no_padding(name: str) -> None:
    encoder, (feats, lengths) = make(name).double(), batch(name)
    feats.requires_grad_()
    frames, out_lengths = encoder.train()(feats, lengths)
    real = torch.arange(frames.shape[1])[None, :] < out_lengths[:, None]
    (frames[real] * torch.randn(int(real.sum()), encoder.out_dim, dtype=torch.float64)).sum().backward()
    without = {n for n, p in encoder.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    # The only query of the decoder is zero and hears itself alone: what multiplies it cannot learn.
    never = {"decoder.layers.0.self_attn.in_proj_weight"} if name == "query_transformer" else set()
    assert without == never
    assert all(bool(p.grad.isfinite().all()) for p in encoder.parameters() if p.grad is not None)
    assert feats.grad is not None
    for index, length in enumerate(LENGTHS):
        assert bool((feats.grad[index, length:] == 0).all())


@every_encoder
def test_only_training_drops_values(name: str) -> None:
    encoder, (feats, lengths) = make(name).double(), batch(name)
    with torch.no_grad():
        torch.testing.assert_close(encoder(feats, lengths)[0], encoder(feats, lengths)[0], atol=0, rtol=0)
        encoder.train()
        assert not torch.equal(encoder(feats, lengths)[0][0], encoder(feats, lengths)[0][0])
        undropped = make(name, dropout=0.0).double()
        evaluated = undropped(feats, lengths)[0][0]
        # 1e-10 in float64: PyTorch has a path of its own for attention in eval mode.
        torch.testing.assert_close(undropped.train()(feats, lengths)[0][0], evaluated, atol=1e-10, rtol=1e-10)


@every_encoder
def test_bf16_autocast_agrees_with_float32_within_four_hundredths(name: str) -> None:
    # Neighbouring bf16 numbers are 2^-8, 0.4 %, apart, and no encoder here has more than nine layers: 3.6 %. The
    # weights are those that training starts from, as with larger ones the gates and the attention saturate.
    torch.manual_seed(0)
    maker, options, in_dim = MAKERS[name]
    encoder, (feats, lengths) = maker(options, in_dim).eval(), batch(name, dtype=torch.float32)
    with torch.no_grad():
        exact, _ = encoder(feats, lengths)
        with torch.autocast("cpu", torch.bfloat16):
            rounded, out_lengths = encoder(feats, lengths)
    for index, length in enumerate(out_lengths.tolist()):
        difference = (rounded[index, :length].float() - exact[index, :length]).abs().max()
        assert difference < 0.04 * exact[index, :length].abs().max()
        assert difference > 0 or (name.startswith("lstm") and cpu_refuses_bf16_lstm())  # which then computes in float32


@every_encoder
def test_the_shortest_utterance_works_and_says_how_long_it_is(name: str) -> None:
    encoder = make(name)
    shortest = int(encoder.min_frames)
    assert shortest == (3 if name == "convgru" else 1)
    with torch.no_grad():
        frames, lengths = encoder(torch.randn(1, shortest, MAKERS[name][2]), torch.tensor([shortest]))
    assert frames.shape == (1, 1, encoder.out_dim)
    assert lengths.tolist() == [1]
    assert bool(frames.isfinite().all())


@every_encoder
def test_constant_input_has_finite_values_and_gradients(name: str) -> None:
    encoder, (feats, lengths) = make(name), batch(name, dtype=torch.float32)
    frames, _ = encoder(torch.zeros_like(feats), lengths)
    frames.sum().backward()
    assert bool(frames.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("maker", "options", "in_dim", "affine", "expected"),
    [
        (Gru, GruOptions(), 80, 768 * 256 + 256, 9_242_368),
        (Lstm, LstmOptions(), 40, 0, 252_928),
        (ConvGru, ConvGruOptions(), 160, 1536 * 256 + 256, 31_753_472),
        (QueryTransformer, QueryTransformerOptions(), 40, 0, 418_112),
        (ResidualLstm, ResidualLstmOptions(), 80, 256 * 256 + 256, 1_665_536),
        (ScaledTransformer, ScaledTransformerOptions(), 80, 256 * 256 + 256, 2_456_321),
    ],
)
def test_the_defaults_have_the_published_number_of_parameters(
    maker: Callable[..., torch.nn.Module], options: object, in_dim: int, affine: int, expected: int
) -> None:
    # `affine`: the layer to the embedding, which the published figures count.
    with torch.device("meta"):
        encoder = maker(options, in_dim)
    assert sum(p.numel() for p in encoder.parameters()) + affine == expected


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"name": "gru", "layers": 0}, "encoder.layers is 0; expected >= 1"),
        ({"name": "lstm", "dropout": 1.0}, "encoder.dropout is 1.0; expected >= 0 and < 1"),
        ({"name": "gru", "input_scale": 0}, "encoder.input_scale is 0.0; expected > 0"),
        ({"name": "lstm", "input_scale": -1}, "encoder.input_scale is -1.0; expected > 0"),
        ({"name": "convgru", "channels": 0}, "encoder.channels is 0; expected >= 1"),
        ({"name": "query_transformer", "width": 30}, "encoder.width is 30; expected a multiple of heads, 8"),
        ({"name": "residual_lstm", "layers": 0}, "encoder.layers is 0; expected >= 1"),
        ({"name": "residual_lstm", "input_scale": 0}, "encoder.input_scale is 0.0; expected > 0"),
        ({"name": "query_transformer", "input_scale": 0}, "encoder.input_scale is 0.0; expected > 0"),
        ({"name": "residual_lstm", "bidirectional": True}, "encoder.bidirectional is unknown"),
        ({"name": "scaled_transformer", "heads": 0}, "encoder.heads is 0; expected >= 1"),
        ({"name": "scaled_transformer", "width": 9, "heads": 3}, "encoder.width is 9; expected an even number"),
    ],
)
def test_options_that_cannot_be_built_are_refused(mapping: dict[str, object], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        parse_named(ENCODERS, "encoder", mapping)
