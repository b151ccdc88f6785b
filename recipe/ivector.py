"""The experiment of a run with i-vectors: conf/ivector/<row>.yaml, changed by `--ivector-opts`.

Each section holds the options of one step, under the step's own names: `num_gselect: 20` is `--num-gselect 20`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.option_errors import ConfigError
from common.options import OptionError, OptionSet, choices, option, parse, plain
from common.yaml_text import parse_yaml, read_yaml
from recipe.command_line import as_given
from recipe.options import flag_of


@dataclass(frozen=True)
class IvectorFeatureOptions(OptionSet):
    """The frames: MFCC with deltas, without their sliding mean, voiced ones only."""

    config: str = option("conf/mfcc_ivector.conf", "option file of the MFCC")
    vad_config: str | None = option(
        None, "options of compute-vad for these frames; null: the decisions of the MFCC, by --vad-config"
    )
    delta_window: int = option(3, "frames on either side that a delta is computed from", least=1)
    delta_order: int = option(2, "1: deltas; 2: deltas of the deltas too", least=0)


@dataclass(frozen=True)
class DiagUbmOptions(OptionSet):
    """The background model with diagonal covariances: steps/train_diag_ubm.sh."""

    num_gauss: int = option(2048, "Gaussians", least=1)
    num_frames: int = option(500000, "frames that it is initialised from", least=1)
    num_iters_init: int = option(20, "iterations on these frames", least=1)
    num_iters: int = option(4, "iterations on all frames", least=1)
    num_gselect: int = option(30, "Gaussians that a frame is compared with", least=1)
    min_gaussian_weight: float = option(1e-4, "least weight of a Gaussian", least=0)
    subsample: int = option(5, "every how many frames one is used", least=1)


@dataclass(frozen=True)
class FullUbmOptions(OptionSet):
    """The background model with full covariances: steps/train_full_ubm.sh."""

    num_iters: int = option(4, "iterations", least=1)
    num_gselect: int = option(20, "Gaussians that a frame is compared with", least=1)
    min_gaussian_weight: float = option(1e-4, "least weight of a Gaussian", least=0)
    remove_low_count_gaussians: bool = option(False, "drop a Gaussian that has few frames")
    subsample: int = option(5, "every how many frames one is used", least=1)


@dataclass(frozen=True)
class ExtractorOptions(OptionSet):
    """The i-vector extractor: steps/train_ivector_extractor.sh."""

    ivector_dim: int = option(400, "dimensions of an i-vector", least=1)
    num_iters: int = option(5, "iterations", least=1)
    num_utts: int | None = option(100000, "train on so many of the longest utterances; null: on all", least=1)
    num_gselect: int = option(20, "Gaussians that a frame is compared with", least=1)
    min_post: float = option(0.025, "posteriors below it are dropped", least=0, below=1)
    posterior_scale: float = option(1.0, "scale of the posteriors", above=0)
    use_weights: bool = option(False, "let the weights of the Gaussians depend on the i-vector")


@dataclass(frozen=True)
class IvectorExperiment:
    """An experiment with i-vectors.

    Attributes:
        features: the frames.
        diag_ubm: the first background model.
        full_ubm: the second, which begins with the first.
        extractor: the i-vector extractor.
    """

    features: IvectorFeatureOptions
    diag_ubm: DiagUbmOptions
    full_ubm: FullUbmOptions
    extractor: ExtractorOptions


IVECTOR_SECTIONS: dict[str, type[Any]] = {
    "features": IvectorFeatureOptions,
    "diag_ubm": DiagUbmOptions,
    "full_ubm": FullUbmOptions,
    "extractor": ExtractorOptions,
}


def load_ivector(path: str, changes: Sequence[str] = ()) -> IvectorExperiment:
    """The experiment of a file, with the changes of `--ivector-opts`.

    Args:
        path: the YAML.
        changes: `section.key=value`, the last one wins.

    Raises:
        ConfigError: the file cannot be read, or it or a change has an unknown name or an invalid value.
    """
    sections = _sections(read_yaml(path), path)
    origins = dict.fromkeys(sections, path)
    for change in changes:
        origins[_apply(sections, change)] = f"{path} with --ivector-opts {change}"
    return IvectorExperiment(**{name: _parsed(name, sections[name], origins[name]) for name in IVECTOR_SECTIONS})


def _sections(mapping: object, source: str) -> dict[str, dict[Any, Any]]:
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{source}: expected sections, {', '.join(IVECTOR_SECTIONS)}")
    for name, value in mapping.items():
        if name not in IVECTOR_SECTIONS:
            raise ConfigError(f"{source}: section {name} is unknown; {choices(str(name), IVECTOR_SECTIONS)}")
        if not isinstance(value, Mapping):
            raise ConfigError(f"{source}: {name} is {value}; expected a mapping of options")
    return {name: dict(mapping.get(name, {})) for name in IVECTOR_SECTIONS}


def _apply(sections: dict[str, dict[Any, Any]], change: str) -> str:
    key, equals, text = change.partition("=")
    section, _, name = key.partition(".")
    given = f"--ivector-opts {change}"
    if not equals or not name or section not in IVECTOR_SECTIONS:
        raise ConfigError(f"{given}: expected section.key=value; {choices(section, IVECTOR_SECTIONS)}")
    sections[section][name] = parse_yaml(text, given)
    return section


def _parsed(name: str, mapping: dict[Any, Any], source: str) -> Any:
    try:
        return parse(IVECTOR_SECTIONS[name], name, mapping)
    except OptionError as error:
        raise ConfigError(f"{source}: {error}") from error


def step_options(options: OptionSet, without: Sequence[str] = ()) -> tuple[str, ...]:
    """The options of a section as its step takes them; one that is null is left out.

    Args:
        options: the section.
        without: names that are not options of the step.
    """
    values = {name: value for name, value in plain(options).items() if name not in without and value is not None}
    return tuple(word for name, value in values.items() for word in (flag_of(name), as_given(value)))
