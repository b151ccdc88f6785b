"""Claims about the embedding commands that the golden cases do not make: bad input, formats, options."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, read_object, write_object
from minikaldi.ivector.plda import Plda
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.ivector_tables import run, write_vectors


@pytest.fixture(autouse=True)
def empty_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard input that '-' would mean; pytest's own has no bytes."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO())))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A two-dimensional PLDA model."""
    path = tmp_path / "plda"
    write_object(str(path), PLDA, Plda(np.array([0.5, -1.0]), np.array([[2.0, 0.1], [0.0, 3.0]]), np.array([4.0, 1.0])))
    return path


def test_a_model_survives_text_and_binary(tmp_path: Path, model: Path) -> None:
    assert run("ivector-copy-plda", "--binary=false", model, tmp_path / "text")[0] == 0
    assert run("ivector-copy-plda", tmp_path / "text", tmp_path / "binary")[0] == 0
    assert (tmp_path / "binary").read_bytes() == model.read_bytes()
    text = (tmp_path / "text").read_text()
    assert text == "<Plda>  [ 0.5 -1 ]\n [\n  2 0.1 \n  0 3 ]\n [ 4 1 ]\n</Plda> "


@pytest.mark.parametrize("size", [1, 9, 40, 90])
def test_a_truncated_model_is_an_error_that_names_it(
    tmp_path: Path, model: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut").write_bytes(model.read_bytes()[:size])
    assert run("ivector-copy-plda", tmp_path / "cut", tmp_path / "out")[0] == 255
    assert f"{tmp_path / 'cut'}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_smoothing_out_of_range_is_refused(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ivector-copy-plda", "--smoothing=1.5", model, tmp_path / "out")[0] == 255
    assert "--smoothing=1.5 is out of range: expected 0 to 1" in capsys.readouterr().err


def test_speakers_and_utterances_without_vectors_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = write_vectors(tmp_path / "v.ark", {"a1": [1, 2], "a2": [3, 4], "b1": [5, 6]})
    (tmp_path / "spk2utt").write_text("a a1 a2 a3\nb b1\nc c1\n")
    outputs = f"ark,t:{tmp_path / 'means'}", f"ark,t:{tmp_path / 'num_utts'}"
    assert run("ivector-mean", f"ark:{tmp_path / 'spk2utt'}", vectors, *outputs)[0] == 0
    assert (tmp_path / "means").read_text() == "a  [ 2 3 ]\nb  [ 5 6 ]\n"
    assert (tmp_path / "num_utts").read_text() == "a 2 \nb 1 \n"
    said = capsys.readouterr().err
    assert "2 speakers (1 with no utterances), consisting of 3 utterances (2 absent from input)." in said
    assert "utterance a3" in said


def test_an_utterance_without_speaker_is_left_out_of_lda_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    keys = [f"s{number // 3}-{number}" for number in range(12)]
    vectors = write_vectors(tmp_path / "v.ark", {key: rng.normal(size=2).tolist() for key in keys})
    (tmp_path / "utt2spk").write_text("".join(f"{key} {key.split('-')[0]}\n" for key in keys[:-1]))
    out = tmp_path / "lda.mat"
    assert run("ivector-compute-lda", "--dim=1", vectors, f"ark:{tmp_path / 'utt2spk'}", out)[0] == 0
    assert "Read 11 utterances, 1 with errors." in capsys.readouterr().err
    assert read_object(str(out), FLOAT_MATRIX).shape == (1, 3)


def test_a_zero_vector_is_written_as_it_is_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = write_vectors(tmp_path / "v.ark", {"zero": [0, 0], "one": [3, 4]})
    code, text = run("ivector-normalize-length", "--scaleup=false", vectors, "ark,t:-")
    assert (code, text) == (0, b"zero  [ 0 0 ]\none  [ 0.6 0.8 ]\n")
    assert "Zero iVector for zero" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["transform-vec", "ivector-transform"])
def test_a_wrong_dimension_names_the_utterance(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_object(str(tmp_path / "mat"), FLOAT_MATRIX, np.eye(4, dtype=np.float32))
    assert run(name, tmp_path / "mat", write_vectors(tmp_path / "v.ark", {"utt-7": [1, 2]}), "ark,t:-")[0] == 255
    assert "utt-7: Dimension mismatch: input vector has dimension 2" in capsys.readouterr().err


def test_scoring_says_how_many_trials_were_lost_and_fails_when_all_are(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = write_vectors(tmp_path / "v.ark", {"a": [1, 2], "b": [3, 4]})
    (tmp_path / "some").write_text("a b\nx a\na y\n")
    assert run("ivector-plda-scoring", model, vectors, vectors, tmp_path / "some", tmp_path / "scores")[0] == 0
    said = capsys.readouterr().err
    assert "Processed 1 trials, 2 had errors." in said
    assert "Key x not present in training iVectors." in said
    assert "Key y not present in test iVectors." in said
    (tmp_path / "none").write_text("x y\n")
    assert run("ivector-plda-scoring", model, vectors, vectors, tmp_path / "none", tmp_path / "scores")[0] == 1


def test_a_bad_trial_line_is_refused_by_its_number(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = write_vectors(tmp_path / "v.ark", {"a": [1, 2]})
    (tmp_path / "trials").write_text("a a\na a target\n")
    assert run("ivector-plda-scoring", model, vectors, vectors, tmp_path / "trials", tmp_path / "scores")[0] == 255
    assert f"{tmp_path / 'trials'}: Bad line 2 in input (expected two fields: key1 key2): a a target" in (
        capsys.readouterr().err
    )


def test_an_enrolment_without_utterance_count_is_left_out(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = write_vectors(tmp_path / "v.ark", {"a": [1, 2], "b": [3, 4]})
    (tmp_path / "num_utts").write_text("b 3\n")
    (tmp_path / "trials").write_text("b a\na b\n")
    options = f"--num-utts=ark:{tmp_path / 'num_utts'}"
    scores = tmp_path / "scores"
    assert run("ivector-plda-scoring", options, model, vectors, vectors, tmp_path / "trials", scores)[0] == 0
    assert [line.split()[:2] for line in scores.read_text().splitlines()] == [["b", "a"]]
    said = capsys.readouterr().err
    assert "Number of utterances not given for speaker a" in said
    assert "Read 1 training iVectors, errors on 1" in said


def test_compute_eer_reads_the_standard_input_and_prints_per_cent_without_line_end() -> None:
    lines = b"0.2 nontarget\n0.3 nontarget\n0.4 nontarget\n0.59 nontarget\n0.6 nontarget\n"
    lines += b"0.588 target\n0.602 target\n0.7 target\n0.8 target\n0.9 target\n"
    assert run("compute-eer", "-", stdin=lines) == (0, b"20")


@pytest.mark.parametrize(
    ("found", "targets", "printed"),
    [(81, 800, b"10.13"), (1, 3, b"33.33"), (1, 8, b"12.5"), (0, 5, b"0"), (9, 10, b"90"), (3, 32, b"9.375")],
)
def test_compute_eer_rounds_a_float32_share_as_kaldi(found: int, targets: int, printed: bytes) -> None:
    """81 of 800 is 10.125 %, and 10.125000029 % from float32."""
    lines = [f"{0 if i < found else 2} target" for i in range(targets)] + ["1 nontarget"] * targets
    assert run("compute-eer", "-", stdin="\n".join(lines).encode()) == (0, printed)


def test_compute_eer_compares_scores_as_float32() -> None:
    """Scores that differ by less than float32 resolves are ties, and in a tie no target is above a nontarget."""
    lines = b"1.00000001 target\n5 target\n1.0 nontarget\n0.9999 nontarget\n"
    assert run("compute-eer", "-", stdin=lines) == (0, b"50")
    assert run("compute-eer", "-", stdin=b"1e300 target\n-1e300 nontarget\n") == (0, b"0")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (b"1 target\n2 yes\n", "-:2: Invalid input line (second field must be 'target' or 'nontarget')"),
        (b"1\n", "-:1: Invalid input line (must have two fields)"),
        (b"", "-: Empty input."),
        (b"1 target\n", "No non-target scores seen."),
        (b"nan target\n1 nontarget\n", "a score is NaN"),
        (b"1 target\n1_0 nontarget\n", "-:2: Invalid input line (first field must be float): 1_0 nontarget"),
        ("\u0661 target\n".encode(), "-:1: Invalid input line (first field must be float)"),
        (b"1\xe9 target\n", "-:1: Invalid input line (first field must be float)"),
        (b"x target\n", "-:1: Invalid input line (first field must be float)"),
    ],
)
def test_compute_eer_refuses(lines: bytes, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compute-eer", "-", stdin=lines) == (255, b"")
    assert complaint in capsys.readouterr().err
