"""The transformer that asks once, and the one with scaled positions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnet.encoders import QueryTransformerOptions, ScaledTransformerOptions
from nnet.encoders.query_transformer import QueryTransformer
from nnet.encoders.scaled_transformer import ScaledTransformer, sinusoids
from tests.nnet.helpers.slow_networks import decoder_layer, encoder_layer, layer_norm, sigmoid, weights_of

QUERY = QueryTransformerOptions(width=6, heads=2, layers=2, feed_forward=5)
SCALED = ScaledTransformerOptions(width=6, heads=3, layers=2, feed_forward=5)
LENGTHS = (8, 3, 1)


def make(options: QueryTransformerOptions | ScaledTransformerOptions) -> QueryTransformer | ScaledTransformer:
    """In eval mode, float64, every parameter random, so that no zero hides another."""
    torch.manual_seed(0)
    if isinstance(options, QueryTransformerOptions):
        encoder: QueryTransformer | ScaledTransformer = QueryTransformer(options, 4)
    else:
        encoder = ScaledTransformer(options, 4)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return encoder.double().eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    feats = torch.randn(len(LENGTHS), max(LENGTHS), 4, generator=torch.Generator().manual_seed(1)).double()
    return feats, torch.tensor(LENGTHS)


@pytest.mark.parametrize("training", [False, True])  # PyTorch has one path for each
def test_the_answer_equals_that_of_attention_written_out(training: bool) -> None:
    encoder, (feats, lengths) = make(QueryTransformerOptions(6, 2, 2, 5, dropout=0.0)), batch()
    with torch.no_grad():
        frames, out_lengths = encoder.train(training)(feats, lengths)
    assert frames.shape == (3, 1, 6)
    assert out_lengths.tolist() == [1, 1, 1]
    weights = weights_of(encoder)
    for index, length in enumerate(LENGTHS):
        memory = sigmoid(feats[index, :length].numpy() @ weights["input.weight"].T + weights["input.bias"])
        for layer in range(2):
            memory = encoder_layer(memory, weights, f"encoder.layers.{layer}", 2)
        expected = decoder_layer(np.zeros((1, 6)), memory, weights, "decoder.layers.0", 2)
        # 1e-10: the same float64 sums in another order.
        np.testing.assert_allclose(frames[index].numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("training", [False, True])  # PyTorch has one path for each
def test_frames_equal_those_of_attention_written_out(training: bool) -> None:
    encoder, (feats, lengths) = make(ScaledTransformerOptions(6, 3, 2, 5, dropout=0.0)), batch()
    with torch.no_grad():
        frames, _ = encoder.train(training)(feats, lengths)
    weights = weights_of(encoder)
    for index, length in enumerate(LENGTHS):
        rows = np.maximum(feats[index, :length].numpy() @ weights["prenet.weight"].T + weights["prenet.bias"], 0)
        for t in range(length):
            for c in range(6):
                angle = t / 10000 ** (c // 2 * 2 / 6)
                rows[t, c] += weights["alpha"][0] * (math.cos(angle) if c % 2 else math.sin(angle))
        for layer in range(2):
            rows = encoder_layer(rows, weights, f"transformer.layers.{layer}", 3)
        expected = layer_norm(rows, weights, "transformer.norm")
        # 1e-5: the positions are float32.
        np.testing.assert_allclose(frames[index, :length].numpy(), expected, rtol=0, atol=1e-5)


def test_positions_worked_by_hand() -> None:
    expected = [[0, 1, 0, 1], [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]]
    torch.testing.assert_close(sinusoids(2, 4), torch.tensor(expected))


def test_positions_beyond_the_published_table_of_1024_go_on() -> None:
    encoder = make(SCALED)
    with torch.no_grad():
        frames, lengths = encoder(torch.randn(1, 1500, 4, dtype=torch.float64), torch.tensor([1500]))
    assert frames.shape == (1, 1500, 6)
    assert lengths.tolist() == [1500]
    assert bool(frames.isfinite().all())
    positions = sinusoids(1500, 256)
    # 1e-3: an angle of 1499 has 2^-14 between its float32 neighbours.
    assert float(positions[1499, 0]) == pytest.approx(math.sin(1499), abs=1e-3)
    assert torch.equal(positions[:1024], sinusoids(1024, 256))


def test_the_order_of_frames_matters_only_if_there_are_positions() -> None:
    feats = batch()[0][:1]
    turned = feats.flip(1)
    lengths = torch.tensor([8])
    with torch.no_grad():
        query, scaled = make(QUERY), make(SCALED)
        torch.testing.assert_close(query(feats, lengths)[0], query(turned, lengths)[0], atol=1e-10, rtol=0)
        assert (scaled(feats, lengths)[0] - scaled(turned, lengths)[0].flip(1)).abs().max() > 1e-2
        scaled.alpha.zero_()  # type: ignore[operator, union-attr]
        torch.testing.assert_close(scaled(feats, lengths)[0], scaled(turned, lengths)[0].flip(1), atol=1e-10, rtol=0)


def test_the_first_frame_has_seen_every_frame_of_its_own_utterance_and_no_padding() -> None:
    encoder, (feats, lengths) = make(SCALED), batch()
    feats.requires_grad_()
    frames, _ = encoder(feats, lengths)
    (frames[:, 0] * torch.arange(6)).sum().backward()
    assert feats.grad is not None
    for index, length in enumerate(LENGTHS):
        seen = feats.grad[index].abs().sum(dim=1).nonzero().flatten().tolist()
        assert seen == list(range(length))
    assert all(bool(p.grad.abs().sum() > 0) for p in encoder.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in encoder.parameters())


def test_every_layer_starts_from_weights_of_its_own() -> None:
    torch.manual_seed(0)
    for layers in (QueryTransformer(QUERY, 4).encoder.layers, ScaledTransformer(SCALED, 4).transformer.layers):
        assert not torch.equal(layers[0].linear1.weight, layers[1].linear1.weight)


def test_the_positions_start_at_their_own_size() -> None:
    assert ScaledTransformer(SCALED, 4).alpha.tolist() == [1.0]


# torch 2.11 exports it for one number of frames only: it cannot prove that min(T, 2T) is T.
@pytest.mark.skipif(torch.__version__ < (2, 13), reason="torch's export is too old")
@pytest.mark.parametrize("options", [QUERY, SCALED], ids=["query", "scaled"])
def test_it_can_be_exported_for_any_number_of_utterances_and_frames(
    options: QueryTransformerOptions | ScaledTransformerOptions,
) -> None:
    encoder = make(options)
    feats, lengths = batch()
    size, frames = torch.export.Dim("batch", min=2, max=64), torch.export.Dim("frames", min=4, max=4096)
    program = torch.export.export(encoder, (feats, lengths), dynamic_shapes=({0: size, 1: frames}, {0: size}))
    feats, lengths = torch.randn(4, 21, 4, dtype=torch.float64), torch.tensor([13, 21, 1, 20])
    with torch.no_grad():
        expected, expected_lengths = encoder(feats, lengths)
        found, found_lengths = program.module()(feats, lengths)
    assert found_lengths.tolist() == expected_lengths.tolist()
    for index, length in enumerate(expected_lengths.tolist()):
        # 1e-10: float64 sums in another order.
        torch.testing.assert_close(found[index, :length], expected[index, :length], atol=1e-10, rtol=0)


def test_the_scaled_input_of_the_one_that_asks_once_is_that_of_scaled_features() -> None:
    torch.manual_seed(0)
    options = {"width": 8, "heads": 2, "layers": 1, "feed_forward": 12}
    scaled = QueryTransformer(QueryTransformerOptions(**options, input_shift=1.0, input_scale=20.0), 3).eval()
    plain = QueryTransformer(QueryTransformerOptions(**options), 3).eval()
    plain.load_state_dict(scaled.state_dict())
    feats, lengths = 40 * torch.randn(2, 5, 3), torch.tensor([5, 3])
    with torch.no_grad():
        # The same numbers go in, so the same come out.
        torch.testing.assert_close(scaled(feats, lengths)[0], plain((feats + 1) / 20, lengths)[0], atol=0, rtol=0)
