"""steps/train_diag_ubm.sh and train_full_ubm.sh: models, counts, reports; an interrupted training goes on; refusals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object, writer

UTTS = [f"u{number}" for number in range(6)]
SMALL = ["--nj", "2", "--num-iters", "3", "--num-gselect", "3", "--subsample", "2"]
DIAG = [*SMALL, "--num-iters-init", "4", "--num-threads", "1"]
FULL = [*SMALL, "--remove-low-count-gaussians", "false"]


class Steps:
    """A data directory, and the steps run over it."""

    def __init__(self, root: Path, path: Path) -> None:
        self.root, self.path, self.data = root, path, path / "data"
        self.data.mkdir()
        self.write()

    def write(self, voiced: float = 1.0, last: float = 1.0) -> None:
        """Features and decisions; those of the last utterance are all `last`."""
        rng = np.random.default_rng(0)
        with (
            writer(f"ark,scp:{self.path}/f.ark,{self.data}/feats.scp", FLOAT_MATRIX) as feats,
            writer(f"ark,scp:{self.path}/v.ark,{self.data}/vad.scp", FLOAT_VECTOR) as vad,
        ):
            for utt in UTTS:
                feats.write(utt, (5 * rng.standard_normal((90, 2))).astype(np.float32))
                decisions = np.full(90, voiced, np.float32)
                decisions[::9] = 0
                vad.write(utt, decisions * np.float32(last) if utt == UTTS[-1] else decisions)

    def run(self, step: str, *words: object, code: int = 0, env: dict[str, str] | None = None) -> str:
        """Both streams of a step."""
        command = [f"steps/{step}", *map(str, words)]
        whole = {**{k: v for k, v in os.environ.items() if k != "KALDI_ROOT"}, **(env or {})}
        done = subprocess.run(command, cwd=self.root, env=whole, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def diag(self, *options: str, **how: Any) -> str:
        """The diagonal step."""
        return self.run("train_diag_ubm.sh", *DIAG, *options, self.data, 4, self.path / "diag", **how)

    def full(self, *options: str, **how: Any) -> str:
        """The full-covariance step."""
        return self.run("train_full_ubm.sh", *FULL, *options, self.data, self.path / "diag", self.path / "full", **how)


@pytest.fixture
def steps(root: Path, tmp_path: Path) -> Steps:
    return Steps(root, tmp_path)


def passes_in(text: str) -> list[tuple[int, float, int]]:
    """(pass, log-likelihood per frame, frames) of each line."""
    pattern = r"pass (\d) of 3: log-likelihood per frame (\S+) over (\d+) frames"
    return [(int(n), float(like), int(frames)) for n, like, frames in re.findall(pattern, text)]


@pytest.mark.slow
def test_both_models_are_trained_and_each_pass_is_reported(steps: Steps) -> None:
    text = steps.diag()
    assert "Gaussian selection: 6 in, 6 out, 0 dropped (0.00 %)" in text
    found = passes_in(text)
    # 80 voiced frames of each utterance, every second one.
    assert [(n, frames) for n, _, frames in found] == [(1, 240), (2, 240), (3, 240)] and found[2][1] > found[0][1]
    assert (steps.path / "diag" / "delta_opts").read_text() == "--delta-window=3 --delta-order=2\n"
    diag = read_object(str(steps.path / "diag" / "final.dubm"), DIAG_GMM)
    assert (diag.num_gauss, diag.dim) == (4, 6)

    found = passes_in(steps.full())
    assert len(found) == 3 and found[2][1] > found[0][1]
    full = read_object(str(steps.path / "full" / "final.ubm"), FULL_GMM)
    assert (full.num_gauss, full.dim) == (4, 6)
    assert (steps.path / "full" / "delta_opts").read_text() == "--delta-window=3 --delta-order=2\n"
    for folder in ("diag", "full"):
        assert not (steps.path / folder / "partial").exists()
        logs = {path.name for path in (steps.path / folder / "log").iterdir()}
        assert {"gselect.1.log", "acc.2.2.log", "update.2.log"} <= logs
        assert not [name for name in logs if name.startswith("feats.scp")]


@pytest.mark.slow
def test_an_interrupted_training_goes_on_after_its_last_pass(steps: Steps) -> None:
    """A gmm-global-est that fails in the second pass; the models of both ways are the same."""
    steps.diag()
    whole = (steps.path / "diag" / "final.dubm").read_bytes()
    broken = steps.path / "bin"
    broken.mkdir()
    program = broken / "gmm-global-est"
    program.write_text(
        f'#!/bin/bash\nif [[ "$*" = */next.dubm && "$*" = *"/1.dubm"* ]]; then exit 9; fi\n'
        f'exec "{steps.root}/minikaldi/bin/gmm-global-est" "$@"\n'
    )
    program.chmod(0o755)
    kaldi = {"KALDI_ROOT": str(broken)}
    (steps.path / "diag" / "log" / "gmm_init.log").unlink()
    (steps.path / "diag" / "final.dubm.settings").unlink()  # so that it is made again
    text = steps.diag(code=1, env=kaldi)
    assert [n for n, _, _ in passes_in(text)] == [1]
    assert (steps.path / "diag" / "final.dubm").read_bytes() == whole  # of the run before
    (steps.path / "diag" / "log" / "gmm_init.log").unlink()
    text = steps.diag()
    assert "1 of 3 passes are done already" in text and [n for n, _, _ in passes_in(text)] == [2, 3]
    assert not (steps.path / "diag" / "log" / "gmm_init.log").exists() and "Gaussian selection" not in text
    assert (steps.path / "diag" / "final.dubm").read_bytes() == whole


@pytest.mark.slow
def test_other_settings_begin_again(steps: Steps) -> None:
    steps.diag("--cleanup", "false")
    kept = {path.name for path in (steps.path / "diag" / "partial").iterdir()}
    assert {"0.dubm", "1.dubm", "2.dubm", "3.dubm", "gselect.1.gz", "1.2.acc"} <= kept
    assert passes_in(steps.diag("--cleanup", "false")) == []
    assert len(passes_in(steps.diag("--cleanup", "false", "--min-gaussian-weight", "0.001"))) == 3


def state_of(path: Path) -> tuple[bytes, int]:
    """The bytes of a file, and when it was written."""
    return path.read_bytes(), path.stat().st_mtime_ns


@pytest.mark.slow
def test_finished_models_are_not_made_again(steps: Steps) -> None:
    steps.diag()
    steps.full()
    models = [steps.path / "diag" / "final.dubm", steps.path / "full" / "final.ubm"]
    before = [state_of(model) for model in models]
    for option in ([], ["--nj", "3"]):
        text = steps.diag(*option) + steps.full(*option)
        assert text.count("is there, made with the same options and data") == 2 and "pass" not in text
    assert [state_of(model) for model in models] == before
    assert len(passes_in(steps.diag("--num-gselect", "2"))) == 3
    assert state_of(models[0]) != before[0]
    assert len(passes_in(steps.full())) == 3  # from another model


@pytest.mark.slow
def test_a_kill_in_the_training_of_the_extractor_loses_only_its_iteration(steps: Steps) -> None:
    """The three trainings one after another, as in pipeline.sh; at the second time only the extractor has work left."""
    words = ["--nj", "2", "--num-gselect", "3", "--ivector-dim", "2", "--num-iters", "2"]
    words += [str(path) for path in (steps.path / "full", steps.data, steps.path / "exp")]
    steps.diag()
    steps.full()
    before = [state_of(path) for path in steps.path.glob("*/final.*ubm")]
    env = {name: value for name, value in os.environ.items() if name != "KALDI_ROOT"}
    command = ["steps/train_ivector_extractor.sh", *words]
    with subprocess.Popen(command, cwd=steps.root, env=env, start_new_session=True) as training:
        deadline = time.monotonic() + 120
        while not (steps.path / "exp" / "log" / "acc.1.1.log").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(training.pid, signal.SIGKILL)
    assert not (steps.path / "exp" / "final.ie").exists()
    text = steps.diag() + steps.full()
    assert text.count("is there, made with the same options and data") == 2 and passes_in(text) == []
    assert sorted(before) == sorted(
        state_of(path) for path in steps.path.glob("*/final.*ubm") if path.parent.name != "exp"
    )
    text = steps.run("train_ivector_extractor.sh", *words)
    assert "1 of 2 iterations are there" in text and text.count("auxiliary function") == 1


@pytest.mark.slow
def test_a_changed_model_or_changed_features_are_noticed(steps: Steps) -> None:
    """Features that are made again may have an equal table: the archives' times are compared too."""
    steps.diag()
    model = steps.path / "diag" / "final.dubm"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1])
    assert len(passes_in(steps.diag())) == 3 and model.read_bytes() == whole
    (steps.path / "diag" / "delta_opts").unlink()
    assert len(passes_in(steps.diag())) == 3
    archive = steps.path / "f.ark"
    os.utime(archive, (1, 1))
    assert len(passes_in(steps.diag())) == 3
    assert passes_in(steps.diag()) == []


@pytest.mark.slow
def test_passes_go_on_with_another_number_of_jobs(steps: Steps) -> None:
    """Only the selections are made again, with the first model, so the result is that of a whole run."""
    steps.diag()
    whole = read_object(str(steps.path / "diag" / "final.dubm"), DIAG_GMM)
    steps.diag("--num-iters", "2", "--cleanup", "false", "--remove-low-count-gaussians", "false")
    partial = steps.path / "diag" / "partial"
    settings = (partial / "settings").read_text().replace("num_iters=2", "num_iters=3")
    settings = settings.replace("remove_low_count_gaussians=false", "remove_low_count_gaussians=true")
    (partial / "settings").write_text(settings)  # as if it was ended after the second of three
    text = steps.diag("--nj", "3")
    assert "2 of 3 passes are done already" in text and "Gaussian selection: 6 in, 6 out" in text
    assert [n for n, _, _ in passes_in(text)] == [3]
    found = read_object(str(steps.path / "diag" / "final.dubm"), DIAG_GMM)
    # The sums of float32 numbers differ by their order.
    np.testing.assert_allclose(found.means_invvars, whole.means_invvars, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.weights, whole.weights, rtol=1e-5)


@pytest.mark.slow
def test_utterances_that_are_lost_are_counted(steps: Steps) -> None:
    steps.write(last=0)
    assert "Gaussian selection: 1 of 6 dropped" in steps.diag(code=1)
    text = steps.diag("--max-loss", "0.2")
    assert "6 in, 5 out, 1 dropped" in text and len(passes_in(text)) == 3
    assert (steps.path / "diag" / "log" / "utt2like.dropped").read_text().startswith("u5 ")


def test_missing_inputs_and_wrong_numbers_are_refused(steps: Steps) -> None:
    text = steps.run("train_full_ubm.sh", steps.data, steps.path / "diag", steps.path / "full", code=1)
    assert "diag/final.dubm is missing or empty; steps/train_diag_ubm.sh makes it" in text
    assert "expected an integer >= 1" in steps.run("train_diag_ubm.sh", steps.data, "many", steps.path / "d", code=1)
    assert "Usage: steps/train_diag_ubm.sh" in steps.run("train_diag_ubm.sh", steps.data, code=1)
    assert "is 1.5; expected at most 1" in steps.diag("--initial-gauss-proportion", "1.5", code=1)
    assert "Usage: steps/train_full_ubm.sh" in steps.run("train_full_ubm.sh", "--help")
    (steps.data / "vad.scp").unlink()
    assert "vad.scp is missing or empty" in steps.run("train_diag_ubm.sh", steps.data, 4, steps.path / "d", code=1)


@pytest.mark.slow
def test_the_number_of_gaussians_may_come_first(steps: Steps) -> None:
    steps.run("train_diag_ubm.sh", *DIAG, 4, steps.data, steps.path / "diag")
    assert read_object(str(steps.path / "diag" / "final.dubm"), DIAG_GMM).num_gauss == 4
