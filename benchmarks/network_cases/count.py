"""Parameters, and multiply-accumulates per second of speech, of a network as it embeds.

Counted are convolutions, affine layers, products of matrices (attention, dictionaries), and the gates of recurrent
layers. Left out is what is done once for each value: norms, activations, softmax, the products of gates and states,
statistics; and the features themselves.
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
# Whole layers in one operation, as the libraries of a processor have them: the counter would see nothing of them.
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
    """Of an utterance of so many seconds, embedded whole, at `rate` frames per second.

    It depends on the length a little where layers lose frames at the ends, and much where each frame attends to all.
    """
    num_frames = max(net.min_frames, round(rate * seconds))
    return macs(net, num_frames) * rate / num_frames
