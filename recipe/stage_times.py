"""How long each stage took, and how long the next stages will take.

The ledger <dir>/.stages/times.tsv is in the directory that holds the stage's marker. It has a line for each stage, with
the seconds of its last complete run: wall time and, if they are known, CPU time and peak memory. A stage that has not
run here is estimated on the mini corpus only: by TYPICAL, times the ratio of measured to typical time of the stages
that have run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common.errors import for_a_message
from common.program import log_message
from common.progress import about, format_seconds
from common.whole_files import writing
from recipe.plan import RunPlan
from recipe.stages import STAGES, PlannedStage

LEDGER = ".stages/times.tsv"
HEADER = "stage\tseconds\tcpu_seconds\tpeak_mb"


class TimedStage(NamedTuple):
    """A stage, and the directory that holds its marker."""

    stage: int
    role: str


# In the order in which they run. Features other than MFCC are made by a second stage 1.
JOBS = list(dict.fromkeys(TimedStage(stage.number, stage.role) for stage in STAGES))
# By the way of augmentation: stages that have nothing to do.
PASSED_OVER = {"online": {2, 3, 7}, "none": {2}}
BY_THE_WAY = {2, 3, 4, 5, 6, 8}  # stages whose time depends on augmentation and network


@dataclass(frozen=True)
class Typical:
    """Seconds of each job in a first run. way: of augmentation, then config and what is changed in it."""

    way: str
    seconds: dict[TimedStage, float]


def _typical(way: str, by_role: dict[str, dict[int, float]]) -> Typical:
    return Typical(way, {TimedStage(stage, role): s for role, stages in by_role.items() for stage, s in stages.items()})


# Of `./pipeline.sh` and of `./pipeline.sh --mini-size tiny` on the README's machine with nothing beside them. Once a
# stage has run, only their proportions count. Take them from new ledgers when the default network changes.
TYPICAL: dict[str, Typical] = {
    "mini-full": _typical(
        "online conf/nnet/mini.yaml",
        {
            **{"data": {0: 31}, "mfcc": {1: 3}, "feats": {1: 3}, "prepared": {4: 3, 5: 1}},
            "exp": {6: 76, 8: 11, 9: 2, 10: 3, 11: 5, 12: 10},
        },
    ),
    "mini-tiny": _typical(
        "online conf/nnet/mini.yaml training.steps=60 training.valid_every=30",
        {
            **{"data": {0: 6}, "mfcc": {1: 2}, "feats": {1: 2}, "prepared": {4: 2, 5: 1}},
            "exp": {6: 15, 8: 6, 9: 2, 10: 3, 11: 3, 12: 7},
        },
    ),
}


class Times(NamedTuple):
    """Of one run of a stage: wall and CPU seconds, memory in units of 10^6 bytes; None is not known."""

    seconds: float
    cpu: float | None
    peak_mb: float | None = None


def read_ledger(folder: Path) -> dict[int, Times]:
    """Stage -> times; empty if there is no ledger, or, with a message, a damaged one: no run must end for it."""
    path = folder / LEDGER
    if not path.is_file():
        return {}
    times = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        try:
            fields = line.split("\t")
            stage, seconds, cpu, peak = [*fields, ""] if len(fields) == 3 else fields  # earlier versions: no memory
            times[int(stage)] = Times(float(seconds), *(float(text) if text else None for text in (cpu, peak)))
        except ValueError:
            found = f'{path}:{number}: found "{line}", expected stage, seconds, CPU seconds and memory between tabs'
            log_message(for_a_message(f"{found}; the times in this file are left out, as they serve estimates alone"))
            return {}
    return times


def record_times(folder: Path, stage: int, times: Times) -> None:
    """Write down how long a stage took, in place of what it took before."""
    path = folder / LEDGER
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = {**read_ledger(folder), stage: times}
    lines = ["\t".join(["" if x is None else f"{x:.7g}" for x in (n, *each)]) for n, each in sorted(ledger.items())]
    with writing(path) as hidden:
        hidden.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")


def jobs_of_run(folders: dict[str, Path], skipped: set[int], last: int) -> list[TimedStage]:
    """The jobs that a run has."""
    jobs = [job for job in JOBS if job.role in folders and job.stage <= last and job.stage not in skipped]
    if folders.get("feats") == folders.get("mfcc"):
        jobs = [job for job in jobs if job != TimedStage(1, "feats")]
    return jobs


def known_times(jobs: Sequence[TimedStage], folders: dict[str, Path]) -> dict[TimedStage, Times]:
    """What the ledgers hold of these jobs."""
    ledgers = {folder: read_ledger(folder) for folder in set(folders.values())}
    found = {job: ledgers[folders[job.role]].get(job.stage) for job in jobs}
    return {job: times for job, times in found.items() if times is not None}


def typical_times(corpus: str, way: str) -> dict[TimedStage, float]:
    """Seconds of a first run of this corpus; without the stages for which another way of doing it differs."""
    typical = TYPICAL.get(corpus)
    if typical is None:
        return {}
    same = typical.way == " ".join(way.split())
    return {job: s for job, s in typical.seconds.items() if same or job.stage not in BY_THE_WAY}


def time_left(
    jobs: Sequence[TimedStage],
    current: TimedStage,
    known: dict[TimedStage, Times],
    typical: dict[TimedStage, float],
) -> str:
    """How long the run will take from the beginning of this job on, in words; "" if nothing is known."""
    to_come = jobs[jobs.index(current) :]
    estimates = {job: times.seconds for job, times in known.items()}
    measured = sum(times.seconds for job, times in known.items() if job in typical)
    expected = sum(typical[job] for job in known if job in typical)
    scale = measured / expected if measured and expected else 1.0
    for job, seconds in typical.items():
        estimates.setdefault(job, scale * seconds)
    unknown = sorted({job.stage for job in to_come if job not in estimates})
    known_seconds = [estimates[job] for job in to_come if job in estimates]
    if not known_seconds:
        return ""
    text = f"{about(sum(known_seconds))} left"
    if unknown:
        return f"{text}, without what has not run here yet (stage {' '.join(map(str, unknown))})"
    where = "" if known else " on a machine like the README's"
    return f"{text} in all{where}"


def total_line(jobs: Sequence[TimedStage], known: dict[TimedStage, Times]) -> str:
    """`4:40 wall, 8:10 CPU; training 3:09 wall, 5:50 CPU`, and what is not known."""
    if not known:
        return "not known"

    def as_given(times: Sequence[Times]) -> str:
        cpus = [each.cpu for each in times if each.cpu is not None]
        cpu = f"{format_seconds(sum(cpus))} CPU" if len(cpus) == len(times) else "CPU time not known"
        return f"{format_seconds(sum(each.seconds for each in times))} wall, {cpu}"

    text = as_given(list(known.values()))
    training = known.get(TimedStage(6, "exp"))
    if training is not None:
        text += f"; training {as_given([training])}"
    missing = sorted({job.stage for job in jobs if job not in known})
    return text + (f"; without stage {' '.join(map(str, missing))}" if missing else "") + _memory_text(known)


def _memory_text(known: dict[TimedStage, Times]) -> str:
    """`; peak memory 1.20 GB in stage 6, not known of stage 0`."""
    peaks = {job: times.peak_mb for job, times in known.items() if times.peak_mb is not None}
    if not peaks:
        return "; peak memory not known"
    most = max(peaks, key=peaks.__getitem__)
    unknown = sorted({job.stage for job in known if job not in peaks})
    text = f"; peak memory {peaks[most] / 1000:.2f} GB in stage {most.stage}"
    return text + (f", not known of stage {' '.join(map(str, unknown))}" if unknown else "")


def _folders_and_jobs(plan: RunPlan, last: int) -> tuple[dict[str, Path], list[TimedStage]]:
    """The directory of each role, and the jobs of a run up to its stage `last`."""
    folders = {role: Path(plan.values()[role]) for role in sorted({job.role for job in JOBS})}
    skipped = {*plan.passed_over, *PASSED_OVER.get(plan.augment, ())}
    return folders, jobs_of_run(folders, skipped, last)


def left_of_run(plan: RunPlan, planned: PlannedStage) -> str:
    """How long a run will take from the beginning of this stage on, in words; "" if nothing is known."""
    folders, jobs = _folders_and_jobs(plan, plan.last_stage)
    current = TimedStage(planned.stage.number, planned.stage.role)
    if current not in jobs:
        return ""
    typical = typical_times(f"{plan.options.corpus}-{plan.options.mini_size}", plan.way)
    return time_left(jobs, current, known_times(jobs, folders), typical)


def total_of_run(plan: RunPlan) -> str:
    """How long all stages of a run together took, without the last one, which asks."""
    folders, jobs = _folders_and_jobs(plan, 11)
    return total_line(jobs, known_times(jobs, folders))


def costs_of_run(plan: RunPlan) -> list[tuple[TimedStage, Times]]:
    """The jobs whose times are known, in the order of the run, without the last stage, which asks."""
    folders, jobs = _folders_and_jobs(plan, 11)
    return list(known_times(jobs, folders).items())
