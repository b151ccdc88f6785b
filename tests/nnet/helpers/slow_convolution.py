"""Layers of convolution one number after the other, in float64: nothing here knows of batches, masks or torch's own."""

from __future__ import annotations

import itertools

import numpy as np
from torch import nn

Array = np.ndarray


def numbers(tensor: object) -> Array:
    return tensor.detach().double().numpy()  # type: ignore[attr-defined]


def convolve(planes: Array, layer: nn.Module) -> Array:
    """(C, T) or (C, T, F) → the same with the layer's channels; zeros beyond the edges."""
    weight = numbers(layer.weight)
    kernel = weight.shape[2:]
    stride, padding, dilation = layer.stride, layer.padding, layer.dilation
    sizes = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, p, d, k, s in zip(planes.shape[1:], padding, dilation, kernel, stride, strict=True)
    ]
    result = np.zeros((len(weight), *sizes))
    for place in np.ndindex(*sizes):
        for tap in np.ndindex(*kernel):
            source = [n * s - p + k * d for n, s, p, k, d in zip(place, stride, padding, tap, dilation, strict=True)]
            if all(0 <= at < size for at, size in zip(source, planes.shape[1:], strict=True)):
                result[(slice(None), *place)] += (
                    weight[(slice(None), slice(None), *tap)] @ planes[(slice(None), *source)]
                )
    if layer.bias is not None:
        result += numbers(layer.bias).reshape(-1, *[1] * len(sizes))
    return result


def normalise(planes: Array, norm: nn.Module) -> Array:
    """Batch norm in eval mode."""
    shape = (-1, *[1] * (planes.ndim - 1))
    mean, variance = numbers(norm.running_mean).reshape(shape), numbers(norm.running_var).reshape(shape)
    scale, shift = numbers(norm.weight).reshape(shape), numbers(norm.bias).reshape(shape)
    return (planes - mean) / np.sqrt(variance + norm.eps) * scale + shift


def relu(planes: Array) -> Array:
    return np.maximum(planes, 0)


def affine(vector: Array, layer: nn.Module) -> Array:
    bias = 0 if layer.bias is None else numbers(layer.bias)
    return numbers(layer.weight) @ vector + bias


def excite(planes: Array, module: nn.Module) -> Array:
    """Squeeze-and-excitation over an utterance that has no padding."""
    means = np.array([channel.mean() for channel in planes])
    factors = 1 / (1 + np.exp(-affine(relu(affine(means, module.squeeze)), module.excite)))
    return planes * factors.reshape(-1, *[1] * (planes.ndim - 1))


def halve(planes: Array, keep_odd_column: bool) -> Array:
    """Means of 2 × 2 of (C, T, F); an odd last frame falls away, an odd last column too or is averaged alone."""
    channels, num_frames, columns = planes.shape
    out_columns = (columns + 1) // 2 if keep_odd_column else columns // 2
    result = np.zeros((channels, num_frames // 2, out_columns))
    for time, column in itertools.product(range(num_frames // 2), range(out_columns)):
        result[:, time, column] = planes[:, 2 * time : 2 * time + 2, 2 * column : 2 * column + 2].mean(axis=(1, 2))
    return result
