"""What training and extraction write down about themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nnet.extract import main as extract
from nnet.inference.loading import load_model
from nnet.train import main
from nnet.training.records import num_parameters
from scoring.provenance import git_commit
from tests.nnet.helpers.training_runs import terminated_at

THREADS = f"cpu, {torch.get_num_threads()} threads"


def record(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


@pytest.fixture
def exp(tiny_corpus: Any, tmp_path: Path) -> Path:
    """An experiment of 8 steps, its validation after 7 and 8."""
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=8")) == 0
    return tmp_path / "exp"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_training_says_by_what_it_was_trained(tiny_corpus: Any, exp: Path) -> None:
    written = record(exp / "trained.yaml")
    assert written.pop("seconds") > 0
    assert written.pop("best_step") in (7, 8)
    assert written.pop("parameters") == num_parameters(load_model(exp / "best.pt", torch.device("cpu")).net)
    assert written == {
        "config": str(tiny_corpus.config),
        "overrides": ["training.steps=8"],
        "start_from": None,
        "steps": 8,
        "step": 8,
        "precision": "float32",
        "device": THREADS,
        "torch": str(torch.__version__),
        "commit": git_commit(),
    }


def test_parameters_of_the_embedding_are_those_without_head_and_loss(tiny_corpus: Any, exp: Path) -> None:
    """By the tensors of the file: without the running statistics of batch norm, which no gradient changes."""
    net = load_model(exp / "best.pt", torch.device("cpu")).net
    named = {name: tensor.numel() for name, tensor in net.state_dict().items()}
    learned = {name: n for name, n in named.items() if not name.endswith(("running_mean", "running_var", "_tracked"))}
    assert num_parameters(net) == sum(learned.values())
    of_training = sum(n for name, n in learned.items() if name.startswith(("head.", "loss_function.")))
    assert num_parameters(net, embedding=True) == num_parameters(net) - of_training < num_parameters(net)


def test_a_run_that_was_stopped_says_how_far_it_is(tiny_corpus: Any, tmp_path: Path) -> None:
    command = tiny_corpus.command(tmp_path / "exp", "training.steps=8")
    with terminated_at(3):
        assert main(command) == 128 + 15
    assert record(tmp_path / "exp" / "trained.yaml")["step"] == 3
    assert main(command) == 0
    assert record(tmp_path / "exp" / "trained.yaml")["step"] == 8


def test_a_session_that_has_nothing_to_train_leaves_the_record(tiny_corpus: Any, tmp_path: Path, exp: Path) -> None:
    before = (exp / "trained.yaml").read_bytes()
    assert main(tiny_corpus.command(exp, "training.steps=8", "training.log_every=3")) == 0
    assert (exp / "trained.yaml").read_bytes() == before


def test_a_fine_tuned_network_names_its_start_by_hash(tiny_corpus: Any, tmp_path: Path, exp: Path) -> None:
    start = exp / "best.pt"
    command = tiny_corpus.command(tmp_path / "tuned", f"training.start_from={start}", "training.steps=2")
    assert main(command) == 0
    expected = {"file": str(start), "sha256": sha256(start)}
    assert record(tmp_path / "tuned" / "trained.yaml")["start_from"] == expected


def test_extraction_names_its_network_and_what_was_changed(tiny_corpus: Any, tmp_path: Path, exp: Path) -> None:
    table = [f"scp:{tiny_corpus.root}/feats.scp", f"ark:{tmp_path}/vectors.ark"]
    changes = ["--inference", "mode=windows", "--inference", "window=20"]
    assert extract(["--exp", str(exp), *changes, "--record", str(tmp_path / "extracted.yaml"), *table]) == 0
    assert record(tmp_path / "extracted.yaml") == {
        "checkpoint": str(exp / "best.pt"),
        "sha256": sha256(exp / "best.pt"),
        "inference": ["mode=windows", "window=20"],
        "parameters": num_parameters(load_model(exp / "best.pt", torch.device("cpu")).net, embedding=True),
        "device": THREADS,
        "torch": str(torch.__version__),
        "commit": git_commit(),
    }
