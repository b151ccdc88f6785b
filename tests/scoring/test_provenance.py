"""RESULTS.md says which code, machine and network made its figures."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.errors import InputError
from scoring.provenance import (
    NO_GIT,
    git_commit,
    machine,
    made_here,
    network_notes,
    processor,
    processor_version,
    read_record,
)
from scoring.report import main

TRAINED: dict[str, Any] = {
    "config": "conf/nnet/mini.yaml",
    "overrides": ["training.seed=1"],
    "start_from": None,
    "steps": 1200,
    "step": 1200,
    "best_step": 1000,
    "seconds": 189.0,
    "precision": "bf16",
    "device": "cpu, 2 threads",
    "torch": "2.13.0+cpu",
    "commit": "abc",
}
EXTRACTED = {
    "checkpoint": "exp/a/best.pt",
    "sha256": "5e",
    "inference": [],
    "device": "cpu, 2 threads",
    "torch": "2.13.0",
}
IMPORTED = {"file": "published.pt", "sha256": "9f", "system": "wq", "published": "github.com/x/y"}


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", *who, *words], cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.py").write_text("1\n")
    git(folder, "add", "a.py")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """An experiment that was trained and whose embeddings were extracted here."""
    folder = tmp_path / "exp"
    for name in ("train", "test"):
        place = folder / f"embeddings_{name}"
        place.mkdir(parents=True)
        (place / "embedding.scp").write_text(f"{name} ark:5\n")
        digest = hashlib.sha256(f"{name} ark:5\n".encode()).hexdigest()
        (place / "extracted.yaml").write_text(yaml.safe_dump({**EXTRACTED, "embedding_scp": digest}))
    (folder / "trained.yaml").write_text(yaml.safe_dump(TRAINED))
    return folder


def test_the_commit_and_whether_files_differ_from_it(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD").strip()
    assert git_commit(checkout) == head
    (checkout / "a.py").write_text("2\n")
    (checkout / "new.yaml").write_text("")
    assert git_commit(checkout) == f"{head} (with changes in 2 files)"


def test_outside_a_checkout_there_is_no_git(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = checkout / "unpacked"
    inside.mkdir()
    outside = tmp_path / "unpacked"
    outside.mkdir()
    assert git_commit(inside) == git_commit(outside) == NO_GIT  # the first lies in another project's checkout
    monkeypatch.setenv("PATH", str(outside))
    assert git_commit(checkout) == NO_GIT  # git is not installed


def test_a_hooks_environment_names_no_other_repository(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git(checkout, "rev-parse", "HEAD").strip()
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert git_commit(checkout) == head


def test_the_machine_is_named(tmp_path: Path) -> None:
    assert machine(3).startswith("3 cores, ")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2 GHz\n"
    )
    assert processor(cpuinfo) == "Some CPU @ 2 GHz" and processor_version(cpuinfo) is None
    cpuinfo.write_text("cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: Some CPU\nstepping\t: 1\n\nmodel\t\t: 2\n")
    assert processor(cpuinfo) == "Some CPU" and processor_version(cpuinfo) == "family 26, model 2, stepping 1"
    cpuinfo.write_text("processor\t: 0\nCPU implementer\t: 0x41\n\nModel\t\t: Raspberry Pi 5\n")
    assert processor(cpuinfo) == "Raspberry Pi 5"
    assert processor(tmp_path / "none")


def test_a_network_trained_here(exp: Path) -> None:
    notes = dict(network_notes(exp, ["test"]))
    assert notes == {
        "network": "trained here by conf/nnet/mini.yaml with training.seed=1, from random weights, by commit abc",
        "training": "1200 of 1200 steps, the best model of step 1000, 189.0 s, on cpu, 2 threads",
        "precision": "bf16 in training, float32 in embedding",
        "embeddings": "of exp/a/best.pt (SHA-256 5e), on cpu, 2 threads",
        "torch": "2.13.0+cpu in training, 2.13.0 in embedding",
    }


def test_a_fine_tuned_network_names_what_it_began_with(exp: Path) -> None:
    start = {"file": "exp/b/best.pt", "sha256": "77"}
    (exp / "trained.yaml").write_text(yaml.safe_dump({**TRAINED, "start_from": start, "overrides": []}))
    network = dict(network_notes(exp, ["test"]))["network"]
    assert network == "trained here by conf/nnet/mini.yaml, from exp/b/best.pt (SHA-256 77), by commit abc"


def test_an_imported_network_names_its_file_and_hash(exp: Path) -> None:
    (exp / "trained.yaml").unlink()
    (exp / "imported.yaml").write_text(yaml.safe_dump(IMPORTED))
    notes = dict(network_notes(exp, ["test"]))
    assert notes["network"] == "imported from published.pt (SHA-256 9f; wq, github.com/x/y)"
    assert notes["precision"] == "float32 in embedding" and notes["torch"] == "2.13.0" and "training" not in notes


def test_own_embeddings_are_called_so(exp: Path) -> None:
    assert made_here(exp / "embeddings_test")
    (exp / "embeddings_test" / "embedding.scp").write_text("test mine:5\n")  # put in place of what was extracted
    assert not made_here(exp / "embeddings_test")
    assert dict(network_notes(exp, ["test"]))["network"].endswith("by commit abc; own embeddings in embeddings_test")
    (exp / "embeddings_train" / "extracted.yaml").unlink()
    assert network_notes(exp, ["test"]) == [("network", "own embeddings, which were not extracted here")]


def test_a_network_without_a_record_is_not_known(exp: Path) -> None:
    (exp / "trained.yaml").unlink()
    assert "not known: the experiment has no trained.yaml" in dict(network_notes(exp, ["test"]))["network"]


@pytest.mark.parametrize("text", ["- a\n", "a: [", "!!python/object/apply:os.system [true]"])
def test_a_damaged_record_is_refused_by_its_name(exp: Path, text: str) -> None:
    (exp / "trained.yaml").write_text(text)
    with pytest.raises(InputError, match=r"trained\.yaml:(1:)? .*run the stage that writes it again"):
        network_notes(exp, ["test"])
    assert read_record(exp / "none.yaml") == {}


def test_page_and_json_have_the_same_notes(exp: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "utt2spk").write_text("a1 a\na2 a\nb1 b\nb2 b\n")
    (data / "trials").write_text("a1 a2 target\nb1 b2 target\na1 b1 nontarget\n")
    (data / "scores").write_text("a1 a2 1\nb1 b2 2\na1 b1 0\n")
    out = ["--out", str(data / "RESULTS.md"), "--json", str(data / "results.json"), "--num-resamples", "5"]
    what = ["--test-set", f"test={data}", "--system", f"x|cosine={data}/scores", "--note", "seed=1"]
    assert main([*what, *out, "--exp", str(exp), "--cores", "7"]) == 0
    notes = json.loads((data / "results.json").read_text())["notes"]
    names = ["seed", "git commit", "machine", "network", "training", "precision", "embeddings", "torch"]
    assert list(notes) == names and notes["machine"].startswith("7 cores, ")
    page = (data / "RESULTS.md").read_text()
    assert all(f"\n- {name}: {text}\n" in page for name, text in notes.items())
