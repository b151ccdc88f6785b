"""Attentive statistics: by hand, against the formulas frame by frame, against plain statistics; the shared moments."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from common.options import OptionError
from nnet.pooling import AttentiveOptions, StatisticsOptions
from nnet.pooling.attention import normalise_frames, weighted_moments, weights_over_time
from nnet.pooling.attentive import AttentivePooling
from nnet.pooling.statistics import StatisticsPooling


def layers(pooling: AttentivePooling) -> tuple[nn.Linear, nn.Linear]:
    """The two affine layers that give a frame's score."""
    first, _, second = pooling.scores
    assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
    return first, second


def test_three_frames_by_hand() -> None:
    # One channel: 0, 1, 3. Score ln 2 · relu(x): weights 1, 2, 8 of 11. Mean 26/11, second moment 74/11.
    pooling = AttentivePooling(AttentiveOptions(hidden=1), 1)
    first, second = layers(pooling)
    for parameter, value in ((first.weight, 1.0), (first.bias, 0.0), (second.weight, math.log(2))):
        nn.init.constant_(parameter, value)
    frames, lengths = torch.tensor([[[0.0], [1.0], [3.0]]]), torch.tensor([3])
    weights = torch.tensor([[[1.0], [2.0], [8.0]]]) / 11
    expected = torch.tensor([[26 / 11, math.sqrt(74 / 11 - (26 / 11) ** 2)]])
    torch.testing.assert_close(pooling.attend(frames, lengths), weights)
    torch.testing.assert_close(pooling(frames, lengths), expected)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_it_agrees_with_the_formulas_frame_by_frame(activation: str) -> None:
    torch.manual_seed(0)
    pooling = AttentivePooling(AttentiveOptions(hidden=5, activation=activation), 4).double()  # type: ignore[arg-type]
    first, second = layers(pooling)
    frames, lengths = torch.randn(2, 7, 4, dtype=torch.float64), [7, 3]
    pooled = pooling(frames, torch.tensor(lengths))
    for utt, length in enumerate(lengths):
        own = frames[utt, :length]
        scores = []
        for frame in own:
            hidden = [sum(w * x for w, x in zip(row, frame, strict=True)) for row in first.weight]
            hidden = [(h + b).item() for h, b in zip(hidden, first.bias, strict=True)]
            active = [math.tanh(h) if activation == "tanh" else max(h, 0.0) for h in hidden]
            scores.append(sum(v.item() * h for v, h in zip(second.weight[0], active, strict=True)))
        alpha = [math.exp(score) / sum(math.exp(other) for other in scores) for score in scores]
        mean = sum(a * frame for a, frame in zip(alpha, own, strict=True))
        variance = sum(a * (frame - mean) ** 2 for a, frame in zip(alpha, own, strict=True))
        assert isinstance(mean, torch.Tensor) and isinstance(variance, torch.Tensor)
        torch.testing.assert_close(pooled[utt], torch.cat([mean, variance.sqrt()]), atol=1e-12, rtol=1e-12)


def test_with_equal_scores_it_is_statistics_pooling() -> None:
    torch.manual_seed(0)
    pooling = AttentivePooling(AttentiveOptions(), 4).double()
    nn.init.zeros_(layers(pooling)[1].weight)
    frames, lengths = torch.randn(2, 9, 4, dtype=torch.float64), torch.tensor([9, 5])
    plain = StatisticsPooling(StatisticsOptions(), 4)(frames, lengths)
    torch.testing.assert_close(pooling(frames, lengths), plain, atol=1e-12, rtol=1e-12)


def test_the_deviation_has_a_floor() -> None:
    pooled = AttentivePooling(AttentiveOptions(variance_floor=4.0), 3)(torch.ones(1, 5, 3), torch.tensor([5]))
    torch.testing.assert_close(pooled[:, 3:], torch.full((1, 3), 2.0))


def test_a_large_offset_does_not_spoil_the_weighted_deviation() -> None:
    # Σ w x² − (Σ w x)² in float32 would be wrong by 1e4² · 6e-8 = 6 here, and could be negative.
    torch.manual_seed(0)
    frames, weights = torch.randn(1, 50, 3), torch.randn(1, 50, 2).softmax(dim=1)
    mean, variance = weighted_moments(frames, weights, None)
    shifted_mean, shifted_variance = weighted_moments(frames + 1e4, weights, None)
    # Adding 1e4 rounds each frame by 5e-4 itself; the variance is about 1.
    torch.testing.assert_close(shifted_mean - 1e4, mean, atol=2e-3, rtol=0)
    torch.testing.assert_close(shifted_variance, variance, atol=2e-3, rtol=0)


def test_weighted_moments_are_those_of_each_head() -> None:
    torch.manual_seed(0)
    frames, weights = torch.randn(2, 6, 3, dtype=torch.float64), torch.randn(2, 6, 4, dtype=torch.float64)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    frames = frames.masked_fill(~mask[:, :, None], 0)
    weights = weights_over_time(weights, mask)
    mean, variance = weighted_moments(frames, weights, mask)
    assert mean.shape == variance.shape == (2, 3, 4)
    by_head = torch.einsum("btc,bth->bch", frames, weights)
    deviations = frames[:, :, :, None] - by_head[:, None]
    torch.testing.assert_close(mean, by_head, atol=1e-12, rtol=1e-12)
    expected = torch.einsum("btch,bth->bch", deviations.square(), weights)
    torch.testing.assert_close(variance, expected, atol=1e-12, rtol=1e-12)


def test_batch_norm_while_training_is_torchs_of_the_frames_that_are_not_padding() -> None:
    torch.manual_seed(0)
    mask = torch.arange(6) < torch.tensor([6, 2, 1])[:, None]
    values = torch.randn(3, 6, 4, dtype=torch.float64) + 3
    values[~mask] = float("nan")
    results = []
    for gathered in (False, True):
        torch.manual_seed(1)
        norm, frames = nn.BatchNorm1d(4).double(), values.clone().requires_grad_()
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        for _ in range(2):
            own = norm(frames[mask]) if gathered else normalise_frames(norm, frames, mask)[mask]  # (9, 4)
        gradients = torch.autograd.grad(own.pow(3).sum(), [frames, norm.weight, norm.bias])
        results.append([own, *gradients, *norm.state_dict().values()])
    # 1e-12: the same sums in float64 in another order.
    torch.testing.assert_close(results[0], results[1], atol=1e-12, rtol=1e-12)
    assert int(results[0][-1]) == 2
    assert not normalise_frames(norm, values, mask)[~mask].any()


def test_batch_norm_while_training_of_one_frame_in_all_is_refused() -> None:
    with pytest.raises(ValueError, match="one frame in all; expected two or more"):
        normalise_frames(nn.BatchNorm1d(4), torch.randn(1, 3, 4), torch.tensor([[True, False, False]]))


def test_batch_norm_of_frames_is_torchs_over_batch_and_time() -> None:
    torch.manual_seed(0)
    frames = torch.randn(3, 5, 4)
    expected = nn.BatchNorm1d(4)(frames.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(normalise_frames(nn.BatchNorm1d(4), frames, None), expected)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"hidden": 0}, "hidden is 0; expected >= 1"),
        ({"variance_floor": 0}, "variance_floor is 0; expected > 0"),
    ],
)
def test_options_out_of_range_are_refused(option: dict[str, int], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        AttentiveOptions(**option)  # type: ignore[arg-type]
