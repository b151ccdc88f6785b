"""What stage 12 writes into the ledger: the figures of a run, with what made them.

All comes from files: the experiment's config.yaml, plan.yaml, trained.yaml or imported.yaml, and extracted.yaml; the
lists of the data. The recipe hands in the command and what the stages took.
"""

from __future__ import annotations

import datetime
import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from scoring.back_ends import NORMALISED_MARK
from scoring.bootstrap import Interval, Summary
from scoring.ledger_record import Figure, LedgerRecord, MachineFacts, StageCost, content_hash
from scoring.provenance import checkout_state, made_here, processor, processor_version, read_record, usable_cores
from scoring.results import Results, System
from scoring.trial_sets import TrialSet

LIBRARIES = ("numpy", "scipy", "torch")
ORIGIN = ("file", "sha256", "system", "published")
"""What is kept of imported.yaml, which also lists every tensor."""


@dataclass(frozen=True)
class ScoredRun:
    """What the ledger says of all results of a run.

    Attributes:
        exp: the experiment directory.
        row: name of the run; the system of this name is its own, others are baselines.
        own_system: what the ledger calls its own system: `network`, `i-vector`.
        data: the corpus's data directories; None: nothing is known of the data.
        resamples: of the intervals.
        seed: random seed of the run.
        cores: that the run could use; None: those of this process.
        command: command line of the run; None if it is not known.
        benchmark: the `--benchmark` run that it belongs to.
        stages: what its stages took.
    """

    exp: Path
    row: str
    own_system: str
    data: Path | None
    resamples: int
    seed: int
    cores: int | None
    command: str | None
    benchmark: str | None
    stages: tuple[StageCost, ...]


def ledger_records(run: ScoredRun, systems: Sequence[System], results: Sequence[Results]) -> list[LedgerRecord]:
    """A record for each system and test set.

    Args:
        run: what they share.
        systems: that were scored, in the order of the figures.
        results: the figures of each test set.

    Raises:
        InputError: a record of the experiment cannot be read.
    """
    shared, own = _shared_fields(run), _own_fields(run, [result.trial_set.name for result in results])
    records = []
    for result in results:
        test_set = _test_set_fields(run, result.trial_set)
        for system, summary in zip(systems, result.summaries, strict=True):
            named = _system_fields(run, system)
            more = {} if named["baseline"] else own
            records.append(LedgerRecord(**shared, **test_set, **named, **_figures_of(summary), **more))
    return records


def _test_set_fields(run: ScoredRun, trial_set: TrialSet) -> dict[str, Any]:
    return {"test_set": trial_set.name, "data_hash": data_hash(run.data, trial_set.name), **trial_set.counts}


def _system_fields(run: ScoredRun, system: System) -> dict[str, Any]:
    name = system.name.removesuffix(NORMALISED_MARK)
    return {
        "system": run.own_system if name == run.row else name,
        "baseline": name != run.row,
        "normalised": system.name.endswith(NORMALISED_MARK),
        "back_end": system.back_end,
    }


def _figures_of(summary: Summary) -> dict[str, Any]:
    min_dcf = {f"{p_target:g}": _figure(each) for p_target, each in summary.min_dcf.items()}
    return {"eer": _figure(summary.eer), "min_dcf": min_dcf}


def _figure(interval: Interval) -> Figure:
    return Figure(interval.value, interval.low, interval.high)


def _shared_fields(run: ScoredRun) -> dict[str, Any]:
    """The fields that are the same in every record of a run."""
    plan = read_record(run.exp / "plan.yaml")
    commit, changed = checkout_state()
    return {
        "row": run.row,
        "exp": str(run.exp),
        "resamples": run.resamples,
        "seed": run.seed,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": _machine_facts(run),
        "benchmark": run.benchmark,
        "corpus": plan.get("name"),
        "options": plan.get("options"),
        "command": run.command,
        "commit": commit,
        "clean": None if commit is None else not changed,
        "stages": run.stages,
    }


def _machine_facts(run: ScoredRun) -> MachineFacts:
    return MachineFacts(
        cpu=processor(),
        cpu_version=processor_version(),
        cores=run.cores or usable_cores(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        libraries=_library_versions(),
        training_device=read_record(run.exp / "trained.yaml").get("device"),
        embedding_device=_extraction_record(run.exp, ["train"]).get("device"),
    )


def _library_versions() -> dict[str, str]:
    """The versions of the libraries that are installed; nothing is imported."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _own_fields(run: ScoredRun, tests: Sequence[str]) -> dict[str, Any]:
    """The fields that only the run's own system has, not the baselines."""
    config = read_record(run.exp / "config.yaml")
    trained, imported = read_record(run.exp / "trained.yaml"), read_record(run.exp / "imported.yaml")
    origin = {key: imported[key] for key in ORIGIN if key in imported}
    return {
        "config": config or None,
        "config_hash": content_hash(config) if config else None,
        "training": origin or trained or None,
        "parameters": None if imported else trained.get("parameters"),
        "embedding_parameters": _extraction_record(run.exp, ["train", *tests]).get("parameters"),
    }


def _extraction_record(exp: Path, sets: Sequence[str]) -> dict[str, Any]:
    """What computed the first of these sets' embeddings that were made here; {} if there are none."""
    folders = [exp / f"embeddings_{name}" for name in sets]
    return next((read_record(folder / "extracted.yaml") for folder in folders if made_here(folder)), {})


def data_hash(data: Path | None, test_set: str) -> str | None:
    """SHA-256 of the lists that identify the training data and a test set.

    These are the speaker and the duration of each utterance, the trials and the enrolment lists. Paths of audio files
    do not count, so that a moved corpus stays the same; neither do noises and rooms.

    Args:
        data: the corpus's data directories; None: not known.
        test_set: name of the test set.

    Returns:
        The hash; None if the training data or the test set has no list of speakers.
    """
    if data is None or not all((data / name / "utt2spk").is_file() for name in ("train", test_set)):
        return None
    digest = hashlib.sha256()
    for name in ("train", test_set):
        lists = [data / name / each for each in ("utt2spk", "trials", "enroll2utt")]
        for path in [*lists, data / "mfcc" / name / "utt2dur"]:
            content = path.read_bytes() if path.is_file() else b""
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
