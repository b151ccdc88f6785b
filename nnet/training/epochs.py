"""A run that is counted in epochs, counted in steps: how many depends on the training list."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from nnet.config.experiment import Config, from_mapping, to_mapping
from nnet.config.shortening import shortened
from nnet.data.lists import UtteranceList
from nnet.data.sampler import repetitions

log = logging.getLogger("train")


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

    If these are more steps than `training.most_steps`, it is shortened, and no longer counted in epochs.

    Args:
        config: the experiment.
        utterances: the training list; the same list gives the same steps, so that a run can be resumed.

    Raises:
        ConfigError: the run is to be shortened, but the option file of the features cannot be used.
    """
    training = config.training
    if training.epochs is None:
        return config
    each = epoch_steps(config, utterances)
    counted = replace(training, steps=training.epochs * each, valid_every=each, most_steps=None)
    if training.most_steps is None or counted.steps <= training.most_steps:
        return replace(config, training=counted)
    whole = replace(config, training=replace(counted, epochs=None))
    changes = [f"{key}={value}" for key, value in shortened(whole, training.most_steps).items()]
    many = f"{training.epochs} epochs are {counted.steps} steps"
    log.info("%s, more than training.most_steps; changed: %s", many, " ".join(changes))
    return from_mapping(to_mapping(whole), "training.most_steps", changes)
