"""The command line of run.pl: Kaldi's, with the same errors and exit codes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.errors import InputError
from common.program import program_name

USAGE = """Usage: run.pl [options] [JOB=1:n] <log-file> <command> [<argument> ...]
 e.g.: run.pl JOB=1:4 exp/log/copy.JOB.log copy-feats scp:feats.JOB.scp ark:feats.JOB.ark
Runs a command, or n of them, on this machine; output and result go to the log. JOB (or any other name) is replaced by
the number in the log's name and in every argument. Exit code 1 if a job failed; the others are run nevertheless.
Options:
  --max-jobs-run <n>              at most n at once (also -tc <n>; default: the number of processors)
  --gpu <n>                       at most as many at once as there are GPUs
  --pick all|failed|incomplete    failed: only jobs that, by their old logs, failed or did not end; incomplete: only
                                  jobs that did not end
  --mem, --num-threads, --config, -l, -pe, -V …   options of Kaldi's other runners: accepted, without effect"""

RANGE = re.compile(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?")
PICKS = ("all", "failed", "incomplete")


class RunError(InputError):
    """A command line that cannot be run.

    Attributes:
        code: the exit code that Kaldi's run.pl gives.
        is_usage: whether the text is the usage, and no message of its own.
    """

    def __init__(self, message: str, code: int = 255) -> None:
        super().__init__(message)
        self.code = code
        self.is_usage = message is USAGE


@dataclass
class RunOptions:
    """What one call of run.pl asks for.

    Attributes:
        job_name: the word that stands for a job's number, as `JOB`; None: one job.
        first: number of the first job.
        last: number of the last job.
        max_jobs_run: jobs at once, at most; None: by the number of processors.
        gpu: whether at most as many jobs run at once as there are GPUs.
        pick: which jobs run, by their earlier logs: one of `PICKS`.
        log: file of the log; `job_name` in it is replaced.
        words: the command.
    """

    job_name: str | None = None
    first: int = 1
    last: int = 1
    max_jobs_run: int | None = None
    gpu: bool = False
    pick: str = "all"
    log: str = ""
    words: list[str] = field(default_factory=list)

    def limit(self, num_jobs: int) -> int:
        """The most jobs that may run at once."""
        if self.max_jobs_run is not None:
            return self.max_jobs_run
        if self.gpu:
            return count_gpus()
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return num_jobs if num_jobs < 1.4 * processors else processors


def count_gpus() -> int:
    """The number of GPUs that nvidia-smi lists, at least 1."""
    found = 0
    if shutil.which("nvidia-smi"):
        gpus = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        found = sum(line.startswith("GPU ") for line in gpus.stdout.splitlines())
    if not found:
        print(f"{program_name()}: Warning: nvidia-smi finds no GPU; running one job at a time", file=sys.stderr)
    return max(found, 1)


def parse_run_options(argv: Sequence[str]) -> RunOptions:
    """Read a command line.

    Raises:
        RunError: too few arguments, a bad range or number, many jobs with one log.
    """
    options, rest = RunOptions(), list(argv)
    while len(rest) >= 2:
        if rest[0].startswith("-"):
            _read_option(options, rest)
        elif options.job_name is None and RANGE.fullmatch(rest[0]):
            _read_range(options, rest.pop(0))
        else:
            if re.fullmatch(r".+=.*:.*", rest[0]):
                print(f"{program_name()}: Warning: suspicious first argument: {rest[0]}", file=sys.stderr)
            break
    if len(rest) < 2:
        raise RunError(USAGE)
    options.log, options.words = rest[0], rest[1:]
    if options.last > options.first and str(options.job_name) not in options.log:
        raise RunError(
            "you are trying to run a parallel job but you are putting the output into just one log file "
            f"({options.log}); write {options.job_name} into its name",
            code=1,
        )
    return options


def _read_range(options: RunOptions, text: str) -> None:
    match = RANGE.fullmatch(text)
    assert match is not None
    options.job_name, options.first = match[1], int(match[2])
    options.last = int(match[3]) if match[3] is not None else options.first
    if options.first > options.last:
        raise RunError(f"invalid job range {text}: it ends before it begins")
    if options.first < 1:
        raise RunError(f"invalid job range {text}: it must begin at 1 or above")


def _read_option(options: RunOptions, rest: list[str]) -> None:
    switch = rest.pop(0)
    if switch == "-V":
        return
    value = rest.pop(0)
    if value.startswith("-"):
        print(f"{program_name()}: Warning: suspicious argument '{value}' to {switch}; starts with '-'", file=sys.stderr)
    if switch in ("--max-jobs-run", "-tc"):
        if not re.fullmatch(r"0*[1-9]\d*", value):
            raise RunError(f"{switch} is {value}, expected an integer >= 1")
        options.max_jobs_run = min(int(value), options.max_jobs_run or int(value))
    elif switch == "--gpu":
        options.gpu = True
    elif switch == "--pick":
        if value not in PICKS:
            raise RunError(f"--pick is {value}; choose one of: {', '.join(PICKS)}")
        options.pick = value
    elif switch == "-pe" and rest:
        rest.pop(0)
