"""Trials: one rule on the two forms of a list for every reader, and what the steps make of one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from common.trial_forms import KALDI_FORM, VOXCELEB_FORM, form_of
from local.trials import convert_list, read_corpus_trials
from minikaldi.io import FLOAT_VECTOR, writer
from scoring.enrollment import enrollment_lines
from scoring.metrics import eer
from scoring.trials import align, read_scores, read_trials
from scoring.trials import main as trials_program

MARK = b"\xef\xbb\xbf"


def test_the_first_line_decides_the_form_for_every_reader(tmp_path: Path) -> None:
    assert form_of(["1", "0", "target"]) is KALDI_FORM and form_of(["1", "0", "x"]) is VOXCELEB_FORM
    path = tmp_path / "trials"
    path.write_text("1 a target\n0 b nontarget\n")
    assert read_trials(path).pairs == [("1", "a"), ("0", "b")]
    assert [(trial.enroll, trial.test) for trial in read_corpus_trials(path)] == [("1", "a"), ("0", "b")]
    for mixed in ("1 a b\na b target\n", "a b target\n1 a b\n"):
        path.write_text(mixed)
        with pytest.raises(InputError, match="trials:2: "):
            read_trials(path)
        with pytest.raises(InputError, match=r"trials:2: found .* expected `"):
            read_corpus_trials(path)


def test_pairs_are_printed_as_kaldi_reads_them_and_scores_are_checked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trials, scores = tmp_path / "trials", tmp_path / "scores"
    trials.write_bytes(MARK + "1\ta\u00a0 b\r\n0  c\td\r\n".encode())
    assert trials_program(["--pairs", str(trials)]) == 0
    assert capfd.readouterr().out == "a\u00a0 b\nc d\n"
    pairs = tmp_path / "pairs"
    pairs.write_text("a\u00a0 b\nc d\n")
    scores.write_text("a\u00a0 b 1\nc d 2\n")
    assert trials_program(["--check", str(scores), str(pairs)]) == 0
    scores.write_text("a\u00a0 b 1\n")
    with pytest.raises(InputError, match=r"1 of 2 trials have no score \(first: `c d`\)"):
        trials_program(["--check", str(scores), str(pairs)])
    with pytest.raises(InputError, match="trials:1: found 3 fields"):
        trials_program(["--check", str(scores), str(trials)])


def test_models_of_a_list_without_models_are_its_enrolment_ids(tmp_path: Path) -> None:
    (tmp_path / "trials").write_bytes("0 b\tx\r\n1 a\u00a0 y\n1 b y\n".encode())
    assert enrollment_lines(tmp_path) == ["a\u00a0 a\u00a0", "b b"]
    (tmp_path / "enroll2utt").write_text("m a b\nm c\n")
    with pytest.raises(InputError, match="enroll2utt:2: model 'm' is already on line 1"):
        enrollment_lines(tmp_path)


def test_stage_0_writes_a_clean_list_and_reports_what_it_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "list"
    source.write_bytes(MARK + "1\ts\u00a01/a.wav  s\u00a01/b\r\n0\ts\u00a01/a\ts2/c.wav\r\n".encode())
    paths = {"s_1-a": "s\u00a01/a.wav", "s_1-b": "s\u00a01/b.wav", "s2-c": "s2/c.wav"}
    convert_list(tmp_path, source, paths)
    assert (tmp_path / "trials").read_text() == "s_1-a s_1-b target\ns_1-a s2-c nontarget\n"
    said = capfd.readouterr().err
    assert (said.count(f"{source}: the file begins with a byte order mark"), said.count("CRLF")) == (1, 1)


@pytest.fixture
def models(root: Path, tmp_path: Path) -> Path:
    """A back end of six speakers, and three models and three test vectors with a no-break space in their ids."""
    rng = np.random.default_rng(1)
    centres = 3 * rng.standard_normal((6, 4))
    vectors = {f"t{spk}-{utt}": centres[spk] + rng.standard_normal(4) for spk in range(6) for utt in range(4)}
    tested = {f"s{spk}-\u00a0{utt}": centres[spk] + rng.standard_normal(4) for spk in range(3) for utt in ("e", "x")}
    for name, table in (("train", vectors), ("test", tested)):
        with writer(f"ark,scp:{tmp_path}/{name}.ark,{tmp_path}/{name}.scp", FLOAT_VECTOR) as out:
            for key, value in table.items():
                out.write(key, value)
    spk2utt = [f"t{spk} t{spk}-0 t{spk}-1 t{spk}-2 t{spk}-3\n" for spk in range(6)]
    (tmp_path / "spk2utt").write_text("".join(spk2utt))
    (tmp_path / "utt2spk").write_text("".join(f"{utt} {utt[:2]}\n" for utt in vectors))
    (tmp_path / "enroll2utt").write_text("".join(f"m\u00a0{spk} s{spk}-\u00a0e\n" for spk in range(3)))
    (tmp_path / "trials").write_text("m\u00a00 s0-\u00a0x target\n")
    step(root, "train_backend.sh", tmp_path, tmp_path / "train.scp", tmp_path / "backend")
    step(root, "make_enrollment.sh", tmp_path, tmp_path / "test.scp", tmp_path / "enroll")
    return tmp_path


def step(root: Path, name: str, *arguments: Path | str) -> str:
    """Run a step; returns what it printed."""
    command = [str(root / "steps" / name), *map(str, arguments)]
    env = {name: value for name, value in os.environ.items() if name != "KALDI_ROOT"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def sides(tmp_path: Path) -> list[Path]:
    """The arguments of a scoring step, for a runner that computes nothing."""
    for name in ("plda", "mean.vec", "transform.mat", "spk_embedding.scp", "num_utts.ark", "test.scp"):
        (tmp_path / name).write_text("x\n")
    (tmp_path / "trials").write_text("1 a b\n0 a c\n")
    return [tmp_path, tmp_path, tmp_path / "test.scp", tmp_path / "trials", tmp_path / "scores"]


def runner(folder: Path, script: str) -> Path:
    """A stand-in for run.pl, whose first argument is the log."""
    path = folder / "runner"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("trials", "script"),
    [
        ("1 a b\n", "exit 1"),
        ("1 a b\n", ": > $SCORES.partial"),  # a score is missing
        ("1 a b\n0 a\n", "exit 0"),
    ],
)
def test_a_failed_scoring_leaves_no_file_but_its_log(
    root: Path, tmp_path: Path, sides: list[Path], trials: str, script: str
) -> None:
    (tmp_path / "trials").write_text(trials)
    command = [root / "steps/score_plda.sh", "--cmd", runner(tmp_path, script), *sides]
    env = {**os.environ, "SCORES": str(sides[-1])}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not list(tmp_path.glob("scores*")), done.stderr


def test_cosine_scoring_shows_the_first_warnings_of_its_job(root: Path, tmp_path: Path, sides: list[Path]) -> None:
    script = runner(tmp_path, 'for n in 1 2 3 4 5 6 7; do echo "WARNING (x) number $n"; done > "$1"')
    said = step(root, "score_cosine.sh", "--cmd", script, *sides)
    assert said.splitlines() == [
        *(f"score_cosine.sh: WARNING (x) number {number}" for number in range(1, 6)),
        f"score_cosine.sh: ... 7 warnings in all: {tmp_path}/log/scores.log",
    ]


@pytest.mark.slow
def test_both_back_ends_and_the_metrics_read_any_list_alike(root: Path, models: Path) -> None:
    pairs = [(enroll, test) for enroll in range(3) for test in range(3)]
    lines = {
        "kaldi": [f"m\u00a0{a} s{b}-\u00a0x {'target' if a == b else 'nontarget'}\n" for a, b in pairs],
        "voxceleb": [f"{int(a == b)}\tm\u00a0{a}\t s{b}-\u00a0x\t\r\n" for a, b in pairs],
    }
    found = set()
    for form, mark in (("kaldi", b""), ("voxceleb", MARK)):
        trials = models / form
        trials.write_bytes(mark + "".join(lines[form]).encode())
        for kind in ("cosine", "plda"):
            scores = models / f"{kind}.{form}"
            sides = (models / "backend", models / "enroll", models / "test.scp")
            said = step(root, f"score_{kind}.sh", *sides, trials, scores)
            marks = int(form == "voxceleb")
            assert (said.count("byte order mark"), said.count("CRLF")) == (marks, marks), said
            values = align(read_scores(scores), read_trials(trials))
            found.add((kind, tuple(values), eer(values, read_trials(trials).is_target)))
        assert not list(models.glob("*.pairs")) + list(models.glob("*.partial"))
    assert len(found) == 2
