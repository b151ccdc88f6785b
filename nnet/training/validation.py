"""The number that chooses the best model: the equal error rate over trials of held-out utterances.

Accuracy on known speakers goes on rising while the embedding gets worse for new ones; trials measure the embedding.
Published systems were chosen by that accuracy: `training.valid_by: speakers` takes the share that is not recognised.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from common.errors import InputError
from nnet.config.experiment import Config
from nnet.data.batches import read_frames
from nnet.data.lists import HeldOutTrials, TrainingLists, UtteranceList
from nnet.inference.embed import batches_by_length, embed_batch
from nnet.model import SpeakerNet
from scoring.metrics import eer

MEASURES = {"eer": "EER", "speakers": "speaker errors"}  # training.valid_by, in the log
BLOCK = 4096  # embeddings at once in speaker_error: the logits of 7,000 classes are 115 MB


def embed_utterances(
    net: SpeakerNet, utterances: UtteranceList, dim: int, max_frames: int, device: torch.device
) -> torch.Tensor:
    """Embeddings of a list, of each utterance's first `max_frames` frames, or fewer if the encoder asks for it.

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
    max_frames = min(max_frames, net.max_frames or max_frames)
    lengths = np.minimum(utterances.num_frames, max_frames)
    embeddings = torch.empty(len(utterances), net.embedding_dim)
    for batch in batches_by_length(lengths, max_frames):
        feats = [read_frames(utterances, utt, 0, int(lengths[utt]), dim) for utt in batch]
        embeddings[batch] = embed_batch(net, feats, device)
    net.train(training)
    return embeddings


def check_lengths(net: SpeakerNet, utterances: UtteranceList, max_frames: int) -> None:
    """Check before training that the network can embed what `embed_utterances` will give it.

    Raises:
        InputError: an utterance, or all of them by `max_frames`, would have fewer frames than the encoder sees at once.
    """
    least = net.needed_frames
    if len(utterances) and max_frames < least:
        raise InputError(f"data.valid_batch_frames is {max_frames}, expected {least} frames or more for this encoder")
    short = np.flatnonzero(utterances.num_frames < least)
    if len(short):
        utt = int(short[0])
        raise InputError(
            f"{utterances.utt_ids[utt]}: held out, {utterances.num_frames[utt]} frames, but this encoder needs {least};"
            f" {len(short)} such utterances are held out; make the lists with --min-frames {least} or more"
        )


def cosine_eer(embeddings: torch.Tensor, trials: HeldOutTrials) -> float:
    """Equal error rate, a share, of cosine scores of embeddings (N, E) from which their mean was taken.

    Raises:
        InputError: an embedding is not finite.
    """
    if not torch.isfinite(embeddings).all():
        raise InputError("validation: an embedding is not finite, though the loss was; lower the rate, or set float32")
    directions = functional.normalize((embeddings - embeddings.mean(dim=0)).double())
    scores = (directions[torch.from_numpy(trials.enroll)] * directions[torch.from_numpy(trials.test)]).sum(dim=1)
    return eer(scores.numpy(), trials.target)


def speaker_error(net: SpeakerNet, embeddings: torch.Tensor, utterances: UtteranceList, step: int) -> float:
    """Share of utterances of known speakers that head and loss give to another one.

    Args:
        net: the network; left in the mode in which it was.
        embeddings: (N, E), of the utterances.
        utterances: N of them.
        step: the training step, on which the loss may depend.
    """
    training = net.training
    net.eval()
    device = next(net.parameters()).device
    labels = torch.from_numpy(utterances.speakers.astype(np.int64))
    right = decisions = 0
    with torch.inference_mode():
        for block, own in zip(embeddings.split(BLOCK), labels.split(BLOCK), strict=True):
            _, hits = net.loss(block.to(device), own, step)
            right, decisions = right + int(hits.sum()), decisions + len(hits)
    net.train(training)
    return 1 - right / decisions


def valid_error(
    net: SpeakerNet, lists: TrainingLists, config: Config, step: int, device: torch.device
) -> float | None:
    """The error rate that `training.valid_by` chooses, a share; None if nothing is held out."""
    if not len(lists.trials):
        return None
    frames = config.data.valid_batch_frames
    embeddings = embed_utterances(net, lists.valid, config.features.dim, frames, device)
    if config.training.valid_by == "speakers":
        return speaker_error(net, embeddings, lists.valid, step)
    return cosine_eer(embeddings, lists.trials)
