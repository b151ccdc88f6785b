"""Recurrent and attention layers written out in numpy, one utterance and one step at a time.

Written from the equations alone, with no use of torch's modules: they only hand over their weights.
"""

from __future__ import annotations

import math

import numpy as np
import torch

Weights = dict[str, np.ndarray]


def weights_of(module: torch.nn.Module) -> Weights:
    """The parameters of a module by name, float64."""
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru_step(x: np.ndarray, h: np.ndarray, weights: Weights, suffix: str) -> np.ndarray:
    """One step of one direction: reset, update, candidate (the reset gate on the product with its bias)."""
    from_x = weights[f"weight_ih_{suffix}"] @ x + weights[f"bias_ih_{suffix}"]
    from_h = weights[f"weight_hh_{suffix}"] @ h + weights[f"bias_hh_{suffix}"]
    (xr, xz, xn), (hr, hz, hn) = np.split(from_x, 3), np.split(from_h, 3)
    reset, update = sigmoid(xr + hr), sigmoid(xz + hz)
    candidate = np.tanh(xn + reset * hn)
    return (1 - update) * candidate + update * h


def gru(frames: np.ndarray, weights: Weights, layers: int, directions: int) -> np.ndarray:
    """(T, F) → (T, directions · H)."""
    for layer in range(layers):
        sides = []
        for suffix in (f"l{layer}", f"l{layer}_reverse")[:directions]:
            order = range(len(frames))[:: -1 if suffix.endswith("reverse") else 1]
            h = np.zeros(weights[f"weight_hh_{suffix}"].shape[1])
            states = np.zeros((len(frames), len(h)))
            for t in order:
                h = states[t] = gru_step(frames[t], h, weights, suffix)
            sides.append(states)
        frames = np.concatenate(sides, axis=1)
    return frames


def lstm(frames: np.ndarray, weights: Weights, layers: int, directions: int) -> np.ndarray:
    """(T, F) → (T, directions · H); gates in the order input, forget, cell, output."""
    for layer in range(layers):
        sides = []
        for suffix in (f"l{layer}", f"l{layer}_reverse")[:directions]:
            order = range(len(frames))[:: -1 if suffix.endswith("reverse") else 1]
            h = np.zeros(weights[f"weight_hh_{suffix}"].shape[1])
            cell, states = np.zeros_like(h), np.zeros((len(frames), len(h)))
            for t in order:
                gates = weights[f"weight_ih_{suffix}"] @ frames[t] + weights[f"bias_ih_{suffix}"]
                gates = gates + weights[f"weight_hh_{suffix}"] @ h + weights[f"bias_hh_{suffix}"]
                i, f, g, o = np.split(gates, 4)
                cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
                h = states[t] = sigmoid(o) * np.tanh(cell)
            sides.append(states)
        frames = np.concatenate(sides, axis=1)
    return frames


def convolve(samples: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """(C, T) and (C', C, K) → (C', T')."""
    size = kernel.shape[2]
    starts = range(0, samples.shape[1] - size + 1, stride)
    return np.array([[(samples[:, t : t + size] * row).sum() for t in starts] for row in kernel])


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def layer_norm(frames: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    centred = frames - frames.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(queries: np.ndarray, memory: np.ndarray, weights: Weights, name: str, heads: int) -> np.ndarray:
    """(Q, C) and (T, C) → (Q, C): each query and head in turn, over all of `memory`, which holds no padding."""
    width = queries.shape[1]
    size = width // heads
    projections = np.split(weights[f"{name}.in_proj_weight"], 3), np.split(weights[f"{name}.in_proj_bias"], 3)
    q, k, v = (x @ w.T + b for x, w, b in zip((queries, memory, memory), *projections, strict=True))
    heard = np.zeros((len(queries), width))
    for index in range(len(queries)):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.array([q[index, part] @ k[t, part] / math.sqrt(size) for t in range(len(memory))])
            shares = np.exp(scores - scores.max())
            heard[index, part] = sum(share * v[t, part] for t, share in enumerate(shares / shares.sum()))
    return heard @ weights[f"{name}.out_proj.weight"].T + weights[f"{name}.out_proj.bias"]


def feed_forward(frames: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    inner = np.maximum(frames @ weights[f"{name}.linear1.weight"].T + weights[f"{name}.linear1.bias"], 0)
    return inner @ weights[f"{name}.linear2.weight"].T + weights[f"{name}.linear2.bias"]


def encoder_layer(frames: np.ndarray, weights: Weights, name: str, heads: int) -> np.ndarray:
    """(T, C) → (T, C): attention, then two affine layers, a layer norm after each residual."""
    heard = attention(frames, frames, weights, f"{name}.self_attn", heads)
    frames = layer_norm(frames + heard, weights, f"{name}.norm1")
    return layer_norm(frames + feed_forward(frames, weights, name), weights, f"{name}.norm2")


def decoder_layer(query: np.ndarray, memory: np.ndarray, weights: Weights, name: str, heads: int) -> np.ndarray:
    """(Q, C) and (T, C) → (Q, C): attention among the queries, then to the memory, then two affine layers."""
    query = layer_norm(query + attention(query, query, weights, f"{name}.self_attn", heads), weights, f"{name}.norm1")
    heard = attention(query, memory, weights, f"{name}.multihead_attn", heads)
    query = layer_norm(query + heard, weights, f"{name}.norm2")
    return layer_norm(query + feed_forward(query, weights, name), weights, f"{name}.norm3")
