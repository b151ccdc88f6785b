"""What stage 12 writes into the ledger: figures, configuration, data, code, machine and costs of a run."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring.ledger import read_records
from scoring.ledger_entries import data_hash
from scoring.ledger_record import LedgerRecord, StageCost, content_hash
from scoring.provenance import checkout_state, processor
from scoring.report import main

CONFIG = {"encoder": {"name": "tdnn"}, "training": {"steps": 3, "seed": 1}}
TRAINED = {"config": "conf/nnet/mini.yaml", "parameters": 5000, "device": "cuda:0, Some GPU", "torch": "2.13.0"}
COSTS = '{"times": [{"stage": "6", "seconds": 76, "cpu_seconds": 106.5}, {"stage": "8", "seconds": 11}], "dropped": []}'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A scored experiment and its data: three speakers of two utterances, a network and a baseline."""
    data = tmp_path / "data"
    for name in ("train", "test"):
        (data / "mfcc" / name).mkdir(parents=True)
        (data / name).mkdir()
        (data / name / "utt2spk").write_text("".join(f"{s}{n} {s}\n" for s in "abc" for n in "12"))
        (data / "mfcc" / name / "utt2dur").write_text("".join(f"{s}{n} 2.5\n" for s in "abc" for n in "12"))
    pairs = [(f"{a}1", f"{b}2", "target" if a == b else "nontarget") for a in "abc" for b in "abc"]
    (data / "test" / "trials").write_text("".join(f"{a} {b} {label}\n" for a, b, label in pairs))
    exp = tmp_path / "exp" / "mini"
    exp.mkdir(parents=True)
    for number, name in enumerate(("own", "baseline")):
        scores = [f"{a} {b} {(label == 'target') - number * (a == 'a1')}\n" for a, b, label in pairs]
        (exp / f"{name}_scores").write_text("".join(scores))
    (exp / "config.yaml").write_text("# a comment\n" + yaml.safe_dump(CONFIG))
    (exp / "plan.yaml").write_text('name: "mini"\noptions:\n  lda_dim: 200\n  nnet_opts: ["a=1"]\n')
    (exp / "trained.yaml").write_text(yaml.safe_dump(TRAINED))
    (exp / "stage_record.json").write_text(COSTS)
    (exp / "embeddings_train").mkdir()
    (exp / "embeddings_train" / "embedding.scp").write_text("a1 ark:5\n")
    digest = hashlib.sha256(b"a1 ark:5\n").hexdigest()
    extracted = {"device": "cpu, 2 threads", "parameters": 4000, "embedding_scp": digest}
    (exp / "embeddings_train" / "extracted.yaml").write_text(yaml.safe_dump(extracted))
    return tmp_path


def arguments(place: Path, *more: str, name: str = "mini") -> list[str]:
    """The command line of stage 12."""
    exp, data = place / "exp" / "mini", place / "data"
    scored = [f"{name}|PLDA={exp}/own_scores", f"MFCC statistics|PLDA={exp}/baseline_scores"]
    words = ["--test-set", f"test={data}/test", "--num-resamples", "20", "--seed", "3", "--out", f"{exp}/RESULTS.md"]
    words += [word for each in scored for word in ("--system", each)]
    ledger = ["--exp", str(exp), "--ledger", f"{place}/exp/results.jsonl", "--data", str(data), "--cores", "7"]
    return [*words, *ledger, "--run-command", "./pipeline.sh --seed 3", *more]


def recorded(place: Path, *more: str, name: str = "mini") -> list[LedgerRecord]:
    """The records after a stage 12."""
    assert main(arguments(place, *more, name=name)) == 0
    return read_records(place / "exp" / "results.jsonl")


def test_each_system_has_a_line_with_what_made_it(place: Path) -> None:
    own, baseline = recorded(place)
    assert (own.row, own.system, own.back_end, own.test_set, own.baseline) == ("mini", "network", "PLDA", "test", False)
    assert (own.trials, own.targets, own.nontargets, own.speakers) == (9, 3, 6, 3)
    assert own.eer.value == own.eer.low == own.eer.high == 0.0 and set(own.min_dcf) == {"0.01", "0.001", "0.05"}
    assert own.config == CONFIG and own.config_hash == content_hash(CONFIG)
    assert own.options == {"lda_dim": 200, "nnet_opts": ["a=1"]} and own.corpus == "mini"
    assert (own.parameters, own.embedding_parameters, own.training) == (5000, 4000, TRAINED)
    assert (own.seed, own.resamples, own.command, own.benchmark) == (3, 20, "./pipeline.sh --seed 3", None)
    commit, changed = checkout_state()
    assert (own.commit, own.clean) == (commit, None if commit is None else not changed)
    assert own.stages == (StageCost("6", 76.0, 106.5, None), StageCost("8", 11.0))
    machine = own.machine
    assert (machine.cpu, machine.cores) == (processor(), 7)
    assert machine.training_device == TRAINED["device"] and machine.embedding_device == "cpu, 2 threads"
    assert {"numpy", "scipy", "torch"} >= set(machine.libraries) >= {"numpy"}
    assert (baseline.system, baseline.baseline, baseline.eer.value > 0) == ("MFCC statistics", True, True)
    assert baseline.config is baseline.training is baseline.parameters is None
    assert baseline.data_hash == own.data_hash is not None


def test_the_figures_are_those_of_the_page(place: Path) -> None:
    records = recorded(place, "--json", str(place / "results.json"))
    shown = json.loads((place / "results.json").read_text())["test_sets"]["test"]["results"]
    for record, figures in zip(records, shown, strict=True):
        assert vars(record.eer) == figures["eer"]
        assert {prior: vars(each) for prior, each in record.min_dcf.items()} == figures["min_dcf"]


def test_the_same_run_again_adds_no_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(recorded(place)) == 2
    assert "2 results added to" in capsys.readouterr().err
    assert len(recorded(place)) == 2
    assert "results.jsonl has these results already" in capsys.readouterr().err
    (place / "exp" / "mini" / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "training": {"steps": 4}}))
    assert len(recorded(place)) == 3  # the baseline does not depend on it
    assert len(recorded(place, "--benchmark", "small")) == 5


def test_two_runs_that_end_together_both_have_their_lines(root: Path, place: Path) -> None:
    commands = [[sys.executable, "-m", "scoring.report", *arguments(place, "--benchmark", name)] for name in "abc"]
    for command in commands:
        command[command.index("--out") + 1] = f"{place}/{command[-1]}.md"
    runs = [subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) for command in commands]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    found = sorted(str(record.benchmark) for record in read_records(place / "exp" / "results.jsonl"))
    assert found == list("aabbcc")


def test_a_normalised_system_and_one_that_is_no_network_are_named(place: Path) -> None:
    own, baseline = recorded(place, "--own-system", "i-vector", "--row", "row", name="rowᴺ")
    assert (own.row, own.system, own.normalised, own.baseline) == ("row", "i-vector", True, False)
    assert own.config == CONFIG and not baseline.normalised
    assert "| rowᴺ | PLDA |" in (place / "exp" / "mini" / "RESULTS.md").read_text()


def test_without_records_of_the_experiment_nothing_is_made_up(place: Path) -> None:
    exp = place / "exp" / "mini"
    for name in ("config.yaml", "plan.yaml", "trained.yaml", "stage_record.json"):
        (exp / name).unlink()
    shutil.rmtree(exp / "embeddings_train")
    own = recorded(place)[0]
    unknown: list[Any] = [own.config, own.config_hash, own.options, own.corpus, own.training, own.parameters]
    unknown += [own.embedding_parameters, own.machine.training_device, own.machine.embedding_device]
    assert unknown == [None] * len(unknown) and own.stages == ()


def test_an_imported_network_has_its_origin(place: Path) -> None:
    origin = {"file": "p.pt", "sha256": "9f", "system": "wq", "published": "github.com/x/y"}
    imported = {**origin, "mapped": {"a": "b"}}
    (place / "exp" / "mini" / "imported.yaml").write_text(yaml.safe_dump(imported))
    own = recorded(place)[0]
    assert own.training == origin and own.parameters is None and own.embedding_parameters == 4000


def test_the_hash_of_the_data_depends_on_lists_and_not_on_their_place(place: Path) -> None:
    data = place / "data"
    first = data_hash(data, "test")
    shutil.copytree(data, place / "moved")
    (place / "moved" / "train" / "wav.scp").write_text("a1 /elsewhere/a1.wav\n")
    assert data_hash(place / "moved", "test") == first is not None
    lists = ["train/utt2spk", "test/utt2spk", "test/trials", "mfcc/train/utt2dur", "mfcc/test/utt2dur"]
    hashes = {first}
    for name in lists:
        path = data / name
        before = path.read_text()
        path.write_text(before.replace("a1", "x1"))
        hashes.add(data_hash(data, "test"))
        path.write_text(before)
    (data / "test" / "enroll2utt").write_text("m a1\n")
    hashes.add(data_hash(data, "test"))
    assert len(hashes) == len(lists) + 2
    assert data_hash(None, "test") is None is data_hash(data, "none")


def test_the_ledger_needs_an_experiment(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(place)
    where = words.index("--exp")
    with pytest.raises(SystemExit):
        main(words[:where] + words[where + 2 :])
    assert "--ledger needs --exp" in capsys.readouterr().err
