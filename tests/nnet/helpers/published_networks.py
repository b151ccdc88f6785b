"""Networks made of weights with published names, and the layers that their slow versions share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from nnet.inference.loading import load_weights
from nnet.model import SpeakerNet, build
from nnet.published.convert import Imported, convert_checkpoint
from nnet.published.reading import SourceFile
from nnet.published.table import Choices

TOLERANCE = {"atol": 1e-5, "rtol": 1e-4}  # of numbers about 1: float32 sums in another order


def import_of(content: dict[str, Any], overrides: list[str] | None = None, **choices: Any) -> Imported:
    source = SourceFile(Path("published.pt"), dict(content), "0" * 64, 1 << 40)
    return convert_checkpoint(source, Choices(**choices), overrides or [])


def network(imported: Imported) -> SpeakerNet:
    net = build(imported.config, len(imported.speaker_ids))
    load_weights(net, imported.tensors, Path("published.pt"))
    return net.eval()


def embed(imported: Imported, feats: torch.Tensor) -> torch.Tensor:
    """(1, T, F) → (1, E)."""
    with torch.no_grad():
        return network(imported).embed(feats, torch.tensor([feats.shape[1]]))


def held(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a file, at any depth."""
    for holder in ("encoder_state_dict", "model_state_dict", "Model", "state_dict"):
        if holder in content:
            return content[holder]
    return content


def trained(weights: dict[str, torch.Tensor]) -> int:
    """Numbers that training changed."""
    left = ("running_mean", "running_var", "num_batches_tracked", "positional_encoding.pe")
    return sum(tensor.numel() for key, tensor in weights.items() if not key.endswith(left))


def normalise(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    keys = ("running_mean", "running_var", "weight", "bias")
    return functional.batch_norm(x, *(weights[f"{name}.{key}"] for key in keys))


def apply_linear(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def feats_of(num_frames: int, dim: int) -> torch.Tensor:
    return torch.randn(1, num_frames, dim, generator=torch.Generator().manual_seed(3))
