"""The experiment of a run: its YAML, changed by the corpus file and the command line; imported networks.

Reading it imports no torch. The order of the changes decides, the last one wins: the seed, online augmentation, the
corpus file, `--max-steps`, the command line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from common.errors import InputError
from nnet.config.experiment import Config, get, load
from nnet.config.overrides import Override
from nnet.config.shortening import shortened
from recipe.command_line import Change, Given, log_line

IMPORTED_STAGES = (2, 3, 4, 5, 6)
"""Stages that an imported network does not have: what training alone needs."""
_LENGTH = re.compile(r"training(=|\.(steps|epochs|most_steps)=(?!(null|~)?$))")


@dataclass(frozen=True)
class Network:
    """An experiment and its changes, in the order of their precedence.

    Args:
        path: the YAML.
        seed: the random seed, `--seed`.
        corpus: changes by the corpus file.
        own: changes by `--nnet-opts`.
        inference: `--inference`; checked with the others, but no part of the training.
        online: changes by `--augment online`.
        shorter: changes by `--max-steps`.
        at_most: the steps of `--max-steps` again, if `--nnet-opts` sets more, or as the limit of epochs.
        passed_over: stages that this network does not have.
    """

    path: str
    seed: int
    corpus: tuple[Change, ...]
    own: tuple[Change, ...]
    inference: tuple[Change, ...]
    online: tuple[Change, ...] = ()
    shorter: tuple[Change, ...] = ()
    at_most: tuple[Change, ...] = ()
    passed_over: tuple[int, ...] = ()

    def changes(self) -> tuple[Change, ...]:
        """What training gets."""
        seed = Change(f"training.seed={self.seed}", f"--seed {self.seed}")
        return (seed, *self.online, *self.corpus, *self.shorter, *self.own, *self.at_most)

    def load(self) -> Config:
        """The changed experiment.

        Raises:
            InputError: the YAML, or a change of it, is wrong; the change is named as it was given.
        """
        return load(self.path, [Override(each.text, each.given) for each in (*self.changes(), *self.inference)])

    def has_own_augmentation(self) -> bool:
        """Whether the YAML itself has a section `augment`."""
        try:
            return bool(get(load(self.path), "augment"))
        except InputError:  # without the changes it may lack something
            return False


def network_of(given: Given) -> Network:
    """The experiment that the options choose; an imported network has its own.

    Raises:
        InputError: there is none, or an option cannot change an imported network.
    """
    options = given.options()
    if options.nnet_config is None and not _is_imported(options.exp):
        if given.on_command_line("nnet_config"):
            raise InputError("--nnet-config is -; give a file, e.g. conf/nnet/mini.yaml")
        raise InputError(f"--nnet-config is missing: conf/pipeline/{options.corpus}.conf names none")
    network = Network(
        path=options.nnet_config or "",
        seed=options.seed,
        corpus=tuple(given.corpus_changes),
        own=tuple(Change(text, f"--nnet-opts {text}") for text in options.nnet_opts),
        inference=tuple(
            Change(f"inference.{text}", f"--inference {text}") for text in (options.inference or "").split()
        ),
    )
    _check_lengths(network)
    return _imported(given, network) if _is_imported(options.exp) else network


def _check_lengths(network: Network) -> None:
    """Raise InputError if one source of changes sets both steps and epochs: which comes later is then no choice."""
    files = groupby(network.corpus, lambda change: change.given.partition(": nnet_opts=")[0].rpartition(":")[0])
    for changes in (network.own, *(tuple(lines) for _, lines in files)):
        found = {match[2]: change for change in changes if (match := _LENGTH.match(change.text))}
        if "steps" in found and "epochs" in found:
            both = f"{found['epochs'].given} and {found['steps'].given}"
            raise InputError(f"{both} both give the length of the run; keep one")


def _is_imported(exp: str | None) -> bool:
    """Whether `python3 -m nnet.import_checkpoint` made the experiment."""
    return exp is not None and Path(exp, "imported.yaml").exists()


def _imported(given: Given, network: Network) -> Network:
    exp = given.values["exp"]
    own = f"{exp}/config.yaml"
    if given.on_command_line("nnet_config") and given.values["nnet_config"] != own:
        raise InputError(f"--exp {exp} holds an imported network with its own config; leave out --nnet-config")
    if given.on_command_line("nnet_opts"):
        raise InputError(
            f"--nnet-opts changes nothing of the imported network in {exp}; --inference changes how embeddings are"
            " extracted"
        )
    return replace(network, path=own, corpus=(), own=(), passed_over=IMPORTED_STAGES)


def shorten(network: Network, given: Given, config: Config) -> Network:
    """The network in a run of `--max-steps` at most.

    Steps and epochs of `--nnet-opts` take precedence over the steps of the corpus file.

    Raises:
        InputError: the option file of the features cannot be used.
    """
    most = given.values.get("max_steps")
    length_given = any(_LENGTH.match(change.text) for change in network.own)
    if most is None or network.passed_over or (length_given and not given.on_command_line("max_steps")):
        return network
    changes = tuple(Change(f"{key}={value}", f"--max-steps {most}") for key, value in shortened(config, most).items())
    if not changes:
        return network
    texts = " ".join(change.text for change in changes)
    if config.training.epochs is not None:
        log_line(
            f"{network.path} is counted in epochs; if these are more than the {most} steps of --max-steps, it is"
            f" shortened when training begins: {texts}"
        )
        return replace(network, at_most=changes)
    log_line(f"{network.path} asks for more than the {most} steps of --max-steps, and is changed: {texts}")
    at_most = (Change(f"training.steps={most}", f"--max-steps {most}"),) if length_given else ()
    return replace(network, shorter=changes, at_most=at_most)


def augmented_online(network: Network, augment_config: str) -> Network:
    """The network that reads audio while it trains, and augments it."""
    online = (
        Change("data.source=audio", "--augment online"),
        Change(f"augment={augment_config}", f"--augment-config {augment_config}"),
    )
    return replace(network, online=online)


def config_values(config: Config, keys: Sequence[str]) -> list[Any]:
    """The values of dotted keys."""
    return [get(config, key) for key in keys]
