"""steps/train_ivector_extractor.sh and extract_ivectors.sh: a whole run, an interrupted one, and what they refuse."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minikaldi.gmm.diag_gmm import DIAG_GMM, diag_gmm_of_moments
from minikaldi.gmm.full_gmm import FULL_GMM, full_gmm_of_moments
from minikaldi.io import FLOAT_VECTOR, read_object, write_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from tests.minikaldi.helpers.running import make_table, table

pytestmark = pytest.mark.slow

DIM, NUM_GAUSS, KEYS = 2, 4, [f"spk{speaker}-u{utterance}" for speaker in range(4) for utterance in range(3)]
# Ten times what one pass needs; --gaussian-min-count is 100 frames, so that every Gaussian is updated.
FRAMES = 80


@dataclass(frozen=True)
class Place:
    """A data directory and a UBM.

    Attributes:
        root: of the checkout.
        folder: with data/ and ubm/.
    """

    root: Path
    folder: Path

    def call(self, step: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a step, with the options of a small model."""
        env = {name: value for name, value in os.environ.items() if name != "KALDI_ROOT"}
        command = [f"steps/{step}.sh", "--nj", "2", "--num-gselect", "3", *arguments]
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def train(self, exp: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Train an extractor of three dimensions."""
        arguments = ("--ivector-dim", "3", "--num-iters", "2", *options)
        places = (str(self.folder / name) for name in ("ubm", "data", exp))
        return self.call("train_ivector_extractor", *arguments, *places, code=code)

    def extract(self, exp: str, out: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Extract the vectors of the data."""
        places = (str(self.folder / name) for name in (exp, "data", out))
        return self.call("extract_ivectors", *options, *places, code=code)


@pytest.fixture
def place(root: Path, tmp_path: Path) -> Place:
    """Frames of four Gaussians that move with the speaker; the last ten frames of each utterance are not voiced."""
    rng = np.random.default_rng(0)
    means = 4.0 * rng.standard_normal((NUM_GAUSS, DIM))
    shifts = {f"spk{speaker}": rng.standard_normal((NUM_GAUSS, DIM)) for speaker in range(4)}
    feats, vad = {}, {}
    for key in KEYS:
        chosen = rng.integers(NUM_GAUSS, size=FRAMES)
        frames = (means + shifts[key.split("-")[0]])[chosen] + rng.standard_normal((FRAMES, DIM))
        feats[key] = frames.astype(np.float32)
        vad[key] = np.repeat(np.float32([1, 0]), [FRAMES - 10, 10])
    data, ubm = tmp_path / "data", tmp_path / "ubm"
    data.mkdir()
    ubm.mkdir()
    make_table(f"ark,scp:{data}/feats.ark,{data}/feats.scp", feats)
    make_table(f"ark,scp:{data}/vad.ark,{data}/vad.scp", vad, FLOAT_VECTOR)
    (data / "utt2spk").write_text("".join(f"{key} {key.split('-')[0]}\n" for key in KEYS))
    spread = np.concatenate([means, np.zeros((NUM_GAUSS, DIM))], axis=1)  # with differences of order 1
    covars = np.tile(2.0 * np.eye(2 * DIM), (NUM_GAUSS, 1, 1))
    write_object(str(ubm / "final.ubm"), FULL_GMM, full_gmm_of_moments(np.full(NUM_GAUSS, 0.25), spread, covars))
    (ubm / "delta_opts").write_text("--delta-window=3 --delta-order=1\n")
    return Place(root, tmp_path)


def failing_runner(place: Place, log: str) -> str:
    """A runner that fails at the job with this log."""
    runner = place.folder / "runner"
    runner.write_text(
        f'#!/usr/bin/env bash\nfor word in "$@"; do case $word in */{log}) exit 1 ;; esac; done\n'
        f'exec {place.root}/utils/run.pl "$@"\n'
    )
    runner.chmod(0o755)
    return str(runner)


def test_a_whole_run_gives_an_extractor_and_a_vector_for_each_utterance(place: Place) -> None:
    done = place.train("extractor", "--apply-cmn", "false")
    lines = [line for line in done.stdout.splitlines() if "auxiliary function" in line]
    figures = [float(line.split("auxiliary function ")[1].split()[0]) for line in lines]
    assert len(figures) == 2 and figures[1] > figures[0]
    assert f"{len(KEYS)} in, {len(KEYS)} out" in done.stdout + done.stderr
    extractor = place.folder / "extractor"
    assert {path.name for path in extractor.iterdir()} >= {"final.ie", "final.ubm", "final.dubm", "delta_opts"}
    assert not list(extractor.glob("acc.*")) and not list(extractor.glob("*.partial"))
    place.extract("extractor", "extractor/embeddings")
    vectors = table(f"scp:{extractor}/embeddings/embedding.scp", FLOAT_VECTOR)
    assert list(vectors) == KEYS
    matrix = np.array(list(vectors.values())).reshape(4, 3, 3)
    # Utterances of one speaker are nearer to one another than speakers are.
    assert matrix.var(axis=1).sum() < matrix.mean(axis=1).var(axis=0).sum()


@pytest.mark.parametrize("log", ["posteriors.JOB.log", "acc.1.JOB.log", "update.1.log"])
def test_an_interrupted_run_goes_on_and_gives_the_same_model(place: Place, log: str) -> None:
    place.train("whole")
    place.train("parts", "--cmd", failing_runner(place, log), code=1)
    assert not (place.folder / "parts" / "final.ie").exists()
    done = place.train("parts")
    finished = 1 if log.endswith(("1.log", "1.JOB.log")) else 0
    assert done.stdout.count("auxiliary function") == 2 - finished
    assert (place.folder / "whole" / "final.ie").read_bytes() == (place.folder / "parts" / "final.ie").read_bytes()


def test_more_iterations_go_on_from_what_is_there_and_other_options_begin_again(place: Place) -> None:
    place.train("whole", "--num-iters", "3")
    place.train("more", "--num-iters", "1")
    done = place.train("more", "--num-iters", "3")
    assert "1 of 3 iterations are there" in done.stdout
    assert (place.folder / "whole" / "final.ie").read_bytes() == (place.folder / "more" / "final.ie").read_bytes()
    assert place.train("more", "--num-iters", "3").stdout.count("auxiliary function") == 0
    again = place.train("more", "--num-iters", "1", "--ivector-dim", "2")
    assert "made with other options or data; it is made again" in again.stderr
    assert not (place.folder / "more" / "2.ie").exists()


def test_another_number_of_jobs_goes_on_from_the_last_iteration(place: Place) -> None:
    place.train("whole")
    place.train("more", "--num-iters", "1")
    first = (place.folder / "more" / "1.ie").stat().st_mtime_ns
    done = place.train("more", "--nj", "3")
    assert "1 of 2 iterations are there" in done.stdout and done.stdout.count("auxiliary function") == 1
    assert (place.folder / "more" / "1.ie").stat().st_mtime_ns == first
    assert len(list((place.folder / "more").glob("post.*.gz"))) == 3
    models = [read_object(str(place.folder / name / "final.ie"), EXTRACTOR) for name in ("whole", "more")]
    # Statistics are products and sums in float32, whose order differs; 1e-6 of each, some of them amplified by solving.
    assert np.allclose(models[0].projections, models[1].projections, rtol=1e-3, atol=1e-3)
    posteriors = (place.folder / "more" / "post.1.gz").stat().st_mtime_ns
    assert place.train("more").stdout.count("auxiliary function") == 0  # all is done: no posteriors are made
    assert (place.folder / "more" / "post.1.gz").stat().st_mtime_ns == posteriors


def test_features_that_are_made_again_are_noticed(place: Place) -> None:
    place.train("extractor", "--num-iters", "1")
    os.utime(place.folder / "data" / "feats.ark", (1, 1))
    assert "it is made again" in place.train("extractor", "--num-iters", "1").stderr


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="run.pl runs one job at once on one core")
def test_no_more_jobs_run_at_once_than_the_memory_holds(place: Place) -> None:
    """A small job takes 0.25 GB; in 0.3 GB there is room for one, in 8 for all."""
    pattern = "1 of 2 jobs at once: each takes about 0.25 GB, 0.30 GB are free"
    assert re.search("i-vector extractor: " + pattern, place.train("extractor", "--memory", "0.3").stdout)
    assert "at once" not in place.train("other", "--memory", "8").stdout
    assert re.search("small: " + pattern, place.extract("extractor", "o", "--memory", ".3", "--label", "small").stdout)
    assert "at once" not in place.train("fourth", "--memory", "0.1", "--cmd", failing_runner(place, "none")).stdout
    refused = place.train("third", "--memory", "much", code=1)
    assert "--memory is much; expected a number of GB" in refused.stderr


@pytest.mark.parametrize(("squares", "expected"), [(2, 2.7), (1, 1.7)])
def test_the_estimate_is_the_measured_memory_of_a_large_model(place: Place, squares: int, expected: float) -> None:
    """2,048 Gaussians, 72 x 400: a file of the size of that extractor, without its numbers."""
    gauss, dim, vector = 2048, 72, 400
    ones = np.ones((gauss, dim), np.float32)
    model = diag_gmm_of_moments(np.full(gauss, 1 / gauss), ones, ones)
    write_object(str(place.folder / "large.dubm"), DIAG_GMM, model)
    with (place.folder / "large.ie").open("wb") as stream:
        stream.truncate(8 * gauss * (dim * vector + dim * (dim + 1) // 2))
    script = f". ./path.sh; . steps/limit_by_memory.sh; job_gigabytes {place.folder}/large.{{ie,dubm}} {squares} log"
    done = subprocess.run(
        ["bash", "-euc", script.replace(" log", f" {place.folder}/log")],
        cwd=place.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout) == pytest.approx(expected, abs=0.1)


def test_what_is_missing_is_named(place: Place) -> None:
    (place.folder / "data" / "vad.scp").unlink()
    assert "vad.scp is missing or empty; stages 1 and 3 make it" in place.train("extractor", code=1).stderr
    (place.folder / "ubm" / "final.ubm").unlink()
    assert "steps/train_full_ubm.sh makes it" in place.train("extractor", code=1).stderr
    assert "steps/train_ivector_extractor.sh makes it" in place.extract("extractor", "out", code=1).stderr


def test_lost_utterances_are_counted_and_too_many_are_an_error(place: Place) -> None:
    vad = table(f"scp:{place.folder}/data/vad.scp", FLOAT_VECTOR)
    vad[KEYS[3]] = np.zeros_like(vad[KEYS[3]])
    make_table(f"ark,scp:{place.folder}/data/vad.ark,{place.folder}/data/vad.scp", vad, FLOAT_VECTOR)
    refused = place.train("extractor", code=1)
    assert f"{KEYS[3]}" in refused.stdout + refused.stderr
    place.train("extractor", "--max-loss", "0.1")
    place.extract("extractor", "out", code=1)
    assert not (place.folder / "out" / "embedding.scp").exists()
    place.extract("extractor", "out", "--max-loss", "0.1")
    assert list(table(f"scp:{place.folder}/out/embedding.scp", FLOAT_VECTOR)) == [k for k in KEYS if k != KEYS[3]]
    assert (place.folder / "out" / "embedding.scp.dropped").read_text().startswith(KEYS[3])
