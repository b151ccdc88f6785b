"""What pipeline.sh asks for, by utils/recipe.py. The answers are names for bash (recipe/bash_names.py).

    recipe.py start <command line>                              the plan, and the first stage that must run; or the help
    recipe.py completed <stage> <seconds> <shell> <its start> <runners>
                                                                writes down that a stage is complete; the next one
    recipe.py again <stage>                                     the next one from this on, after waiting for a run
    recipe.py benchmark <command line>                          runs every row of a benchmark
    recipe.py waiting <stage> <folder>                          logs who holds the lock of a folder's stages

`completed` and `again` read the plan on stdin. The runners are what ran the jobs of the stage, one a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from recipe.bash_names import send_to_bash
from recipe.command_line import Given, log_line, read_command_line
from recipe.corpus_conf import read_corpus_options
from recipe.environment import MINIMUM, lacking
from recipe.peak_memory import PEAK_FILE, peak_mb

ENVIRONMENT_LACKS = 3
"""Exit code: packages are missing; utils/prepare_environment.sh installs them."""


def main(words: Sequence[str]) -> int:
    """Answer one call; returns the exit code."""
    calls = {"start": _start, "completed": _completed, "again": _again, "benchmark": _benchmark, "waiting": _waiting}
    if not words or words[0] not in calls:
        raise InputError("utils/recipe.py is called by pipeline.sh alone; ./pipeline.sh --help lists the options")
    return calls[words[0]](words[1:])


def _start(words: Sequence[str]) -> int:
    """Standard library only, until it is known that the packages are there."""
    given = _nothing_given()
    if {"-h", "--help"} & set(words):
        from recipe.help import help_text

        print(help_text(words, given))
        return 0
    read_command_line(words, given)
    read_corpus_options(given)
    if lacking(MINIMUM):
        send_to_bash({"dry_run": given.options().dry_run})
        return ENVIRONMENT_LACKS
    from recipe.run_state import start_run  # which needs the packages

    return start_run(words, given)


def _nothing_given() -> Given:
    checkout = working_directory()
    return Given(called_from=Path(os.environ.get("PIPELINE_CALLED_FROM") or checkout), checkout=checkout)


def _benchmark(words: Sequence[str]) -> int:
    from recipe.benchmark import run_benchmark

    return run_benchmark(words, _nothing_given())


def _completed(words: Sequence[str]) -> int:
    from recipe.run_state import go_on
    from recipe.stage_times import Times

    stage, seconds, shell, its_start, runners = words
    cpu, peak = cpu_seconds(int(shell), its_start), peak_mb(os.environ.get(PEAK_FILE, ""), runners)
    return go_on(stage, Times(float(seconds), cpu, peak))


def _again(words: Sequence[str]) -> int:
    from recipe.run_state import look_again

    return look_again(words[0])


def _waiting(words: Sequence[str]) -> int:
    from recipe.stage_lock import holder

    stage, folder = words
    number = stage.partition("-")[0]
    log_line(f"stage {number}: waiting for another run, or for what a killed one left, at work in {folder}")
    print(f"  {holder(Path(folder))}", file=sys.stderr)
    return 0


def working_directory() -> Path:
    """Where this process works, by the name that the shell has for it: it may have come there by a link."""
    named = os.environ.get("PWD")
    return Path(named) if named and Path(named).is_dir() and Path(named).samefile(Path.cwd()) else Path.cwd()


def cpu_seconds(shell: int, before: str) -> float | None:
    """CPU time of the processes that a shell has waited for since `before`; None if the system does not say.

    Args:
        shell: its pid.
        before: its line of /proc/<pid>/stat then; "" if there was none.
    """
    now = Path(f"/proc/{shell}/stat")
    if not before or not now.is_file():
        return None
    ticks = [sum(map(int, line.rpartition(") ")[2].split()[13:15])) for line in (before, now.read_text())]
    return (ticks[1] - ticks[0]) / os.sysconf("SC_CLK_TCK")
