"""The number that chooses the best model: the equal error rate over trials of held-out utterances.

Accuracy on known speakers goes on rising while the embedding gets worse for new ones; trials measure what is wanted.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from nnet.data import read_frames
from nnet.embed import batches_by_length, embed_batch
from nnet.errors import NnetError
from nnet.lists import TrainingLists, Trials, Utterances
from nnet.model import SpeakerNet
from scoring.metrics import eer


def embed_utterances(
    net: SpeakerNet, utterances: Utterances, dim: int, max_frames: int, device: torch.device
) -> torch.Tensor:
    """Embeddings of a list, of each utterance's first `max_frames` frames.

    Args:
        net: the network; left in the mode in which it was.
        utterances: N of them.
        dim: F.
        max_frames: frames of a batch with its padding.

    Returns:
        float32 (N, E) on the CPU.
    """
    training = net.training
    net.eval()
    lengths = np.minimum(utterances.num_frames, max_frames)
    embeddings = torch.empty(len(utterances), net.embedding_dim)
    for batch in batches_by_length(lengths, max_frames):
        feats = [read_frames(utterances, utt, 0, int(lengths[utt]), dim) for utt in batch]
        embeddings[batch] = embed_batch(net, feats, device)
    net.train(training)
    return embeddings


def cosine_eer(embeddings: torch.Tensor, trials: Trials) -> float:
    """Equal error rate, a share, of cosine scores of embeddings (N, E) from which their mean was taken.

    Raises:
        NnetError: an embedding is not finite.
    """
    if not torch.isfinite(embeddings).all():
        raise NnetError("validation: an embedding is not finite, though the loss was; lower the rate, or set float32")
    directions = functional.normalize((embeddings - embeddings.mean(dim=0)).double())
    scores = (directions[torch.from_numpy(trials.enroll)] * directions[torch.from_numpy(trials.test)]).sum(dim=1)
    return eer(scores.numpy(), trials.target)


def valid_eer(net: SpeakerNet, lists: TrainingLists, dim: int, max_frames: int, device: torch.device) -> float | None:
    """Equal error rate over the held-out trials, a share; None where there are none."""
    if not len(lists.trials):
        return None
    return cosine_eer(embed_utterances(net, lists.valid, dim, max_frames, device), lists.trials)
