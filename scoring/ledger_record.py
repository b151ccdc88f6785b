"""A line of the ledger exp/results.jsonl: one scored system on one test set, with what it was made from.

Fields are only ever added, each with a default, so that older lines stay readable. A line of a newer version is read
without the fields that this version does not know.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import InputError
from common.option_errors import OptionError
from common.options import REQUIRED, OptionSet, option, parse

VERSION = 1


@dataclass(frozen=True)
class Figure(OptionSet):
    """A figure with its 95 % interval."""

    value: float = option(REQUIRED, "the figure on all trials")
    low: float = option(REQUIRED, "lower end of the 95 % interval")
    high: float = option(REQUIRED, "upper end of the 95 % interval")


@dataclass(frozen=True)
class StageCost(OptionSet):
    """What the last complete run of a stage took."""

    stage: str = option(REQUIRED, "number of the stage; `1-features` is the second part of stage 1")
    seconds: float = option(REQUIRED, "wall time", least=0)
    cpu_seconds: float | None = option(None, "CPU time; null if it is not known", least=0)
    peak_mb: float | None = option(
        None,
        "largest memory (proportional set size) of all its processes together, in units of 10^6 bytes; null if it was"
        " not measured: no Linux, jobs on other machines, or less than half a second",
        least=0,
    )
    title: str = option("", "what the stage does")

    @property
    def label(self) -> str:
        """Number and title: `6 training`."""
        return f"{self.stage} {self.title}".rstrip()


@dataclass(frozen=True)
class MachineFacts(OptionSet):
    """Where the run was scored, and where its network ran."""

    cpu: str = option(REQUIRED, "name of the CPU")
    cores: int = option(REQUIRED, "cores that the run could use", least=1)
    system: str = option(REQUIRED, "operating system and architecture")
    python: str = option(REQUIRED, "version of Python")
    libraries: dict[str, str] = option(REQUIRED, "version of each library that is installed: numpy, scipy, torch")
    cpu_version: str | None = option(None, "its family, model and stepping; null if the system does not say")
    training_device: str | None = option(None, "device and threads of the training; null without a training here")
    embedding_device: str | None = option(None, "device and threads of the extraction; null if it is not known")


@dataclass(frozen=True)
class LedgerRecord(OptionSet):
    """A scored system on a test set."""

    row: str = option(REQUIRED, "name of the run: the last part of `exp`, or the row of the benchmark")
    exp: str = option(REQUIRED, "the experiment directory, as it was given")
    system: str = option(REQUIRED, "`network`, or what else the embeddings are from: `MFCC statistics`, `i-vector`")
    back_end: str = option(REQUIRED, "how they are scored: `PLDA`, `LDA, cosine`, `cosine`, `cosine, AS-norm`")
    test_set: str = option(REQUIRED, "name of the test set")
    trials: int = option(REQUIRED, "number of trials", least=1)
    targets: int = option(REQUIRED, "number of target trials", least=1)
    nontargets: int = option(REQUIRED, "number of nontarget trials", least=1)
    speakers: int = option(REQUIRED, "number of speakers in the trials", least=1)
    eer: Figure = option(REQUIRED, "equal error rate, as a share")
    min_dcf: dict[str, Figure] = option(REQUIRED, "prior of a target -> normalised minDCF")
    resamples: int = option(REQUIRED, "resamples of the speakers for the intervals", least=1)
    seed: int = option(REQUIRED, "random seed of the run", least=0)
    date: str = option(REQUIRED, "when it was scored, UTC, as 2026-12-01T12:00:00Z")
    machine: MachineFacts = option(REQUIRED, "the machine and the versions of the libraries")
    version: int = option(VERSION, "version of this format", least=1)
    baseline: bool = option(False, "whether it is a baseline beside the system of the run")
    normalised: bool = option(False, "whether the embeddings were normalised first (ᴺ in tables)")
    benchmark: str | None = option(None, "the `--benchmark` run that it belongs to; null for a single run")
    corpus: str | None = option(None, "name of the data; null if the experiment has no plan.yaml")
    config: dict[str, Any] | None = option(None, "the experiment, as exp/<run>/config.yaml has it; null for baselines")
    config_hash: str | None = option(None, "SHA-256 of `config` as JSON with sorted keys")
    options: dict[str, Any] | None = option(None, "the options of ./pipeline.sh; null if there is no plan.yaml")
    command: str | None = option(None, "the command line of the run")
    data_hash: str | None = option(
        None, "SHA-256 of the lists of the training data and of the test set: speakers, durations, trials, enrolment"
    )
    commit: str | None = option(None, "commit of git of the code that scored; null without a checkout")
    clean: bool | None = option(None, "whether all files were as in that commit")
    training: dict[str, Any] | None = option(None, "trained.yaml, or the origin of an imported network; else null")
    parameters: int | None = option(None, "parameters that were trained, with head and loss", least=0)
    embedding_parameters: int | None = option(None, "parameters that compute the embedding", least=0)
    stages: tuple[StageCost, ...] = option((), "time and memory of each stage but the last, which writes this line")

    @property
    def place(self) -> tuple[object, ...]:
        """What the record is a result of: a later record of the same place replaces it in tables."""
        return (self.benchmark, self.exp, self.row, self.system, self.normalised, self.back_end, self.test_set)

    @property
    def outcome(self) -> tuple[object, ...]:
        """What must be equal for a repetition to add nothing: place, code, configuration, data and figures."""
        made_from = (self.config_hash, self.data_hash, self.commit, self.clean, self.seed)
        return (*self.place, *made_from, self.eer, tuple(sorted(self.min_dcf.items())))


def content_hash(content: object) -> str:
    """SHA-256 of a value as JSON with sorted keys: the order of keys and comments do not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def to_line(record: LedgerRecord) -> str:
    """The record as a line of JSON, all ASCII."""
    return json.dumps(dataclasses.asdict(record))


def from_line(text: str) -> LedgerRecord:
    """The record of a line.

    Raises:
        InputError: not JSON, a wrong or missing field, or an unknown one in a line of this version or an earlier one.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected a record as JSON: {error}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > VERSION:
        content = _known_part(LedgerRecord, content)
    try:
        return parse(LedgerRecord, "", content)
    except OptionError as error:
        raise InputError(f"{error}; the line is not a record of the ledger") from error


def is_torn(text: str) -> bool:
    """Whether a line begins an object that it does not end: what a writer leaves that was killed."""
    depth, inside, escaped = 0, False, False
    if not text.startswith("{"):
        return False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
            continue
        inside = character == '"'
        depth += (character in "{[") - (character in "}]")
        if depth == 0:
            return False
    return True


def _known_part(kind: Any, value: Any) -> Any:
    """A value without the keys that its option sets do not have."""
    arguments = typing.get_args(kind)
    if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, OptionSet):
        hints = typing.get_type_hints(kind)
        return {key: _known_part(hints[key], item) for key, item in value.items() if key in hints}
    if isinstance(value, Mapping) and typing.get_origin(kind) is dict:
        return {key: _known_part(arguments[1], item) for key, item in value.items()}
    if isinstance(value, list) and typing.get_origin(kind) is tuple:
        return [_known_part(arguments[0], item) for item in value]
    return value
