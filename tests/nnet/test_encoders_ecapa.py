"""ECAPA-TDNN's frame-level layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tests.nnet.helpers.slow_convolution as slow
from nnet.encoders import EcapaOptions
from nnet.encoders.ecapa import Ecapa, SeRes2Block

SMALL = EcapaOptions(width=16, last_width=12, scale=4, squeeze=3)


def prepare(module: Any) -> Any:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.uniform_(part.bias, -1.0, 1.0)
            nn.init.uniform_(part.running_mean, -1.0, 1.0)  # type: ignore[arg-type]
            nn.init.uniform_(part.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return module.double().eval()


@pytest.mark.parametrize(("width", "millions"), [(512, 6.2), (1024, 14.7)])
def test_with_its_pooling_and_embedding_it_has_the_published_number_of_parameters(width: int, millions: float) -> None:
    encoder = Ecapa(EcapaOptions(width=width), 80)
    # Attention from 3 · 1536 values to 128 hidden units and back, batch norm, 192-d embedding with batch norm.
    attention = (3 * 1536 + 1) * 128 + (128 + 1) * 1536
    embedding = 2 * 3072 + (3072 + 1) * 192 + 2 * 192
    assert round((sum(p.numel() for p in encoder.parameters()) + attention + embedding) / 1e6, 1) == millions


def slow_layer(frames: np.ndarray, layer: Any) -> np.ndarray:
    return slow.normalise(slow.relu(slow.convolve(frames, layer[0])), layer[2])


def slow_block(frames: np.ndarray, block: Any, scale: int) -> np.ndarray:
    inner = slow_layer(frames, block.before)
    size = len(inner) // scale
    results = [inner[:size]]
    for index in range(1, scale):
        group = inner[index * size : (index + 1) * size]
        results.append(slow_layer(group if index == 1 else group + results[-1], block.res2.layers[index - 1]))
    return frames + slow.excite(slow_layer(np.concatenate(results), block.after), block.squeeze)


@pytest.mark.parametrize("dilation", [2, 3, 4])
def test_a_block_agrees_with_a_slow_one(dilation: int) -> None:
    torch.manual_seed(0)
    block = prepare(SeRes2Block(8, 4, 3, dilation))
    frames = torch.randn(1, 8, 11, dtype=torch.float64)
    found = block(frames, None)[0].detach().numpy()
    # 1e-12: float64 sums in another order.
    np.testing.assert_allclose(found, slow_block(frames[0].numpy(), block, 4), atol=1e-12)


def test_a_block_sees_the_sum_of_all_before_it_and_the_last_layer_sees_all_blocks() -> None:
    torch.manual_seed(0)
    encoder = prepare(Ecapa(SMALL, 5))
    feats = torch.randn(1, 14, 5, dtype=torch.float64)
    stem = slow_layer(feats[0].numpy().T, encoder.stem)
    first = slow_block(stem, encoder.blocks[0], 4)
    second = slow_block(stem + first, encoder.blocks[1], 4)
    third = slow_block(stem + first + second, encoder.blocks[2], 4)
    together = slow.relu(slow.convolve(np.concatenate([first, second, third]), encoder.aggregate[0]))
    with torch.no_grad():
        frames, lengths = encoder(feats, torch.tensor([14]))
    assert lengths.tolist() == [14]
    np.testing.assert_allclose(frames[0].numpy(), together.T, atol=1e-11)  # numbers up to a hundred
