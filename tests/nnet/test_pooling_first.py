"""The first frame."""

from __future__ import annotations

import torch

from nnet.pooling import POOLINGS
from nnet.pooling.first import FirstPooling


def test_the_first_frame_of_each_utterance_is_given() -> None:
    frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    pooling = FirstPooling(POOLINGS["first"](), 2)
    assert pooling(frames, torch.tensor([2, 1])).tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert pooling.out_dim == 2
