"""A run that is counted in epochs, counted in steps: how many depends on the training list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnet.config.experiment import Config
from nnet.data.lists import UtteranceList
from nnet.data.sampler import repetitions


def epoch_steps(config: Config, utterances: UtteranceList) -> int:
    """Steps of an epoch: as many chunks as the list has utterances, with balance jl counted with their repetitions.

    The last batch of an epoch may hold some chunks of the next, since batches have one size.
    """
    chunks = len(utterances)
    if config.data.balance == "jl":
        counts = np.bincount(utterances.speakers).astype(np.int64)
        chunks = int((counts * repetitions(counts)).sum())
    return -(-chunks // config.data.batch_size)


def in_steps(config: Config, utterances: UtteranceList) -> Config:
    """The config with `training.steps` of so many epochs and a validation after each, if it is counted in epochs.

    Args:
        config: the experiment.
        utterances: the training list; the same list gives the same steps, so that a run can be resumed.
    """
    training = config.training
    if training.epochs is None:
        return config
    each = epoch_steps(config, utterances)
    return replace(config, training=replace(training, steps=training.epochs * each, valid_every=each))
