"""A command run over the parts of a list by run.pl or another runner; the outputs are joined."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.whole_files import hidden_folder, write_files
from minikaldi.data_dir.lines import all_lines
from minikaldi.data_dir.split import line_parts

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Jobs:
    """How commands over many utterances are run.

    Attributes:
        runner: program that runs jobs, with its options.
        number: jobs at once.
    """

    runner: str = "run.pl"
    number: int = 4


DEFAULT_JOBS = Jobs()


def run_over(directory: Path, lines: Sequence[str], command: Sequence[str], jobs: Jobs, what: str) -> list[str]:
    """Run a command over parts of some lines; returns the lines that the jobs wrote.

    Args:
        directory: folder of the temporary parts, and of the logs, in log/.
        lines: the list.
        command: its words; {in} is the file with a part of the lines, {out} the file that it must write, JOB the number
            of the part.
        jobs: what runs them, and how many.
        what: name of the list in messages.

    Raises:
        InputError: no lines, or a job failed.
    """
    parts = line_parts(len(lines), min(jobs.number, max(1, len(lines))), what)
    log = directory / "log" / f"{command[0]}.JOB.log"
    with hidden_folder(directory, "parts") as folder:
        write_files((f"{folder}/in.{number}", lines[part.start : part.stop]) for number, part in enumerate(parts, 1))
        words = [word.replace("{in}", f"{folder}/in.JOB").replace("{out}", f"{folder}/out.JOB") for word in command]
        if _run_and_wait([*_runner_words(jobs.runner), f"JOB=1:{len(parts)}", str(log), *words]):
            raise InputError(f"{what}: {command[0]} failed; see {log}")
        return [line for number in range(1, len(parts) + 1) for line in all_lines(folder / f"out.{number}")]


def _run_and_wait(words: Sequence[str]) -> int:
    # If this process ends, the runner must end too; it then ends its jobs.
    with subprocess.Popen(words, env=_command_environment()) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def _runner_words(runner: str) -> list[str]:
    # A bare name that is not on PATH is searched in utils/.
    words = shlex.split(runner)
    if not words:
        raise InputError("--cmd is empty; expected the program that runs the jobs, e.g. run.pl")
    if shutil.which(words[0]) is None and (ROOT / "utils" / words[0]).is_file():
        words[0] = str(ROOT / "utils" / words[0])
    return words


def _command_environment() -> dict[str, str]:
    # minikaldi's commands come last on PATH
    environment = dict(os.environ)
    environment["PATH"] = f"{environment.get('PATH', os.defpath)}:{ROOT / 'minikaldi' / 'bin'}"
    return environment
