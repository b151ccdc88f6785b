"""Squeeze-and-excitation, and the mean that leaves padding out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tests.nnet.helpers.slow_convolution as slow
from nnet.encoders.squeeze import SqueezeExcitation, masked_mean
from nnet.masks import frame_mask

CPU = torch.device("cpu")


def test_the_masked_mean_of_a_hand_case() -> None:
    planes = torch.tensor([[[[1.0, 3.0], [5.0, 7.0], [100.0, 100.0]]], [[[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]]])
    mask = frame_mask(torch.tensor([2, 3]), 3, CPU)
    assert masked_mean(planes, mask).tolist() == [[4.0], [4.0]]
    assert masked_mean(planes, None).tolist() == [[36.0], [4.0]]


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 4, 6, 5)])
@pytest.mark.parametrize("padding", [1e6, float("nan")])
def test_the_masked_mean_is_that_of_each_utterance_alone(shape: tuple[int, ...], padding: float) -> None:
    torch.manual_seed(0)
    planes, lengths = torch.randn(shape), torch.tensor([6, 4, 1])
    for index, length in enumerate(lengths.tolist()):
        planes[index, :, length:] = padding
    means = masked_mean(planes, frame_mask(lengths, 6, CPU))
    for index, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(means[index], planes[index, :, :length].flatten(1).mean(dim=1))


def test_the_mean_of_bf16_planes_is_taken_in_float32() -> None:
    # 3000 is no bf16 number: neither the count of frames nor the sum may be rounded to one.
    planes = torch.ones(2, 1, 3001, dtype=torch.bfloat16)
    mask = frame_mask(torch.tensor([3001, 3000]), 3001, CPU)
    means = masked_mean(planes, mask)
    assert means.dtype == torch.float32
    assert means.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("bias", [False, True])
def test_factors_agree_with_slow_ones_and_leave_padding_out(bias: bool) -> None:
    torch.manual_seed(0)
    module = SqueezeExcitation(6, 3, bias).double()
    planes, lengths = torch.randn(2, 6, 8, 5, dtype=torch.float64), torch.tensor([8, 5])
    scaled = module(planes, frame_mask(lengths, 8, CPU)).detach().numpy()
    for index, length in enumerate(lengths.tolist()):
        expected = slow.excite(planes[index, :, :length].numpy(), module)
        # 1e-12: float64 sums in another order.
        np.testing.assert_allclose(scaled[index, :, :length], expected, atol=1e-12)
