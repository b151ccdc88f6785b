"""A run can be repeated, changed and interrupted anywhere: what is done stays, what is stale is made again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nnet.training.checkpoint import load_checkpoint
from tests.helpers.own_processes import DEADLINE_S, carrying, new_mark, wait_until
from tests.pipeline.helpers.voices import voice, write

from .conftest import Place, Recipe, contents, environment, scores, stages_run, times

pytestmark = pytest.mark.slow


def test_a_second_run_finds_every_stage_up_to_date_and_changes_no_file(recipe: Recipe, finished: Place) -> None:
    before = times(finished.data, finished.exp)
    done = recipe(*finished.options())
    assert stages_run(done) == []
    assert done.stderr.count(": up to date") == 14  # stage 1 has a part for MFCC and one for filter banks
    assert times(finished.data, finished.exp) == before
    assert (finished.exp / "RESULTS.md").read_text() in done.stdout
    assert done.stdout.endswith(f"\nreport: {finished.exp}/report/index.html\n")


def test_a_run_writes_its_report_with_times_and_dropped_utterances(finished: Place) -> None:
    page = (finished.exp / "report" / "index.html").read_text()
    assert "Results of small" in page and "6 training" in page and "held-out EER" in page
    assert {path.suffix for path in (finished.exp / "report" / "figures").iterdir()} == {".svg", ".png"}


def test_another_lda_dim_reruns_the_stages_from_10_on(recipe: Recipe, finished: Place) -> None:
    done = recipe(*finished.options(lda_dim="3"))
    assert stages_run(done) == [10, 11, 12]
    assert "LDA: 8 -> 3 dimensions" in done.stdout
    assert "(option lda_dim was 50, is 3)" in done.stderr


def test_an_edited_wav_scp_is_seen(recipe: Recipe, finished: Place) -> None:
    table = finished.data / "train" / "wav.scp"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[1:]))
    message = recipe(*finished.options("--stage", "1"), code=1).stderr
    assert f"needs stage 0, which is not up to date: output {table} changed" in message
    assert "add --trust-earlier" in message
    done = recipe(*finished.options("--stage", "1", "--stop-stage", "1", "--trust-earlier"))
    assert "mfcc of train: 29 in, 29 out" in done.stdout


@pytest.mark.parametrize(
    ("name", "count"), [("u9.wav", 31), ("u0.wav", 30)], ids=["added", "replaced under its own name"]
)
def test_other_audio_is_seen(recipe: Recipe, finished: Place, name: str, count: int) -> None:
    write(finished.corpus / "train" / "spk00" / name, voice(0, 9))
    done = recipe(*finished.options("--stop-stage", "1"))
    assert stages_run(done) == [0, 1]
    assert f"fbank of train: {count} in, {count} out" in done.stdout


def test_other_rooms_are_seen_although_the_list_of_their_sets_reads_the_same(recipe: Recipe, finished: Place) -> None:
    sets = (finished.data / "rir_sets").read_bytes()
    rooms = finished.corpus / "RIRS_NOISES" / "simulated_rirs" / "smallroom" / "rir_list"
    rooms.write_text(rooms.read_text().splitlines(keepends=True)[0])
    recipe(*finished.options("--stage", "0", "--stop-stage", "0", "--force"))
    done = recipe(*finished.options("--stop-stage", "2"))
    assert stages_run(done) == [2]
    assert (finished.data / "rir_sets").read_bytes() == sets


@pytest.mark.parametrize(
    ("conf", "line", "stages"),
    [("vad.conf", "--vad-energy-threshold=6.0", [1, 3, 4, 5]), ("fbank.conf", "--low-freq=40", [1, 3, 4, 5])],
)
def test_other_features_under_the_same_names_reach_the_training_lists(
    recipe: Recipe, finished: Place, own_checkout: Path, conf: str, line: str, stages: list[int]
) -> None:
    with (own_checkout / "conf" / conf).open("a") as stream:
        stream.write(f"{line}\n")
    done = recipe(*finished.options("--stop-stage", "6"), where=own_checkout, code=1)
    assert f"input conf/{conf} changed" in done.stderr
    assert set(stages) <= set(stages_run(done))
    # What was trained on the old features is neither used nor removed.
    assert f"{finished.exp}/last.pt was trained on other features or lists" in done.stderr
    assert (finished.exp / "RESULTS.md").is_file()


def test_a_stale_earlier_stage_is_refused_unless_trusted(recipe: Recipe, finished: Place) -> None:
    (finished.data / "mfcc" / "train" / "vad.scp").touch()  # its time alone does not matter
    assert stages_run(recipe(*finished.options("--stage", "6"))) == []
    (finished.data / "mfcc" / "train" / "utt2dur").write_text("spk00-u0 1\n")
    message = recipe(*finished.options("--stage", "6"), code=1).stderr
    assert "--stage 6 needs stage 1, which is not up to date: output" in message
    assert "run from --stage 1" in message
    assert stages_run(recipe(*finished.options("--stage", "6", "--trust-earlier"))) == []


def test_new_weights_reach_the_scores(recipe: Recipe, finished: Place) -> None:
    old = scores(finished.exp)
    (finished.exp / "best.pt").unlink()
    (finished.exp / "last.pt").unlink()
    done = recipe(*finished.options("--nnet-opts=training.steps=30"))
    assert stages_run(done) == [6, 8, 9, 10, 11, 12]
    new = scores(finished.exp)
    changed = {name for name in old if old[name] != new[name]}
    kinds = ("plda", "lda_cosine", "cosine", "cosine_asnorm")
    assert changed == {f"scores/test_{kind}" for kind in kinds}  # the baselines stay


def test_another_cohort_changes_the_normalised_scores_alone(recipe: Recipe, finished: Place) -> None:
    old = scores(finished.exp)
    done = recipe(*finished.options("--asnorm-cohort", "utterances"))
    assert stages_run(done) == [11, 12]
    new = scores(finished.exp)
    systems = ("", "baseline/", "baseline_cmvn/")
    assert {name for name in old if old[name] != new[name]} == {f"{s}scores/test_cosine_asnorm" for s in systems}


@dataclass
class Started:
    """A run in the background, and what its processes are found by."""

    run: subprocess.Popen[bytes]
    mark: dict[str, str]

    def trainer(self, exp: Path, says: str) -> int:
        """The process that trains, once its log says this."""
        log, lock = exp / "log" / "train.log", exp / "lock"
        log.unlink(missing_ok=True)

        def begun() -> bool:
            assert self.run.poll() is None, "the run ended before it trained"
            return log.exists() and says in log.read_text() and lock.exists()

        wait_until(begun, "training is at work")
        named = re.match(r"training, pid (\d+) ", lock.read_text())
        assert named and "-m nnet.train" in carrying(self.mark)[int(named[1])]
        return int(named[1])


_marks: list[dict[str, str]] = []


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """A test that fails leaves no process either."""
    yield
    for pid in [pid for mark in _marks for pid in carrying(mark)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _marks.clear()


def start(finished: Place, checkout: Path, *options: str) -> Started:
    """The recipe in a process group of its own, as a terminal or a scheduler starts it."""
    mark = new_mark()
    _marks.append(mark)
    with (finished.data.parent / "killed.log").open("ab") as log:
        run = subprocess.Popen(
            ["./pipeline.sh", *finished.options(*options)],
            cwd=checkout, env={**environment({}), **mark}, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    return Started(run, mark)


def kill(started: Started, number: signal.Signals = signal.SIGTERM) -> None:
    """End a run as Ctrl-C or a scheduler does; no process is left."""
    os.killpg(started.run.pid, number)
    assert started.run.wait(timeout=DEADLINE_S) == 128 + number
    assert carrying(started.mark) == {}


LONG = [f"--nnet-opts=training.{key}=50000" for key in ("steps", "save_every", "valid_every")]


def forget_training(finished: Place) -> None:
    """Make the run one that never came to stage 6."""
    for path in (*finished.exp.glob("*.pt"), finished.exp / ".stages" / "6.json"):
        path.unlink()


def figures(exp: Path) -> object:
    """Of results.json, without the notes: these say how long the run took."""
    return json.loads((exp / "results.json").read_text())["test_sets"]


def remove_stages_from(finished: Place, first: int) -> None:
    """Make the run one that never came to a stage: its markers and what they stand for."""
    for folder in (finished.data / "fbank", finished.exp):
        for marker in (folder / ".stages").glob("*.json"):
            if not marker.stem.isdigit() or int(marker.stem) >= first:
                marker.unlink()
    for path in (finished.data / "fbank").glob("train_combined*"):
        (path / "feats.scp").unlink()


def test_a_run_killed_in_stages_3_and_6_ends_as_one_that_was_not(
    recipe: Recipe, checkout: Path, finished: Place
) -> None:
    wanted, table = scores(finished.exp), figures(finished.exp)
    lists = contents(finished.data / "fbank" / "lists")
    remove_stages_from(finished, 3)
    for name in ("best.pt", "last.pt"):
        (finished.exp / name).unlink()
    subset = finished.data / "fbank" / "ark" / "raw_fbank_train_aug_subset.1.scp"
    subset.unlink()
    run = start(finished, checkout)
    wait_until(lambda: subset.is_file() and subset.stat().st_size > 0, "stage 3 is at work")
    kill(run)
    assert not (finished.data / "fbank" / ".stages" / "3.json").exists()

    run = start(finished, checkout)
    wait_until((finished.exp / "last.pt").is_file, "stage 6 is at work")
    kill(run)
    assert "stopped by SIGTERM after step" in (finished.exp / "log" / "train.log").read_text()

    done = recipe(*finished.options())
    assert stages_run(done) == [6, 7, 8, 9, 10, 11, 12]
    assert "resuming" in (finished.exp / "log" / "train.log").read_text()
    assert contents(finished.data / "fbank" / "lists") == lists
    assert scores(finished.exp) == wanted
    assert figures(finished.exp) == table


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("pipeline", signal.SIGUSR1),
        ("pipeline", signal.SIGTERM),
        ("group", signal.SIGINT),
        ("trainer", signal.SIGHUP),
        ("pipeline", signal.SIGKILL),
    ],
)
def test_a_signal_in_training_saves_and_leaves_no_process(
    checkout: Path, finished: Place, target: str, number: signal.Signals
) -> None:
    forget_training(finished)
    started = start(finished, checkout, *LONG)
    trainer = started.trainer(finished.exp, "\nstep ")
    if target == "group":
        os.killpg(started.run.pid, number)
    else:
        os.kill(trainer if target == "trainer" else started.run.pid, number)
    code = started.run.wait(timeout=DEADLINE_S)
    if number == signal.SIGKILL:  # then a second process ends the others, and this one cannot wait for it
        wait_until(lambda: not carrying(started.mark), "no process is left")
    assert carrying(started.mark) == {}
    assert code == {"trainer": 1, "pipeline": 128 + number, "group": 128 + number}[target] or code == -signal.SIGKILL
    step = re.search(r"stopped by SIG\w+ after step (\d+)", (finished.exp / "log" / "train.log").read_text())
    assert step and load_checkpoint(finished.exp / "last.pt").step == int(step[1])
    assert not (finished.exp / "lock").exists()


def test_a_trainer_that_a_killed_run_left_is_named_and_waited_for_and_nothing_trains_beside_it(
    recipe: Recipe, checkout: Path, finished: Place
) -> None:
    wanted = scores(finished.exp)
    forget_training(finished)
    first = start(finished, checkout)
    trainer = first.trainer(finished.exp, " parameters, ")
    os.kill(trainer, signal.SIGSTOP)  # it is to be at work as long as this test wants
    guards = [pid for pid, command in carrying(first.mark).items() if "utils/guard.py" in command]
    for pid in guards:
        os.kill(pid, signal.SIGSTOP)  # neither may see the other one's end
    for pid in guards:
        os.kill(pid, signal.SIGKILL)
    os.killpg(first.run.pid, signal.SIGKILL)
    first.run.wait()
    wait_until(lambda: not [c for c in carrying(first.mark).values() if "utils/" in c], "only the job is left")
    assert trainer in carrying(first.mark)

    config = (finished.exp / "config.yaml").read_bytes()
    log = finished.data.parent / "killed.log"
    other = start(finished, checkout, "--nnet-opts=schedule.peak_lr=0.005")
    wait_until(lambda: f"training, pid {trainer} on {socket.gethostname()} since" in log.read_text(), "it is named")
    assert "or for what a killed one left, at work in" in log.read_text() and "end it with kill" in log.read_text()
    os.kill(trainer, signal.SIGTERM)  # as the message says
    os.kill(trainer, signal.SIGCONT)
    assert other.run.wait(timeout=DEADLINE_S) == 1
    assert "was trained with another config: schedule.peak_lr" in (finished.exp / "log" / "train.log").read_text()
    assert (finished.exp / "config.yaml").read_bytes() == config
    assert carrying(first.mark) == carrying(other.mark) == {}

    recipe(*finished.options())
    assert scores(finished.exp) == wanted


def test_a_trainer_started_by_hand_is_waited_for_before_its_log_is_overwritten(
    checkout: Path, finished: Place, tmp_path: Path
) -> None:
    lists = finished.data / "fbank" / "lists"
    command = ["steps/train_nnet.sh", finished.exp / "config.yaml", lists, finished.exp]
    lock = finished.exp / "lock"
    with lock.open("w") as stream, (tmp_path / "log").open("wb") as log:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write("training, pid 12 on here: by hand")
        stream.flush()
        before = (finished.exp / "log" / "train.log").read_bytes()
        step = subprocess.Popen(command, cwd=checkout, env=environment({}), stdout=log, stderr=log)
        wait_until(lambda: "training, pid 12 on here: by hand" in (tmp_path / "log").read_text(), "it is named")
        assert (finished.exp / "log" / "train.log").read_bytes() == before
        lock.unlink()
    assert step.wait(timeout=DEADLINE_S) == 0


def test_a_later_stage_that_fails_leaves_earlier_results_untouched(recipe: Recipe, finished: Place) -> None:
    before = times(finished.data, finished.exp / "embeddings_test", finished.exp / "scores")
    results = (finished.exp / "RESULTS.md").read_bytes()
    embeddings = finished.exp / "embeddings_train" / "embedding.1.ark"
    ark = np.fromfile(embeddings, dtype=np.uint8)
    ark[: len(ark) // 2].tofile(embeddings)
    message = recipe(*finished.options("--stage", "10", "--lda-dim", "3", "--trust-earlier"), code=1).stderr
    assert "embedding.1.ark" in message
    assert times(finished.data, finished.exp / "embeddings_test", finished.exp / "scores") == before
    assert (finished.exp / "RESULTS.md").read_bytes() == results


def test_a_moved_checkout_is_named_and_goes_on_once_the_old_place_leads_to_it(
    recipe: Recipe, own_checkout: Path, fresh: Place
) -> None:
    options = [each for each in fresh.options("--stop-stage", "1") if not each.startswith(("--data=", "--exp="))]
    recipe(*options, where=own_checkout)  # data/corpus, exp/corpus-small: the tables hold absolute paths
    moved = own_checkout.rename(own_checkout.with_name("moved"))
    lines = recipe(*options, where=moved, code=1).stderr.splitlines()
    assert f"{own_checkout} was moved or copied to {moved}, and the tables hold absolute paths" in lines[-1]
    assert lines[-1].startswith("pipeline.sh: data/corpus/mfcc/") and "stage 1/12" not in "".join(lines)
    later = recipe(*options[:-1], "2", "--stage", "2", where=moved, code=1).stderr
    assert f"{own_checkout} was moved or copied to {moved}" in later
    own_checkout.symlink_to(moved)
    assert stages_run(recipe(*options, where=moved)) == []
    own_checkout.unlink()
    assert stages_run(recipe(*options, "--force", where=moved)) == [0, 1]
    assert stages_run(recipe(*options, where=moved)) == []
