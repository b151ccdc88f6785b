"""Whether the encoder computes in bf16: decided once from what the device can do, and kept in the checkpoint.

bf16 has the range of float32 and 8 bits of precision; no loss scaling is needed. A device without bf16 instructions
emulates it and is slower. With them nearly every network gains (one thread of an AMD EPYC, a step of 16 chunks: TDNN
1.9 times, ResNet 1.6 to 1.9, LSTM 1.4 to 1.8, a GRU of 768 twice); one that loses says so (`gains_from_bf16`).
"""

from __future__ import annotations

import logging
from typing import Literal

import torch
from torch import nn

from common.errors import InputError
from nnet.config.experiment import Config
from nnet.device import cpu_refuses_bf16_lstm, describe_device, has_bf16

log = logging.getLogger("train")

Precision = Literal["float32", "bf16"]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a forward pass has this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(config: Config, device: torch.device) -> Precision:
    """What `training.precision` means for this experiment on this device.

    Raises:
        InputError: the config asks for bf16 on a GPU that cannot do it.
    """
    asked, able = config.training.precision, has_bf16(device)
    if asked == "bf16" and device.type == "cuda" and not able:
        name = torch.cuda.get_device_name(device)
        raise InputError(f"training.precision is bf16, which {name} cannot do; set float32 or auto")
    if asked != "auto":
        return asked
    return "bf16" if able and (device.type == "cuda" or config.encoder.gains_from_bf16) else "float32"


def emulation(net: nn.Module, precision: str, device: torch.device) -> str | None:
    """What a run in bf16 does on a device without bf16 instructions, in words; None if nothing is emulated."""
    if precision != "bf16" or has_bf16(device):
        return None
    text = "emulated, slower than float32: no bf16 instructions here"
    recurrent = any(isinstance(module, nn.LSTM) for module in net.modules())
    if device.type == "cpu" and recurrent and cpu_refuses_bf16_lstm():
        text += "; LSTM layers in float32"
    return text


def warn_of_emulation(net: nn.Module, precision: str, device: torch.device) -> None:
    """Log one line if a run in bf16, asked for or resumed from another machine, is emulated here."""
    text = emulation(net, precision, device)
    if text is not None:
        log.warning("precision bf16 on %s: %s", describe_device(device), text)
