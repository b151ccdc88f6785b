"""What training and extraction record about themselves, for the report: trained.yaml and extracted.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from common.whole_files import write_whole
from nnet.config.overrides import Override
from nnet.device import describe_device
from nnet.model import SpeakerNet
from nnet.training.checkpoint import Checkpoint, file_hash
from scoring.provenance import git_commit

TRAINED = "trained.yaml"


def training_record(
    state: Checkpoint, config: Path, overrides: Sequence[Override], device: torch.device, parameters: int
) -> dict[str, Any]:
    """Where the network came from and what has trained it so far.

    Args:
        state: of the run, as it would be saved.
        config: the YAML on the command line.
        overrides: those of the command line.
        device: of this session.
        parameters: number of them, with head and loss.
    """
    options = state.config["training"]
    start = {"file": options["start_from"], "sha256": state.start_hash} if options["start_from"] else None
    return {
        "config": str(config),
        "overrides": [override.text for override in overrides],
        "start_from": start,
        "parameters": parameters,
        "steps": options["steps"],
        "step": state.step,
        "best_step": state.best_step if state.best_eer is not None else state.step,
        "seconds": round(state.seconds, 1),
        "precision": state.precision,
        "device": describe_device(device),
        "torch": str(torch.__version__),
        "commit": git_commit(),
    }


def extraction_record(
    checkpoint: Path, inference: Sequence[str], device: torch.device, parameters: int
) -> dict[str, Any]:
    """What computed embeddings.

    Args:
        checkpoint: the network.
        inference: changes of the section `inference`.
        device: where it ran.
        parameters: number of those that compute an embedding.
    """
    return {
        "checkpoint": str(checkpoint),
        "sha256": file_hash(checkpoint),
        "inference": list(inference),
        "parameters": parameters,
        "device": describe_device(device),
        "torch": str(torch.__version__),
        "commit": git_commit(),
    }


def num_parameters(net: SpeakerNet, embedding: bool = False) -> int:
    """Number of parameters of a network.

    Args:
        net: the network.
        embedding: only of the parts that compute an embedding, without head and loss.
    """
    parts = (net.encoder, net.pooling, net.embedding) if embedding else (net,)
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as YAML. Raises InputError if it cannot be written."""
    write_whole(path, yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True, width=1000).encode())
