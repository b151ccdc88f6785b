"""The network of a checkpoint, ready to embed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import InputError
from nnet.config.experiment import from_mapping
from nnet.config.sections import InferenceOptions
from nnet.inference.windows import override_inference
from nnet.model import SpeakerNet, build
from nnet.training.checkpoint import DamagedError, load_checkpoint
from nnet.training.fine_tuning import LOSS_PREFIX

_WAYS_OUT = (
    "give the training command again, which writes best.pt again if another file has the same step, or choose another"
    " model: --checkpoint last, or --checkpoint FILE"
)


@dataclass(frozen=True)
class Model:
    """A trained network and what it expects.

    Attributes:
        net: in eval mode.
        dim: F, columns of its features.
        min_frames: fewer frames cannot be embedded.
        device: where it is.
        inference: how an embedding is computed.
        unit: embeddings are of length 1, and so is a mean of them.
    """

    net: SpeakerNet
    dim: int
    min_frames: int
    device: torch.device
    inference: InferenceOptions
    unit: bool

    @property
    def fewest_frames(self) -> int:
        """An utterance with fewer frames is dropped."""
        options = self.inference
        if options.mode == "slices":
            return 1  # reflection lengthens it
        return options.window if options.mode == "windows" and options.short == "drop" else self.min_frames


def load_model(path: Path, device: torch.device, overrides: Sequence[str] = ()) -> Model:
    """The network of a checkpoint, built from the config in it.

    Args:
        path: the checkpoint.
        device: where the network is put.
        overrides: `key=value` for its section `inference`.

    Raises:
        InputError: no checkpoint, weights that do not fit its config, or windows too short for the network.
        ConfigError: an override that cannot be used.
    """
    try:
        checkpoint = load_checkpoint(path)
    except DamagedError as error:
        raise InputError(f"{error}; {_WAYS_OUT}") from error
    config = from_mapping(checkpoint.config, str(path))
    net = build(config, len(checkpoint.speaker_ids))
    load_weights(net, checkpoint.model, path)
    min_frames = net.needed_frames
    inference = override_inference(config.inference, overrides)
    if inference.mode != "whole" and inference.window < min_frames:
        raise InputError(f"{path}: inference.window is {inference.window}, expected {min_frames} frames or more")
    unit = net.normalise
    net.normalise = unit and inference.mean_of == "embeddings"
    return Model(net.eval().to(device), config.features.dim, min_frames, device, inference, unit)


def load_weights(net: SpeakerNet, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Set a network's weights. An imported checkpoint may have none of the loss, which embedding does not need.

    Raises:
        InputError: other tensors or shapes than the network's.
    """
    own = {name: tensor for name, tensor in net.state_dict().items() if name.startswith(LOSS_PREFIX)}
    lossless = not any(name.startswith(LOSS_PREFIX) for name in weights)
    try:
        net.load_state_dict({**weights, **own} if lossless else weights)
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit its config: {error}") from error
