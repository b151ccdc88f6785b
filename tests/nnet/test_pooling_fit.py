"""Which poolings fit which encoders, and what the last frame is of an encoder that runs in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from common.errors import InputError
from nnet.config.experiment import from_mapping, load, to_mapping
from nnet.model import SpeakerNet, build
from nnet.pooling import POOLINGS

CONF = Path(__file__).resolve().parents[2] / "conf" / "nnet"
LENGTHS = torch.tensor([12, 7, 1])
ENCODERS = {
    "gru": "{name: gru, width: 3, layers: 2, bidirectional: %s}",
    "lstm": "{name: lstm, width: 3, layers: 2, bidirectional: %s}",
}
QUERY = "{name: query_transformer, width: 8, heads: 2, layers: 1, feed_forward: 12}"


def make(encoder: str, pooling: str) -> SpeakerNet:
    torch.manual_seed(0)
    settings = [f"encoder={encoder}", f"pooling={pooling}", "embedding={dim: null, normalise: false}"]
    return build(load(CONF / "bilstm_triplet.yaml", settings), 3).eval()


def final_states(net: SpeakerNet, feats: torch.Tensor) -> torch.Tensor:
    """What each direction of the last layer ends with, (B, directions · H), one utterance at a time."""
    directions = 2 if net.encoder.rnn.bidirectional else 1
    rows = []
    for row, length in zip(feats, LENGTHS.tolist(), strict=True):
        states = net.encoder.rnn(((row[:length] + net.encoder.shift) / net.encoder.scale)[None])[1]
        last = states[0] if isinstance(states, tuple) else states  # (layers · directions, 1, H)
        rows.append(last[-directions:].flatten())
    return torch.stack(rows)


@pytest.mark.parametrize("directions", ["true", "false"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pooling", ["{name: last}", "{name: last, bidirectional: null}"])
def test_last_is_where_each_direction_has_read_all(encoder: str, directions: str, pooling: str) -> None:
    net = make(ENCODERS[encoder] % directions, pooling)
    feats = torch.randn(3, 12, net.feature_dim)
    with torch.no_grad():
        # 1e-6: float32, values below 1.
        torch.testing.assert_close(net.embed(feats, LENGTHS), final_states(net, feats), atol=1e-6, rtol=0)


def test_of_the_network_on_the_waveform_too() -> None:
    pooled = []
    for pooling in ("{name: last}", "{name: last, bidirectional: true}"):
        torch.manual_seed(0)
        net = build(load(CONF / "convgru_ge2e.yaml", [f"pooling={pooling}"]), 3).eval()
        with torch.no_grad():
            pooled.append(net.embed(0.1 * torch.randn(2, 20, 160), torch.tensor([20, 9])))
    assert torch.equal(*pooled)


def test_the_last_frame_of_both_halves_must_be_asked_for() -> None:
    # As a published system has it: of the backward half, the state that has seen the last frame alone.
    net = make(ENCODERS["lstm"] % "true", "{name: last, bidirectional: false}")
    feats = torch.randn(3, 12, net.feature_dim)
    with torch.no_grad():
        frames, _ = net.encoder(feats, LENGTHS)
        expected = torch.stack([frames[index, length - 1] for index, length in enumerate(LENGTHS.tolist())])
        assert torch.equal(net.embed(feats, LENGTHS), expected)


def test_a_saved_config_keeps_the_meaning_of_its_pooling() -> None:
    for settings, expected in (([], None), (["pooling.bidirectional=false"], False)):
        config = load(CONF / "bilstm_triplet.yaml", ["pooling={name: last}", *settings])
        assert from_mapping(to_mapping(config), "a saved config") == config
        assert to_mapping(config)["pooling"]["bidirectional"] is expected


@pytest.mark.parametrize("encoder", [ENCODERS["gru"] % "false", QUERY, "{name: tdnn, width: 4, last_width: 6}"])
def test_the_first_frame_of_half_the_channels_is_refused_where_nothing_ends_there(encoder: str) -> None:
    message = r"pooling\.bidirectional is true, but encoder \"\w+\" does not read backwards .*; set it to false or null"
    with pytest.raises(InputError, match=message):
        make(encoder, "{name: last, bidirectional: true}")


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_pooling_of_how_frames_differ_is_refused_if_there_is_one_vector(pooling: str) -> None:
    if not POOLINGS[pooling].needs_frames:
        net = make(QUERY, f"{{name: {pooling}}}")
        with torch.no_grad():
            assert net.embed(torch.randn(3, 12, net.feature_dim), LENGTHS).shape == (3, 8)
        return
    message = rf'pooling "{pooling}" .*, but encoder "query_transformer" gives one vector .*; choose first, last or m'
    with pytest.raises(InputError, match=message):
        make(QUERY, f"{{name: {pooling}}}")
