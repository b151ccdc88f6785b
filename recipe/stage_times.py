"""stage_times.py: how long each stage took, and how long the stages to come will take.

A ledger is <dir>/.stages/times.tsv, in the directory that holds the stage's marker: a line a stage, with the seconds of
its last complete run: wall time and, where known, CPU time. A stage that has not run here is estimated only on
the mini corpus, by TYPICAL, scaled by what the stages that have run took against it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError, for_a_message
from common.program import Parser, log_message
from common.progress import about, format_seconds
from common.whole_files import writing
from recipe.plan import RunPlan
from recipe.stages import STAGES, PlannedStage

USAGE = """
  stage_times.py record DIR STAGE --seconds S [--cpu C]
  stage_times.py left DIR STAGE ROLE=DIR ... [--last N] [--skip "N ..."] [--corpus NAME] [--way WORDS]
  stage_times.py total ROLE=DIR ... [--skip "N ..."] [--way WORDS]"""
ABOUT = """record: write down how long a stage took whose marker is in DIR.
left:   print how long the run will still take, from this stage on, e.g. "about 9 min left in all"; nothing if nothing
        is known.
total:  print how long all stages together took.
ROLE is one of data, mfcc, feats, prepared, exp: the directories of the recipe."""

LEDGER = ".stages/times.tsv"
HEADER = "stage\tseconds\tcpu_seconds"


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
            "exp": {6: 76, 8: 11, 9: 2, 10: 3, 11: 5, 12: 5},
        },
    ),
    "mini-tiny": _typical(
        "online conf/nnet/mini.yaml training.steps=60 training.valid_every=30",
        {
            **{"data": {0: 6}, "mfcc": {1: 2}, "feats": {1: 2}, "prepared": {4: 2, 5: 1}},
            "exp": {6: 15, 8: 6, 9: 2, 10: 3, 11: 3, 12: 3},
        },
    ),
}


class Times(NamedTuple):
    """Of one run of a stage; cpu is None if it is not known."""

    seconds: float
    cpu: float | None


def read_ledger(folder: Path) -> dict[int, Times]:
    """Stage -> times; empty if there is no ledger, or, with a message, a damaged one: no run must end for it."""
    path = folder / LEDGER
    if not path.is_file():
        return {}
    times = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        try:
            stage, seconds, cpu = line.split("\t")
            times[int(stage)] = Times(float(seconds), float(cpu) if cpu else None)
        except ValueError:
            found = f'{path}:{number}: found "{line}", expected stage, seconds and CPU seconds between tabs'
            log_message(for_a_message(f"{found}; the times in this file are left out, as they serve estimates alone"))
            return {}
    return times


def record_times(folder: Path, stage: int, times: Times) -> None:
    """Write down how long a stage took, in place of what it took before."""
    path = folder / LEDGER
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = {**read_ledger(folder), stage: times}
    lines = [
        f"{n}\t{each.seconds:g}\t{'' if each.cpu is None else f'{each.cpu:g}'}" for n, each in sorted(ledger.items())
    ]
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
    return text + (f"; without stage {' '.join(map(str, missing))}" if missing else "")


def _folders_and_jobs(plan: RunPlan, last: int) -> tuple[dict[str, Path], list[TimedStage]]:
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


def read_folders(pairs: Sequence[str]) -> dict[str, Path]:
    """`role=directory` texts as a dict.

    Raises:
        InputError: another role, or no directory.
    """
    roles = sorted({job.role for job in JOBS})
    folders = {}
    for pair in pairs:
        role, _, folder = pair.partition("=")
        if role not in roles or not folder:
            raise InputError(f'found "{pair}", expected role=directory with a role of {", ".join(roles)}')
        folders[role] = Path(folder)
    return folders


def read_stage(words: Sequence[str]) -> tuple[Path, int]:
    """`DIR STAGE`, the first two words.

    Raises:
        InputError: there are fewer, or no number of a stage.
    """
    if len(words) < 2 or not (words[1].isascii() and words[1].isdigit()):
        raise InputError(f"found {' '.join(words)!r}, expected a directory and the number of a stage")
    return Path(words[0]), int(words[1])


def run_left(words: Sequence[str], options: Namespace, skipped: set[int]) -> str:
    """What `left` prints."""
    folder, stage = read_stage(words)
    folders = read_folders(words[2:])
    jobs = jobs_of_run(folders, skipped, options.last)
    here = [job for job in jobs if job.stage == stage and folders[job.role] == folder]
    if not here:
        return ""
    return time_left(jobs, here[0], known_times(jobs, folders), typical_times(options.corpus, options.way))


def run_total(words: Sequence[str], skipped: set[int]) -> str:
    """What `total` prints."""
    folders = read_folders(words)
    jobs = jobs_of_run(folders, skipped, 11)  # the last stage is at work when it asks
    return total_line(jobs, known_times(jobs, folders))


def main(argv: Sequence[str]) -> int:
    """Command line of utils/stage_times.py."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("action", choices=("record", "left", "total"))
    parser.add_argument("words", nargs="+", metavar="DIR STAGE, or ROLE=DIR", help="as above")
    parser.add_argument("--seconds", type=float, default=0.0, help="record: wall time")
    parser.add_argument("--cpu", type=float, help="record: CPU time")
    parser.add_argument("--last", type=int, default=12, help="left: the last stage to run")
    parser.add_argument("--skip", default="", help="stages that have nothing to do")
    parser.add_argument("--corpus", default="", help="left: name of a typical run")
    parser.add_argument("--way", default="", help="the augmentation, then the config and what is changed in it")
    options = parser.parse(argv)
    skipped = {int(stage) for stage in options.skip.split()} | PASSED_OVER.get(options.way.partition(" ")[0], set())
    if options.action == "record":
        record_times(*read_stage(options.words), Times(options.seconds, options.cpu))
        return 0
    text = run_left(options.words, options, skipped) if options.action == "left" else run_total(options.words, skipped)
    if text:
        print(text)
    return 0
