"""The kill campaign: SIGKILL at random places, orphans looked for, two configurations in one --exp, the same scores.

    python3 -m pytest --all -s tests/pipeline/test_kill_campaign.py              # 4 kills
    KILLS=26 python3 -m pytest --all -s tests/pipeline/test_kill_campaign.py     # each stage twice; KILL_SEED=<n>

A moment is a stage and a share of the time that this stage took in the uninterrupted run, so that a slow machine only
makes the campaign slower. Whatever is there at the moment is killed: the recipe's own process, one process of its tree
drawn by lot, or all of it but the jobs, which then are orphans that nothing guards.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from nnet.training.checkpoint import load_checkpoint
from tests.helpers.own_processes import carrying, new_mark, wait_until

from .conftest import NETWORK, environment, scores

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", "4"))
SEED = int(os.environ.get("KILL_SEED", "1"))
OTHER_CONFIG = ("--nnet-opts=schedule.peak_lr=0.0007",)
ENDS_WITHIN_S = 60  # after a part of it was killed; a run that goes on was not hurt
RUN_S = 1800


@dataclass
class Campaign:
    """The recipe on the tiny corpus in one place, with what was started there."""

    folder: Path
    checkout: Path
    marks: list[dict[str, str]] = field(default_factory=list)

    @property
    def exp(self) -> Path:
        return self.folder / "exp"

    @property
    def log(self) -> Path:
        """Of the newest run."""
        return self.folder / f"run{len(self.marks)}.log"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the recipe in a group of its own."""
        self.marks.append(new_mark())
        network = {**NETWORK, "data.workers": "1"}
        command = ["./pipeline.sh", "--corpus=mini", "--mini-size=tiny", "--nj=2", "--device=cpu", "--bootstrap=20"]
        command += [f"--data={self.folder / 'data'}", f"--exp={self.exp}"]
        command += [f"--nnet-opts={key}={value}" for key, value in network.items()]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*command, *options], cwd=self.checkout, env={**environment({}), **self.marks[-1]}, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def left(self) -> dict[int, str]:
        """The living processes of the newest run: pid -> command."""
        return carrying(self.marks[-1])

    def forget(self, stage: int) -> None:
        """Make it a place where this stage has not run."""
        for marker in self.folder.rglob(".stages/*.json"):
            number = re.match(r"\d+", marker.name)
            if number and int(number[0]) >= stage:
                marker.unlink()
        if stage <= 6:
            self.forget_training()

    def forget_training(self) -> None:
        """What a message of training asks for, to train with another config."""
        for path in self.exp.glob("*.pt"):
            path.unlink()

    def locked(self) -> bool:
        """Whether somebody holds the lock of a stage, or of the experiment."""
        locks = [*self.folder.rglob(".stages/lock"), *self.folder.glob("exp/lock")]
        return any(subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode for lock in locks)


@pytest.fixture
def places(tmp_path: Path, checkout: Path) -> Iterator[tuple[Campaign, Campaign]]:
    """Two places: for the uninterrupted run and for the campaign."""
    both = Campaign(tmp_path / "whole", checkout), Campaign(tmp_path / "killed", checkout)
    for place in both:
        place.folder.mkdir()
    yield both
    for mark in [mark for place in both for mark in place.marks]:
        for pid in carrying(mark):  # of a test that failed
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def stage_seconds(log: str) -> dict[int, int]:
    """What each stage took."""
    seconds: dict[int, int] = {}
    for number, took in re.findall(r"stage (\d+)/12: done in (\d+) s", log):
        seconds[int(number)] = seconds.get(int(number), 0) + int(took)
    return seconds


def moments(stages: Sequence[int], rng: random.Random) -> list[int]:
    """Stages to kill at: each round has all in order; of the last, incomplete one some, training always among them."""
    rounds, rest = divmod(KILLS, len(stages))
    others = [stage for stage in stages if stage != 6]
    last = sorted([6, *rng.sample(others, rest - 1)]) if rest else []
    return [*list(stages) * rounds, *last]


def wait_for_stage(place: Campaign, run: subprocess.Popen[bytes], stage: int) -> None:
    """Wait until the run is at work in this stage."""

    def begun() -> bool:
        assert run.poll() is None, place.log.read_text()
        return f"stage {stage}/12: " in place.log.read_text()

    wait_until(begun, f"stage {stage} begins")


def kill_all_but_the_jobs(place: Campaign, run: subprocess.Popen[bytes]) -> None:
    """As the machine's memory killer at its worst: neither of the two guards may see the other one's end."""
    guards = [pid for pid, command in place.left().items() if "utils/guard.py" in command]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in guards:
            os.kill(pid, number)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def kill_something(place: Campaign, run: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kill what the lot says; returns what it was."""
    how = rng.choice(["pipeline", "process", "process", "all but the jobs"])
    if how == "all but the jobs":
        kill_all_but_the_jobs(place, run)
        return how
    pid, command = run.pid, "pipeline.sh"
    if how == "process":
        pid, command = rng.choice(sorted(place.left().items()) or [(pid, command)])
    shown = re.sub(r"\S*/", "", command)[:60]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if "utils/guard.py" in command and pid != run.pid:  # the keeper: the run goes on without it
        run.terminate()
        shown = "keeper, then SIGTERM to pipeline.sh"
    try:
        run.wait(timeout=ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:  # it went on: the process was not needed any more
        run.kill()
        shown += ", then pipeline.sh"
        run.wait()
    wait_until(lambda: not place.left(), "no process is left")
    return shown


def terminate(pids: Iterable[int]) -> None:
    """Ask them to end, as far as they have not."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def check_one_config(exp: Path) -> None:
    """The checkpoints are of the configuration that config.yaml shows."""
    for name in ("best.pt", "last.pt"):
        if (exp / name).exists():
            shown = yaml.safe_load((exp / "config.yaml").read_text())["schedule"]["peak_lr"]
            assert load_checkpoint(exp / name).config["schedule"]["peak_lr"] == shown, name


def end_orphans(place: Campaign) -> str:
    """End what nothing guards any more; as long as it lived, it held a lock."""
    orphans = place.left()
    if not orphans:
        return "no orphans"
    assert place.locked() or not place.left(), orphans
    terminate(orphans)
    wait_until(lambda: not place.left(), f"the orphans end: {orphans}")
    return f"{len(orphans)} orphans, under a lock, ended"


def train_with_another_config(place: Campaign) -> str:
    """Another configuration in the same --exp, at once: it waits for an orphan, and is refused or trains alone."""
    orphans, mark = place.left(), place.marks[-1]
    run = place.start("--stop-stage=6", *OTHER_CONFIG)
    wait_until(lambda: "waiting for" in place.log.read_text() or not carrying(mark), "it waits")
    assert run.poll() is None or not carrying(mark)
    terminate(carrying(mark))
    code = run.wait(timeout=RUN_S)
    assert code == 0 or "was trained with another config: schedule.peak_lr" in (
        (place.exp / "log" / "train.log").read_text()
    ), place.log.read_text()
    check_one_config(place.exp)
    place.forget_training()
    return f"another config {'refused' if code else 'trained alone'}" + (" after the orphan" if orphans else "")


def test_whatever_is_killed_the_scores_are_those_of_an_uninterrupted_run(
    places: tuple[Campaign, Campaign], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, place = places
    rng, begun = random.Random(SEED), time.monotonic()

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"  {time.monotonic() - begun:5.0f} s  {text}", flush=True)

    run = whole.start()
    assert run.wait(timeout=RUN_S) == 0, whole.log.read_text()
    seconds = stage_seconds(whole.log.read_text())
    say(f"uninterrupted run: stages took {seconds} s; {KILLS} kills follow, seed {SEED}")

    for number, stage in enumerate(moments(sorted(seconds), rng), 1):
        place.forget(stage)
        run = place.start()
        wait_for_stage(place, run, stage)
        time.sleep(rng.uniform(0, 0.8) * max(seconds[stage], 0.5))
        at = re.findall(r"stage (\d+)/12: ", place.log.read_text())[-1]
        what = kill_something(place, run, rng)
        result = train_with_another_config(place) if stage == 6 else end_orphans(place)
        check_one_config(place.exp)
        say(f"kill {number}/{KILLS}: in stage {at}: {what}; {result}")

    run = place.start()
    assert run.wait(timeout=RUN_S) == 0, place.log.read_text()
    assert scores(place.exp) == scores(whole.exp)
    assert not place.left() and not place.locked()
    say("the last run's scores equal the uninterrupted one's bit for bit")
