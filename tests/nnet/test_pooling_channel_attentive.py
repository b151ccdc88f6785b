"""Channel-attentive statistics: against the definition written out, the context, the batch norm of the output."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from common.options import OptionError
from nnet.pooling import ChannelAttentiveOptions, StatisticsOptions
from nnet.pooling.channel_attentive import ChannelAttentivePooling
from nnet.pooling.statistics import StatisticsPooling


def make(context: bool = True, batch_norm: bool = False) -> ChannelAttentivePooling:
    torch.manual_seed(0)
    options = ChannelAttentiveOptions(hidden=5, context=context, batch_norm=batch_norm)
    pooling = ChannelAttentivePooling(options, 4).double().eval()
    for values in (pooling.norm.running_mean, pooling.norm.bias):
        nn.init.uniform_(values, -0.5, 0.5)
    return pooling


@pytest.mark.parametrize("context", [True, False])
def test_it_agrees_with_the_definition_written_out(context: bool) -> None:
    pooling = make(context)
    frames, lengths = torch.randn(2, 7, 4, dtype=torch.float64), [7, 3]
    pooled = pooling(frames, torch.tensor(lengths))
    for utt, length in enumerate(lengths):
        own = frames[utt, :length]  # (T, C)
        seen = own
        if context:
            whole = torch.cat([own.mean(dim=0), own.std(dim=0, correction=0)])
            seen = torch.cat([own, whole.expand(length, -1)], dim=1)  # (T, 3C), as in the paper
        hidden = (seen @ pooling.hidden.weight.T + pooling.hidden.bias).clamp(min=0)
        norm = pooling.norm
        hidden = (hidden - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        scores = hidden.tanh() @ pooling.scores.weight.T  # (T, C)
        alpha = scores.exp() / scores.exp().sum(dim=0)
        mean = (alpha * own).sum(dim=0)
        deviation = ((alpha * own**2).sum(dim=0) - mean**2).sqrt()
        torch.testing.assert_close(pooled[utt], torch.cat([mean, deviation]), atol=1e-12, rtol=1e-12)


def test_weights_differ_between_channels() -> None:
    weights = make().attend(torch.randn(1, 6, 4, dtype=torch.float64), torch.tensor([6]))
    assert weights.shape == (1, 6, 4)
    assert (weights - weights[:, :, :1]).abs().max() > 1e-3


@pytest.mark.parametrize("context", [True, False])
def test_only_with_context_do_the_other_frames_change_how_two_frames_compare(context: bool) -> None:
    pooling, frames = make(context), torch.randn(1, 6, 4, dtype=torch.float64)
    other = frames.clone()
    other[:, 2:] += 3
    first, second = (pooling.attend(each, torch.tensor([6])) for each in (frames, other))
    same = torch.allclose(first[:, 0] / first[:, 1], second[:, 0] / second[:, 1], atol=1e-10)
    assert same == (not context)


def test_with_equal_scores_it_is_statistics_pooling() -> None:
    pooling = make()
    nn.init.zeros_(pooling.scores.weight)
    frames, lengths = torch.randn(2, 9, 4, dtype=torch.float64), torch.tensor([9, 5])
    plain = StatisticsPooling(StatisticsOptions(), 4)(frames, lengths)
    torch.testing.assert_close(pooling(frames, lengths), plain, atol=1e-12, rtol=1e-12)


def test_the_pooled_vector_is_batch_normalised_while_training() -> None:
    pooling = make(batch_norm=True).train()
    pooled = pooling(torch.randn(8, 20, 4, dtype=torch.float64), torch.full((8,), 20))
    torch.testing.assert_close(pooled.mean(dim=0), torch.zeros(8, dtype=torch.float64), atol=1e-12, rtol=0)
    # 1e-2: batch norm adds 1e-5 to variances which are as small as 1e-2 here.
    torch.testing.assert_close(pooled.std(dim=0, correction=0), torch.ones(8, dtype=torch.float64), atol=1e-2, rtol=0)


@pytest.mark.parametrize("channels", [512, 1536])
def test_it_has_the_size_of_the_papers(channels: int) -> None:
    pooling = ChannelAttentivePooling(ChannelAttentiveOptions(), channels)
    # W 3C × 128 and its bias, batch norm 2 × 128, v 128 × C, batch norm of 2C.
    expected = 3 * channels * 128 + 128 + 2 * 128 + 128 * channels + 2 * 2 * channels
    assert sum(p.numel() for p in pooling.parameters()) == expected


@pytest.mark.parametrize(
    ("option", "expected"), [({"hidden": 0}, "hidden is 0"), ({"variance_floor": 0}, "variance_floor is 0")]
)
def test_options_out_of_range_are_refused(option: dict[str, int], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        ChannelAttentiveOptions(**option)  # type: ignore[arg-type]
