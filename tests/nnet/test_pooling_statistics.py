"""Mean, and mean with standard deviation."""

from __future__ import annotations

import pytest
import torch

from common.options import OptionError
from nnet.pooling import POOLINGS, StatisticsOptions
from nnet.pooling.statistics import MeanPooling, StatisticsPooling


def statistics(frames: torch.Tensor, lengths: list[int], variance_floor: float = 1e-6) -> torch.Tensor:
    pooling = StatisticsPooling(StatisticsOptions(variance_floor), frames.shape[2])
    pooled = pooling(frames, torch.tensor(lengths))
    assert pooled.shape == (frames.shape[0], pooling.out_dim)
    return pooled


def test_statistics_by_hand() -> None:
    # 1, 2, 6: mean 3, deviations -2, -1, 3, biased variance 14/3. Second channel constant: the floor's root.
    frames = torch.tensor([[[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]])
    expected = torch.tensor([[3.0, 5.0, (14 / 3) ** 0.5, 1e-3]])
    torch.testing.assert_close(statistics(frames, [3]), expected)


def test_the_unbiased_deviation_agrees_with_torchs_own_and_is_the_floor_for_one_frame() -> None:
    torch.manual_seed(0)
    frames = torch.randn(3, 40, 6, dtype=torch.float64)
    pooled = StatisticsPooling(StatisticsOptions(unbiased=True), 6)(frames, torch.tensor([40, 17, 1]))
    for index, length in enumerate([40, 17]):
        expected = frames[index, :length].std(dim=0, correction=1)
        torch.testing.assert_close(pooled[index, 6:], expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(pooled[2, 6:], torch.full((6,), 1e-3, dtype=torch.float64))


def test_mean_by_hand() -> None:
    frames = torch.tensor([[[1.0, 5.0], [2.0, 7.0], [9.0, 9.0]]])
    pooling = MeanPooling(POOLINGS["mean"](), 2)
    torch.testing.assert_close(pooling(frames, torch.tensor([2])), torch.tensor([[1.5, 6.0]]))


def test_statistics_agree_with_torchs_own_for_each_utterance() -> None:
    torch.manual_seed(0)
    frames = torch.randn(3, 40, 6, dtype=torch.float64)
    lengths = [40, 17, 2]
    pooled = statistics(frames, lengths)
    for index, length in enumerate(lengths):
        own = frames[index, :length]
        expected = torch.cat([own.mean(dim=0), own.std(dim=0, correction=0)])
        torch.testing.assert_close(pooled[index], expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("padding", [1e6, float("nan"), float("inf")])
def test_padding_changes_neither_value_nor_gradient(padding: float) -> None:
    torch.manual_seed(0)
    own = torch.randn(1, 7, 3)
    padded = torch.cat([own, torch.full((1, 4, 3), padding)], dim=1)
    own.requires_grad_()
    padded.requires_grad_()
    alone, batched = statistics(own, [7]), statistics(padded, [7])
    torch.testing.assert_close(batched, alone)
    alone.sum().backward()
    batched.sum().backward()
    assert own.grad is not None
    assert padded.grad is not None
    torch.testing.assert_close(padded.grad[:, :7], own.grad)
    assert torch.equal(padded.grad[:, 7:], torch.zeros(1, 4, 3))


def test_a_large_offset_does_not_spoil_the_deviation() -> None:
    # E[x²] − mean² in float32 would be wrong by 1e4² · 6e-8 = 6 here, and could be negative.
    torch.manual_seed(0)
    frames = torch.randn(1, 200, 1)
    shifted = statistics(frames + 1e4, [200])
    torch.testing.assert_close(shifted[0, 1], statistics(frames, [200])[0, 1], atol=1e-3, rtol=0)


@pytest.mark.parametrize("frames", [torch.full((1, 1, 2), 3.0), torch.full((1, 9, 2), 3.0), torch.zeros(1, 5, 2)])
def test_one_frame_or_a_constant_has_finite_value_and_gradient(frames: torch.Tensor) -> None:
    frames = frames.clone().requires_grad_()
    pooled = statistics(frames, [frames.shape[1]])
    pooled.sum().backward()
    assert frames.grad is not None
    assert pooled.isfinite().all()
    assert frames.grad.isfinite().all()


def test_a_floor_of_zero_is_refused() -> None:
    with pytest.raises(OptionError, match="variance_floor is 0; expected > 0"):
        StatisticsOptions(variance_floor=0)
