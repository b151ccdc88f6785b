"""The last frame, one way and both ways."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common.errors import InputError
from nnet.pooling import LastOptions
from nnet.pooling.last import LastPooling

FRAMES = torch.arange(24.0).reshape(2, 3, 4)  # (B, T, C): 0 … 11, 12 … 23


def test_the_last_frame_is_the_one_before_the_padding() -> None:
    pooled = LastPooling(LastOptions(), 4)(FRAMES, torch.tensor([3, 2]))
    assert pooled.tolist() == [[8.0, 9.0, 10.0, 11.0], [16.0, 17.0, 18.0, 19.0]]


def test_both_ways_the_second_half_of_the_channels_is_of_the_first_frame() -> None:
    pooled = LastPooling(LastOptions(bidirectional=True), 4)(FRAMES, torch.tensor([3, 2]))
    assert pooled.tolist() == [[8.0, 9.0, 2.0, 3.0], [16.0, 17.0, 14.0, 15.0]]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_of_a_recurrent_network_it_is_the_final_state(bidirectional: bool) -> None:
    torch.manual_seed(0)
    gru = nn.GRU(3, 5, batch_first=True, bidirectional=bidirectional)
    lengths = torch.tensor([7, 4, 1])
    packed = pack_padded_sequence(torch.randn(3, 7, 3), lengths, batch_first=True)
    output, state = gru(packed)
    frames, _ = pad_packed_sequence(output, batch_first=True)
    expected = torch.cat(list(state), dim=1)  # (directions, B, 5) -> (B, directions · 5): forward, then backward
    pooled = LastPooling(LastOptions(bidirectional), frames.shape[2])(frames, lengths)
    torch.testing.assert_close(pooled, expected, atol=0, rtol=0)


def test_an_odd_number_of_channels_cannot_be_halved() -> None:
    LastPooling(LastOptions(), 5)
    with pytest.raises(InputError, match=r"pooling\.bidirectional takes half of the channels; the encoder gives 5"):
        LastPooling(LastOptions(bidirectional=True), 5)
