"""Whether the encoder computes in bf16: only where that is faster, decided once and kept in the checkpoint.

bf16 has the range of float32 and 8 bits of precision; no loss scaling is needed. On a CPU without bf16 instructions it
is emulated and slower; with them a wide network gains (a 512-d x-vector: 2 to 2.6 times) and a narrow one loses, as
converting its tensors costs more than its products. So on a CPU the network itself is timed.
"""

from __future__ import annotations

import copy
import logging
import time
from typing import Literal

import torch

from nnet.config import Config
from nnet.errors import NnetError
from nnet.model import SpeakerNet
from nnet.sampler import trial_labels

log = logging.getLogger("train")

Precision = Literal["float32", "bf16"]

REQUIRED_GAIN = 1.25  # less would not pay for the precision, and would be within the noise of the timing
TIMED_CHUNKS = 16
TIMED_STEPS = 5


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a forward pass has this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(net: SpeakerNet, config: Config, device: torch.device, num_speakers: int = 2) -> Precision:
    """What `training.precision` means for this network on this machine.

    Args:
        net: the network, with its loss. config: its experiment. device: where it is trained.
        num_speakers: that the loss has labels for; a metric loss is timed on as many as a small batch holds.

    Raises:
        NnetError: bf16 is asked for and the device cannot do it.
    """
    asked = config.training.precision
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        if asked == "bf16" and not able:
            name = torch.cuda.get_device_name(device)
            raise NnetError(f"training.precision is bf16, which {name} cannot do; set float32 or auto")
        return "bf16" if able and asked != "float32" else "float32"
    if asked != "auto":
        return asked
    if not cpu_has_bf16():
        return "float32"
    seconds = _time_steps(net, config, num_speakers)
    gain = seconds["float32"] / seconds["bf16"]
    log.info("precision auto: a bf16 step takes %.2f of a float32 step", 1 / gain)
    return "bf16" if gain >= REQUIRED_GAIN else "float32"


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers itself (AVX512-BF16 or AMX, or Arm's BF16)."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16"))


def _time_steps(net: SpeakerNet, config: Config, num_speakers: int) -> dict[str, float]:
    """Shortest of a few steps in each precision, taken in turns, so that what else the machine does hits both alike.

    The network and torch's generator are left as they were.
    """
    trial = copy.deepcopy(net).train()
    data = config.data
    chunks = min(TIMED_CHUNKS, data.batch_size)
    labels = torch.from_numpy(trial_labels(data.balance, chunks, data.utterances_per_speaker, num_speakers))
    frames = sum(data.chunk_frames) // 2
    generator = torch.Generator().manual_seed(0)
    feats = torch.randn(len(labels), frames, config.features.dim, generator=generator)
    seconds: dict[str, list[float]] = {"float32": [], "bf16": []}
    with torch.random.fork_rng(devices=[]):
        for _ in range(1 + TIMED_STEPS):
            for precision, taken in seconds.items():
                begin = time.perf_counter()
                _step(trial, feats, labels, precision)
                taken.append(time.perf_counter() - begin)
    return {precision: min(taken[1:]) for precision, taken in seconds.items()}  # the first one sets things up


def _step(net: SpeakerNet, feats: torch.Tensor, labels: torch.Tensor, precision: str) -> None:
    with autocast(feats.device, precision):
        loss, _ = net.training_loss(feats, torch.full((len(feats),), feats.shape[1]), labels, 1)
    net.zero_grad()
    loss.backward()
