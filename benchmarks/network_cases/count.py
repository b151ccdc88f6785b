"""Parameters of a network, and its multiply-accumulates per second of speech in embedding.

Convolutions, affine layers, matrix products (attention, dictionaries) and the gates of recurrent layers are counted.
Operations on single values are not (norms, activations, softmax, the products of gates and states, statistics), nor are
the features.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from nnet.config.sections import FeatureOptions
from nnet.features import frame_rate as frame_rates
from nnet.model import SpeakerNet

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("encoder", "pooling", "embedding", "head_and_loss")
# Whole layers in one operation of a CPU library, which the counter would miss.
WHOLE_LAYERS = ("rnn", "lstm", "gru", "attention", "transformer", "linear", "mv", "dot", "conv", "matmul", "einsum")


def frame_rate(features: FeatureOptions) -> float:
    """Frames per second, from the option file of the features.

    Raises:
        KaldiError: the file cannot be used.
    """
    return frame_rates.frame_rate(features.type, ROOT / features.config)


def parameters(net: SpeakerNet) -> dict[str, int]:
    """How many numbers each part learns; head and loss, which serve training alone, are one part."""

    def count(*modules: nn.Module) -> int:
        return sum(parameter.numel() for module in modules for parameter in module.parameters())

    parts = ((net.encoder,), (net.pooling,), (net.embedding,), (net.head, net.loss_function))
    return dict(zip(PARTS, (count(*modules) for modules in parts), strict=True))


class _Watch(TorchDispatchMode):
    """Refuses operations that hold products but have no formula in the counter."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func._overloadpacket).rpartition(".")[2]
        if func._overloadpacket not in flop_registry and any(word in name for word in WHOLE_LAYERS):
            raise RuntimeError(f"{func} holds products that the counter cannot see; add a formula for it")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _plain_operations() -> Iterator[None]:
    """Recurrent layers and attention as the products that they are made of, not as one operation each."""
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.filterwarnings("ignore", message="TF32 acceleration")  # of GPUs, which this counts nothing of
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.enable_grad())
        yield  # with gradients on, a transformer in eval mode takes no short cut


def macs(net: SpeakerNet, num_frames: int) -> int:
    """Multiply-accumulates of embedding one utterance of so many frames; `net` is left in eval mode."""
    net.eval()
    feats = torch.zeros(1, num_frames, net.feature_dim)
    counter = FlopCounterMode(display=False)
    with _plain_operations(), counter, _Watch():
        net.embed(feats, torch.tensor([num_frames]))
    return int(counter.get_total_flops()) // 2


def macs_per_second(net: SpeakerNet, rate: float, seconds: float) -> float:
    """Multiply-accumulates per second of speech, of an utterance embedded whole.

    They depend on the length: a little if layers lose frames at the ends, much if each frame attends to all.

    Args:
        net: the network.
        rate: frames per second.
        seconds: length of the utterance.
    """
    num_frames = max(net.min_frames, round(rate * seconds))
    return macs(net, num_frames) * rate / num_frames
