"""The x-vector's frame-level layers."""

from __future__ import annotations

import pytest
import torch

from nnet.encoders import TdnnOptions
from nnet.encoders.tdnn import Tdnn

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
