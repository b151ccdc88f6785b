"""benchmarks/poolings.py: its scores are the recipe's, its cases can be read, and its table shows what was measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.pooling_cases.scores import error_rates
from common.yaml_text import read_yaml
from minikaldi.io import FLOAT_VECTOR, writer
from nnet.config.experiment import load
from scoring.embeddings import EmbeddingTable, read_embeddings
from scoring.metrics import eer
from scoring.trials import align, read_scores, read_trials

CASES = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "pooling_cases").glob("*.yaml"))


@pytest.fixture
def poolings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # it puts the checkout in front
    from benchmarks import poolings

    return poolings


def write_data(folder: Path, name: str, speakers: int, utterances: int, dim: int, rng: np.random.Generator) -> None:
    """data/<name> and <name>.ark: speakers that overlap, so that there are errors."""
    data = folder / "data" / name
    data.mkdir(parents=True)
    utt2spk = {f"{name}{spk}-{utt}": f"{name}{spk}" for spk in range(speakers) for utt in range(utterances)}
    centres = {spk: 1.2 * rng.standard_normal(dim) for spk in utt2spk.values()}
    with writer(f"ark,scp:{folder}/{name}.ark,{folder}/{name}.scp", FLOAT_VECTOR) as out:
        for utt, spk in utt2spk.items():
            out.write(utt, (centres[spk] + rng.standard_normal(dim)).astype(np.float32))
    (data / "utt2spk").write_text("".join(f"{utt} {spk}\n" for utt, spk in utt2spk.items()))
    own = {spk: [utt for utt in utt2spk if utt2spk[utt] == spk] for spk in utt2spk.values()}
    (data / "spk2utt").write_text("".join(f"{spk} {' '.join(utts)}\n" for spk, utts in own.items()))
    pairs = [(a, b) for a in utt2spk for b in utt2spk if a < b]
    label = {True: "target", False: "nontarget"}
    (data / "trials").write_text("".join(f"{a} {b} {label[utt2spk[a] == utt2spk[b]]}\n" for a, b in pairs))


@pytest.mark.slow
@pytest.mark.parametrize(("utterances", "dim"), [(6, 4), (3, 40)], ids=["LDA alone", "PCA before it"])
def test_its_scores_are_those_of_the_steps(root: Path, tmp_path: Path, utterances: int, dim: int) -> None:
    rng = np.random.default_rng(0)
    write_data(tmp_path, "train", 12, utterances, dim, rng)
    write_data(tmp_path, "test", 6, 4, dim, rng)
    data, tables = tmp_path / "data", [read_embeddings(f"{tmp_path}/{name}.scp") for name in ("train", "test")]
    found = error_rates(*tables, data, 5)
    env = {name: value for name, value in os.environ.items() if name != "KALDI_ROOT"}

    def step(name: str, *arguments: Path | str) -> None:
        command = [str(root / "steps" / name), *map(str, arguments)]
        subprocess.run(command, cwd=root, env=env, check=True, capture_output=True)

    back_end, enroll, test = tmp_path / "backend", tmp_path / "enroll", tmp_path / "test.scp"
    step("train_backend.sh", "--lda-dim", "5", data / "train", tmp_path / "train.scp", back_end)
    step("make_enrollment.sh", data / "test", test, enroll)
    sides = (back_end, enroll, test, data / "test" / "trials")
    step("score_plda.sh", *sides, tmp_path / "PLDA")
    step("score_cosine.sh", *sides, tmp_path / "cosine")
    trials = read_trials(data / "test" / "trials")
    for back in ("PLDA", "cosine"):
        expected = eer(align(read_scores(tmp_path / back), trials), trials.is_target)
        # Scores in files have six digits: at most a pair of trials changes its order.
        assert found[back].value == pytest.approx(expected, abs=2 / trials.num_targets)
        assert found[back].low <= found[back].value <= found[back].high


def test_means_of_speakers_are_the_cohort() -> None:
    from benchmarks.pooling_cases.scores import speaker_means

    table = EmbeddingTable(["a", "b", "c"], np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]]))
    assert speaker_means(table, np.array([0, 1, 0])).vectors.tolist() == [[2.0, 3.0], [5.0, 5.0]]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_can_be_trained(root: Path, poolings: Any, path: Path) -> None:
    file = read_yaml(path)
    for name in file["cases"]:
        config = load(root / file["config"], poolings.changes_of(file, name, 3))
        assert (config.training.steps, config.training.seed, config.data.source) == (file["steps"], 3, "audio")


def test_the_table_has_a_row_for_each_run_and_for_the_mean_of_seeds(poolings: Any) -> None:
    def run(rate: float) -> dict[str, Any]:
        rates = dict.fromkeys(("PLDA", "cosine", "cosine, AS-norm"), rate)
        interval = {back_end: [each - 0.01, each + 0.02] for back_end, each in rates.items()}
        curve = [{"loss": "9"}, {"loss": "2.5", "accuracy": "0.5"}]
        return {"eer": rates, "interval": interval, "curve": curve}

    lines = poolings.table({"cases": {"a": [], "b": [], "c": []}}, {"a-1": run(0.1), "a-2": run(0.2), "b-1": run(0.05)})
    ten, twenty, five = (f"{rate:.2f} [{rate - 1:.2f}, {rate + 2:.2f}]" for rate in (10, 20, 5))
    assert lines[2:] == [
        f"| a | 1 | {ten} | {ten} | {ten} | 2.50, 50 % |",
        f"| a | 2 | {twenty} | {twenty} | {twenty} | 2.50, 50 % |",
        "| a | mean | **15.00** | **15.00** | **15.00** | |",
        f"| b | 1 | {five} | {five} | {five} | 2.50, 50 % |",
    ]
