"""A run can be repeated, changed and broken off anywhere: what is done stays, what is stale is made anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import Place, Recipe, contents, environment, scores, stages_run, times
from .voices import voice, write

pytestmark = pytest.mark.slow


def test_a_second_run_finds_every_stage_up_to_date_and_changes_no_file(recipe: Recipe, finished: Place) -> None:
    before = times(finished.data, finished.exp)
    done = recipe(*finished.options())
    assert stages_run(done) == []
    assert done.stderr.count(": up to date") == 14  # stage 1 has a part for MFCC and one for filter banks
    assert times(finished.data, finished.exp) == before
    assert (finished.exp / "RESULTS.md").read_text() in done.stdout


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


def start(finished: Place, checkout: Path, *options: str) -> subprocess.Popen[bytes]:
    """The recipe in a process group of its own, as a terminal or a scheduler starts it."""
    with (finished.data.parent / "killed.log").open("ab") as log:
        return subprocess.Popen(
            ["./pipeline.sh", *finished.options(*options)],
            cwd=checkout, env=environment({}), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def wait_until(there: Callable[[], bool], run: subprocess.Popen[bytes]) -> None:
    """Wait for something that the run is to make."""
    deadline = time.monotonic() + 60
    while not there():
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(run: subprocess.Popen[bytes], at_work_in: Path) -> None:
    """End a run as Ctrl-C or a scheduler does, and wait until its last process has ended, which holds the lock."""
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait(timeout=30) != 0
    subprocess.run(["flock", at_work_in / ".stages" / "lock", "true"], check=True, timeout=60)


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
    wait_until(lambda: subset.is_file() and subset.stat().st_size > 0, run)
    kill(run, finished.data / "fbank")
    assert not (finished.data / "fbank" / ".stages" / "3.json").exists()

    run = start(finished, checkout)
    wait_until((finished.exp / "last.pt").is_file, run)
    kill(run, finished.exp)
    assert "stopped by SIGTERM after step" in (finished.exp / "log" / "train.log").read_text()

    done = recipe(*finished.options())
    assert stages_run(done) == [6, 7, 8, 9, 10, 11, 12]
    assert "taking up" in (finished.exp / "log" / "train.log").read_text()
    assert contents(finished.data / "fbank" / "lists") == lists
    assert scores(finished.exp) == wanted
    assert figures(finished.exp) == table


def test_what_a_killed_run_left_behind_is_waited_for(checkout: Path, finished: Place) -> None:
    wanted = scores(finished.exp)
    lock, log = finished.exp / ".stages" / "lock", finished.data.parent / "killed.log"
    left_behind = subprocess.Popen(["flock", lock, "sleep", "300"], start_new_session=True)
    run = start(finished, checkout, "--stage", "8", "--force")
    waits = f"waiting for another run, or for what a killed one left behind, at work in {finished.exp}"
    wait_until(lambda: waits in log.read_text(), run)
    assert scores(finished.exp) == wanted  # nothing was begun
    os.killpg(left_behind.pid, signal.SIGTERM)
    left_behind.wait()
    assert run.wait(timeout=300) == 0
    assert scores(finished.exp) == wanted


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
    assert lines[-1].startswith("stage_marker.py: data/corpus/mfcc/") and "stage 1/12" not in "".join(lines)
    later = recipe(*options[:-1], "2", "--stage", "2", where=moved, code=1).stderr
    assert f"{own_checkout} was moved or copied to {moved}" in later
    own_checkout.symlink_to(moved)
    assert stages_run(recipe(*options, where=moved)) == []
    own_checkout.unlink()
    assert stages_run(recipe(*options, "--force", where=moved)) == [0, 1]
    assert stages_run(recipe(*options, where=moved)) == []
