"""What a run trains, decided and checked: a network by its YAML, or i-vectors by theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from recipe.augmentation import Kind, augmentation_of
from recipe.command_line import Given
from recipe.ivector import load_ivector, step_options
from recipe.network import config_values, network_of, shorten
from recipe.options import flag_of

_FEATURES = ("type", "config", "cmvn", "vad", "frame_rate", "columns")  # the last checks the option file
_IVECTOR_PASSES = (2, 3, 4, 5, 7)
"""Stages that i-vectors do not have: they train on clean frames, which are prepared while they are read."""
OF_NETWORKS = ("nnet_config", "nnet_opts", "max_steps", "inference", "augment", "augment_config", "speed_perturb")
"""Options that say nothing of i-vectors."""


@dataclass(frozen=True)
class Features:
    """The section `features` of the experiment, and what its option file says."""

    type: str
    config: str
    cmvn: bool
    vad: bool
    frame_rate: float
    columns: int


@dataclass(frozen=True)
class Experiment:
    """A checked experiment.

    Args:
        path: its YAML.
        name: the end of its directory's name.
        overrides: changes of the YAML.
        features: what it reads.
        augment: how training data is augmented.
        augment_files: the file of online augmentation that stage 6 depends on.
        speed_perturb: whether copies at other speeds are made on disk.
        passed_over: stages that it does not have.
        start_from: the checkpoint that training begins with, if there is one.
        way: augmentation, YAML and changes, in words; estimates of time depend on it.
        own_vad: of i-vectors, what steps/make_feats.sh does to decide on speech in their features.
        steps: of i-vectors, the options of each training step; empty for a network.
    """

    path: str
    name: str
    overrides: tuple[str, ...]
    features: Features
    augment: Kind
    augment_files: tuple[str, ...]
    speed_perturb: bool
    passed_over: tuple[int, ...]
    start_from: tuple[str, ...]
    way: str
    own_vad: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]


def experiment_of(given: Given) -> Experiment:
    """The experiment that the options choose.

    Raises:
        InputError: there is none, its YAML or a change is wrong, or an option contradicts it.
    """
    return _network(given) if given.options().ivector_config is None else _ivectors(given)


def _network(given: Given) -> Experiment:
    if given.options().ivector_opts:
        raise InputError("--ivector-opts changes --ivector-config, which is not given")
    network = network_of(given)
    config = network.load()
    features = Features(*config_values(config, [f"features.{key}" for key in _FEATURES]))
    augmented = augmentation_of(given, shorten(network, given, config), features.type, config.data.source)
    network = augmented.network
    start_from = network.load().training.start_from
    changes = (*network.corpus, *network.shorter, *network.own, *network.at_most)
    return Experiment(
        path=network.path,
        name=f"{Path(network.path).name.removesuffix('.yaml')}{augmented.suffix}",
        overrides=tuple(change.text for change in network.changes()),
        features=features,
        augment=augmented.kind,
        augment_files=augmented.files,
        speed_perturb=augmented.speed_perturb,
        passed_over=network.passed_over,
        start_from=() if start_from is None else (start_from,),
        way=" ".join([augmented.kind, network.path, *(change.text for change in changes)]),
        own_vad=(),
        steps={},
    )


def _ivectors(given: Given) -> Experiment:
    options = given.options()
    for name in OF_NETWORKS:
        if given.on_command_line(name):
            raise InputError(f"{flag_of(name)} is for networks, --ivector-config for i-vectors; leave out one of them")
    path = str(options.ivector_config)
    loaded = load_ivector(path, options.ivector_opts)
    deltas, diagonal = step_options(loaded.features, without=("config", "vad_config")), loaded.diag_ubm
    name = Path(path).name.removesuffix(".yaml")
    return Experiment(
        path=path,
        name=name if name.startswith("ivector") else f"ivector-{name}",
        overrides=options.ivector_opts,
        features=Features("mfcc", loaded.features.config, cmvn=True, vad=True, frame_rate=100.0, columns=0),
        augment="none",
        augment_files=(),
        speed_perturb=False,
        passed_over=_IVECTOR_PASSES,
        start_from=(),
        way=" ".join(["none", path, *options.ivector_opts]),
        own_vad=_own_vad(loaded.features.vad_config),
        steps={
            "diag_ubm": (*deltas, *step_options(diagonal, without=("num_gauss",)), str(diagonal.num_gauss)),
            "full_ubm": step_options(loaded.full_ubm),
            "extractor": step_options(loaded.extractor),
        },
    )


def _own_vad(path: str | None) -> tuple[str, ...]:
    if path is None:
        return ()
    if not Path(path).is_file():
        raise InputError(f"features.vad_config is {path}, which is not a file; e.g. conf/vad_ivector.conf")
    return ("--vad-config", path)
