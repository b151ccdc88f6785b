"""Recurrent encoders in torch.export and torch.compile, whose graphs know no packed sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from nnet.config.experiment import load
from nnet.encoders import ConvGruOptions, GruOptions, LstmOptions, ResidualLstmOptions
from nnet.encoders.convgru import ConvGru
from nnet.encoders.recurrent import Gru, Lstm
from nnet.encoders.residual_lstm import ResidualLstm
from nnet.model import build
from tests.nnet.helpers.embedder import Embedder

CONF = Path(__file__).resolve().parents[2] / "conf" / "nnet"
GRU, LSTM = GruOptions(width=3, layers=2, dropout=0.2, input_shift=0.5), LstmOptions(width=3, layers=3)
MAKERS: dict[str, tuple[Callable[..., nn.Module], object, int]] = {
    "gru": (Gru, GRU, 4),
    "gru both ways": (Gru, replace(GRU, bidirectional=True), 4),
    "lstm": (Lstm, replace(LSTM, bidirectional=False), 4),
    "lstm both ways": (Lstm, LSTM, 4),
    "convgru": (ConvGru, ConvGruOptions(channels=3, width=2, layers=2), 160),
    "residual_lstm": (ResidualLstm, ResidualLstmOptions(width=3, layers=2), 4),
}
every_encoder = pytest.mark.parametrize("name", MAKERS)
BATCHES = ([9, 5, 3], [9, 9], [3, 9, 4, 7])  # a recurrence is traced for one number of frames, in batches of any size
# 1e-12: the same float64 sums, of values near 1, in another order.
SAME = {"atol": 1e-12, "rtol": 0.0}


def make(name: str) -> nn.Module:
    """A small encoder of float64 in eval mode, every parameter random, so that no zero hides another."""
    torch.manual_seed(0)
    maker, options, in_dim = MAKERS[name]
    encoder = maker(options, in_dim)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.4)
    return encoder.double().eval()


def batch(lengths: list[int], dim: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose padding is NaN."""
    feats = torch.randn(len(lengths), max(lengths), dim, dtype=dtype, generator=torch.Generator().manual_seed(1))
    for index, length in enumerate(lengths):
        feats[index, length:] = torch.nan
    return feats, torch.tensor(lengths)


def exported(module: nn.Module, feats: torch.Tensor, lengths: torch.Tensor) -> nn.Module:
    """The program of a module for batches of any size, as `feats` is long."""
    size = torch.export.Dim("batch", min=2, max=64)
    return torch.export.export(module, (feats, lengths), dynamic_shapes=({0: size}, {0: size})).module()


@every_encoder
def test_an_exported_encoder_gives_what_it_gives_eagerly(name: str) -> None:
    encoder, dim = make(name), MAKERS[name][2]
    program = exported(encoder, *batch(BATCHES[0], dim))
    with torch.no_grad():
        for lengths in BATCHES:
            torch.testing.assert_close(program(*batch(lengths, dim)), encoder(*batch(lengths, dim)), **SAME)


@every_encoder
def test_a_compiled_encoder_is_one_graph_and_gives_what_it_gives_eagerly(name: str) -> None:
    encoder, dim = make(name), MAKERS[name][2]
    torch.compiler.reset()
    with torch._dynamo.config.patch(allow_rnn=True):  # without it torch.compile takes no nn.GRU and no nn.LSTM
        compiled = torch.compile(encoder, backend="eager", fullgraph=True)
        for lengths in BATCHES:
            results = []
            for module in (encoder, compiled):
                module.zero_grad()
                feats, counts = batch(lengths, dim)
                frames, out_lengths = module(feats.requires_grad_(), counts)
                frames.square().sum().backward()
                results.append([frames.detach(), out_lengths, feats.grad, *(p.grad for p in encoder.parameters())])
            # 1e-10: gradients are sums of some dozens.
            torch.testing.assert_close(results[1], results[0], atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["gru both ways", "lstm both ways"])
def test_a_traced_graph_drops_values_between_layers_while_training(name: str) -> None:
    maker, options, dim = MAKERS[name]
    torch.manual_seed(0)
    encoder = maker(replace(options, dropout=0.5), dim).double()  # type: ignore[type-var]
    feats, lengths = batch(BATCHES[0], dim)
    program = torch.export.export(encoder, (feats, lengths)).module()
    assert not torch.equal(program(feats, lengths)[0], program(feats, lengths)[0])


@pytest.mark.parametrize("system", ["bilstm_triplet", "convgru_ge2e", "gru_ge2e"])
def test_an_exported_system_embeds_padded_batches_as_it_does_eagerly(system: str) -> None:
    torch.manual_seed(0)
    net = build(load(CONF / f"{system}.yaml"), 3).eval()
    scale = 0.1 if system == "convgru_ge2e" else 10.0
    feats, lengths = batch([20, 11, 4], net.feature_dim, torch.float32)
    program = exported(Embedder(net), feats * scale, lengths)
    with torch.no_grad():
        for counts in ([20, 11, 4], [20, 20], [3, 20, 7, 12]):
            feats, lengths = batch(counts, net.feature_dim, torch.float32)
            expected = net.embed(feats * scale, lengths)
            assert expected.isfinite().all()
            # 1e-6: float32, embeddings of numbers below 1.
            torch.testing.assert_close(program(feats * scale, lengths), expected, atol=1e-6, rtol=0)
