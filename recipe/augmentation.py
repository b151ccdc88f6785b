"""How training data is augmented: copies on disk, copies made while training reads audio, or none.

An experiment that reads audio (`data.source: audio`) has its own augmentation. For others `--augment online` sets
`data.source=audio` and the augmentation of `--augment-config`, unless the experiment cannot be augmented that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import InputError
from recipe.command_line import Given, log_line
from recipe.network import Network, augmented_online

Kind = Literal["ondisk", "online", "none"]


@dataclass(frozen=True)
class Augmentation:
    """What was decided.

    Args:
        kind: the way of augmentation.
        network: the experiment with the changes that this way needs.
        files: the file of online augmentation that stage 6 depends on.
        speed_perturb: whether copies at other speeds are made on disk.
        suffix: the end of the experiment's name, if the way is not that of the corpus file.
    """

    kind: Kind
    network: Network
    files: tuple[str, ...]
    speed_perturb: bool
    suffix: str


def augmentation_of(given: Given, network: Network, feats_type: str, source: str) -> Augmentation:
    """The way that the options and the experiment lead to.

    Args:
        given: the options.
        network: the experiment.
        feats_type: its `features.type`.
        source: its `data.source`.

    Raises:
        InputError: an option contradicts the experiment.
    """
    options = given.options()
    if network.passed_over:  # an imported network: nothing is trained
        kind: Kind = "online" if source == "audio" else "ondisk"
        return Augmentation(kind, network, (), speed_perturb=False, suffix="")
    obstacle = _obstacle(network, feats_type, source, options.augment)
    if source == "audio":
        return _of_experiment(options.augment, network, obstacle, options.speed_perturb)
    kind = options.augment or "ondisk"
    if kind == "online" and obstacle and not given.on_command_line("augment"):
        log_line(f"{network.path} {obstacle}: augmented copies are made on disk instead, as by --augment ondisk")
        kind = "ondisk"
    if kind == "online" and obstacle:
        raise InputError(f"{network.path} {obstacle}; use --augment ondisk")
    suffix = f"-{kind}" if given.on_command_line("augment") else ""
    if kind != "online":
        return Augmentation(kind, network, (), options.speed_perturb, suffix)
    file = _augment_config(given)
    return Augmentation(kind, augmented_online(network, file), (file,), speed_perturb=False, suffix=suffix)


def _of_experiment(asked: str | None, network: Network, obstacle: str, speed_perturb: bool) -> Augmentation:
    if asked not in (None, "online"):
        raise InputError(
            f"{network.path} has data.source audio: it augments while it reads audio, so --augment {asked} is"
            " impossible"
        )
    if obstacle:
        raise InputError(f"{network.path} {obstacle}; use --augment ondisk")
    return Augmentation("online", network, (), speed_perturb=False, suffix="")


def _obstacle(network: Network, feats_type: str, source: str, asked: str | None) -> str:
    """Why the experiment cannot be augmented online; "" if it can."""
    if feats_type == "logmel":
        return "has features.type logmel, of another rate than the audio that augmentation while training reads"
    if asked == "online" and source != "audio" and network.has_own_augmentation():
        return "has a section augment, which that of --augment-config would replace (data.source audio would use it)"
    return ""


def _augment_config(given: Given) -> str:
    file = given.options().augment_config
    is_callers = given.called_from != given.checkout and (given.called_from / file).exists()
    return str(given.checkout / file) if is_callers else file  # the default is not the caller's file of that name
