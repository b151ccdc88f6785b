"""What the embedding commands do with input that is missing, empty, doubled, of the wrong shape, or too little."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, read_object, write_object, writer
from minikaldi.ivector.plda import Plda
from minikaldi.ivectorbin.plda_holder import PLDA
from tests.minikaldi.helpers.ivector_tables import run, write_vectors

VECTORS = {"a1": [1.0, 2.0], "a2": [3.0, 5.0], "b1": [5.0, 1.0], "b2": [4.0, 2.0]}


@dataclass
class Tables:
    """A folder with a good input of each kind, which a test spoils before it calls `run`."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def vectors(self, vectors: dict[str, list[float]]) -> None:
        write_vectors(self.folder / "v.ark", vectors)

    def run(self, command: str) -> int:
        """Run words; `@name` is a file of the folder, `ark:@name` a table."""
        return run(*command.replace("@", f"{self.folder}/").split())[0]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    made = Tables(tmp_path)
    made.vectors(VECTORS)
    made.write("utt2spk", "a1 a\na2 a\nb1 b\nb2 b\n")
    made.write("spk2utt", "a a1 a2\nb b1 b2\n")
    made.write("trials", "a1 b1\na2 b2\n")
    write_object(str(tmp_path / "mat"), FLOAT_MATRIX, np.eye(2))
    write_object(str(tmp_path / "mean"), FLOAT_VECTOR, np.ones(2))
    write_object(str(tmp_path / "plda"), PLDA, Plda(np.zeros(2), np.eye(2), np.array([2.0, 1.0])))
    return made


COMMANDS = {
    "mean": "ivector-mean ark:@v.ark @out",
    "speaker mean": "ivector-mean ark:@spk2utt ark:@v.ark ark:@out",
    "own mean": "ivector-subtract-global-mean ark:@v.ark ark:@out",
    "given mean": "ivector-subtract-global-mean @mean ark:@v.ark ark:@out",
    "length": "ivector-normalize-length ark:@v.ark ark:@out",
    "transform-vec": "transform-vec @mat ark:@v.ark ark:@out",
    "ivector-transform": "ivector-transform @mat ark:@v.ark ark:@out",
    "lda": "ivector-compute-lda --dim=1 ark:@v.ark ark:@utt2spk @out",
    "plda": "ivector-compute-plda ark:@spk2utt ark:@v.ark @out",
    "adapt": "ivector-adapt-plda @plda ark:@v.ark @out",
    "scoring": "ivector-plda-scoring @plda ark:@v.ark ark:@v.ark @trials @out",
    "dot": "ivector-compute-dot-products @trials ark:@v.ark ark:@v.ark @out",
    "dense": "ivector-plda-scoring-dense @plda ark:@spk2utt ark:@v.ark ark:@out",
    "pca": "est-pca --read-vectors=true ark:@v.ark @out",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_good_input_is_no_error(tables: Tables, name: str) -> None:
    assert tables.run(COMMANDS[name]) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_value_that_is_not_a_number_is_refused_by_utterance(
    tables: Tables, name: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.vectors({**VECTORS, "b1": [5.0, value]})
    assert tables.run(COMMANDS[name]) == 255
    assert "b1: vector holds NaN or infinity" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"length", "pca"}))
def test_another_dimension_is_refused_by_utterance(
    tables: Tables, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.vectors({**VECTORS, "b2": [5.0, 1.0, 2.0]})
    assert tables.run(COMMANDS[name]) == 255
    said = capsys.readouterr().err
    assert "b2: " in said and "dimension" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_table_of_vectors_is_a_failure(tables: Tables, name: str) -> None:
    tables.vectors({})
    assert tables.run(COMMANDS[name]) in (1, 255)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"pca"}))
def test_a_missing_table_is_an_error_that_names_it(
    tables: Tables, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tables.folder / "v.ark").unlink()
    assert tables.run(COMMANDS[name]) == 255
    assert str(tables.folder / "v.ark") in capsys.readouterr().err


@pytest.mark.parametrize("name", ["speaker mean", "plda"])
def test_a_speaker_without_utterances_is_refused_by_name(
    tables: Tables, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.write("spk2utt", "a a1 a2\nb\n")
    assert tables.run(COMMANDS[name]) == 255
    assert "Speaker with no utterances: b" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["speaker mean", "plda"])
def test_vectors_of_no_speaker_are_a_failure(tables: Tables, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables.write("spk2utt", "c c1 c2\n")
    assert tables.run(COMMANDS[name]) in (1, 255)
    assert "No iVector present in input for utterance c1" in capsys.readouterr().err


def test_lda_without_any_speaker_is_refused(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    tables.write("utt2spk", "c1 c\n")
    assert tables.run(COMMANDS["lda"]) == 255
    said = capsys.readouterr().err
    assert "Read 0 utterances, 4 with errors." in said and "v.ark: Did not read any utterances." in said


def test_one_speaker_gives_an_lda_and_a_plda_without_between_speaker_variance(tables: Tables) -> None:
    tables.write("utt2spk", "a1 a\na2 a\nb1 a\nb2 a\n")
    tables.write("spk2utt", "a a1 a2 b1 b2\n")
    assert tables.run(COMMANDS["lda"]) == 0
    assert np.isfinite(read_object(str(tables.folder / "out"), FLOAT_MATRIX)).all()
    assert tables.run(COMMANDS["plda"]) == 0
    plda = read_object(str(tables.folder / "out"), PLDA)
    # EM shrinks the unit variance that it starts from, and only that: the speaker's mean is the mean.
    assert np.isfinite(plda.transform).all() and (plda.psi < 1.0).all()


def speakers(tables: Tables, vectors: list[list[list[float]]]) -> None:
    """Tables of these vectors, speaker by speaker."""
    utts = {f"s{i}-u{j}": vector for i, rows in enumerate(vectors) for j, vector in enumerate(rows)}
    tables.vectors(utts)
    tables.write("utt2spk", "".join(f"{utt} {utt.split('-')[0]}\n" for utt in utts))
    lines = (f"s{i} {' '.join(f's{i}-u{j}' for j in range(len(rows)))}\n" for i, rows in enumerate(vectors))
    tables.write("spk2utt", "".join(lines))


def drawn(num_speakers: int, num_utts: int, dim: int, seed: int = 0) -> list[list[list[float]]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_speakers, 1, dim))
    found: list[list[list[float]]] = (centres + 0.3 * rng.normal(size=(num_speakers, num_utts, dim))).tolist()
    return found


def repeated(num_speakers: int, num_utts: int, dim: int, seed: int = 0) -> list[list[list[float]]]:
    """Every speaker's utterances are one vector."""
    return [rows[:1] * num_utts for rows in drawn(num_speakers, 1, dim, seed)]


PLDA_REFUSALS = {
    "as many vectors as dimensions": (drawn(2, 4, 8), "(8) is not greater than their dimension (8)"),
    "fewer vectors than dimensions": (drawn(2, 3, 8), "(6) is not greater than their dimension (8)"),
    "one utterance per speaker": (drawn(9, 1, 2), "No speakers with multiple utterances"),
    "one utterance per speaker, few": (drawn(2, 1, 2), "No speakers with multiple utterances"),
    "more vectors than dimensions, too few beside the speakers": (drawn(20, 2, 30), "differ along 20 of 30 dimensions"),
    "one more than dimensions": (drawn(2, 5, 9), "differ along 8 of 9 dimensions"),
    "each speaker's vectors the same": (repeated(5, 10, 4), "all vectors of a speaker are the same"),
    "all vectors the same": ([[[1.5, 2.5, 3.5]] * 4] * 3, "all vectors of a speaker are the same"),
    "all vectors of one dimension the same": ([[[0.1]] * 5] * 3, "all vectors of a speaker are the same"),
    "a constant dimension": (
        [[[*vector, 7.0] for vector in rows] for rows in drawn(6, 6, 3)],
        "differ along 3 of 4 dimensions",
    ),
    "a dimension that is the speaker's": (
        [[[*vector, float(i)] for vector in rows] for i, rows in enumerate(drawn(6, 6, 3))],
        "differ along 3 of 4 dimensions",
    ),
    "a dimension that is another's double": (
        [[[*vector, 2 * vector[0]] for vector in rows] for rows in drawn(6, 6, 3)],
        "differ along 3 of 4 dimensions",
    ),
    "one speaker's vectors alone": (drawn(1, 4, 8), "(4) is not greater than their dimension (8)"),
}


@pytest.mark.parametrize("case", PLDA_REFUSALS)
def test_plda_refuses_what_determines_no_model(tables: Tables, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Not exit code 0 and, later, scores near -1e7."""
    vectors, complaint = PLDA_REFUSALS[case]
    speakers(tables, vectors)
    assert tables.run(COMMANDS["plda"]) == 255
    said = capsys.readouterr().err
    assert complaint in said and "give " in said
    assert not (tables.folder / "out").exists()


@pytest.mark.parametrize("sizes", [(3, 4, 8), (4, 3, 8), (5, 5, 1), (1, 9, 8), (2, 5, 8)])
def test_plda_of_just_enough_vectors_scores_in_the_usual_range(tables: Tables, sizes: tuple[int, int, int]) -> None:
    speakers(tables, drawn(*sizes))
    assert tables.run(COMMANDS["plda"]) == 0
    utts = [line.split()[0] for line in (tables.folder / "utt2spk").read_text().splitlines()]
    tables.write("trials", "".join(f"{one} {other}\n" for one in utts for other in utts))
    assert tables.run("ivector-plda-scoring @out ark:@v.ark ark:@v.ark @trials @scores") == 0
    scores = [float(line.split()[2]) for line in (tables.folder / "scores").read_text().splitlines()]
    assert np.isfinite(scores).all() and max(map(abs, scores)) < 1e5


def test_dimensions_of_very_different_scale_are_no_singular_covariance(tables: Tables) -> None:
    scaled = [[[v[0] * 1e-8, v[1] * 1e8, v[2]] for v in rows] for rows in drawn(8, 8, 3)]
    speakers(tables, scaled)
    assert tables.run(COMMANDS["plda"]) == 0


def test_very_large_ratios_of_variances_are_warned_of(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    apart = [[[x + 1000.0 * i for x in v] for v in rows] for i, rows in enumerate(drawn(20, 8, 2))]
    speakers(tables, apart)
    assert tables.run(COMMANDS["plda"]) == 0
    assert "times the within-speaker variance, and scores will be of that order" in capsys.readouterr().err


def test_one_speaker_alone_is_warned_of(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    speakers(tables, drawn(1, 9, 3))
    assert tables.run(COMMANDS["plda"]) == 0
    assert "one speaker determines no between-speaker covariance" in capsys.readouterr().err


@pytest.mark.parametrize("factor", ["0", "0.5", "1"])
@pytest.mark.parametrize(
    ("vectors", "complaint"),
    [
        (drawn(2, 3, 8), "too little data for the dimension of the vectors: 6 vectors of 2 speakers"),
        (drawn(12, 1, 8), "no speaker has two utterances (12 vectors of 12 speakers)"),
        (drawn(3, 1, 8), "no speaker has two utterances (3 vectors of 3 speakers)"),
        ([[[1.5, 2.5, 3.1]] * 4] * 3, "the vectors do not vary within speakers"),
        ([[[0.1]] * 4] * 3, "the vectors do not vary within speakers"),
    ],
)
def test_lda_refuses_what_kaldi_refuses_whatever_is_normalised(
    tables: Tables, vectors: list[list[list[float]]], complaint: str, factor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    speakers(tables, vectors)
    command = f"ivector-compute-lda --dim=1 --total-covariance-factor={factor} ark:@v.ark ark:@utt2spk @out"
    assert tables.run(command) == 255
    assert complaint in capsys.readouterr().err
    assert not (tables.folder / "out").exists()


def test_lda_of_speakers_whose_vectors_are_the_same_is_refused(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    speakers(tables, repeated(5, 7, 3))
    assert tables.run(COMMANDS["lda"]) == 255
    assert "the vectors do not vary within speakers" in capsys.readouterr().err


def test_lda_of_few_vectors_floors_as_kaldi_and_says_how_many_directions(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    speakers(tables, drawn(4, 2, 7))
    assert tables.run("ivector-compute-lda --dim=2 ark:@v.ark ark:@utt2spk @out") == 0
    assert np.isfinite(read_object(str(tables.folder / "out"), FLOAT_MATRIX)).all()
    assert "Floored 3 of 7 eigenvalues" in capsys.readouterr().err
    speakers(tables, drawn(4, 2, 7))
    assert tables.run("ivector-compute-lda --covariance-floor=0 --dim=2 ark:@v.ark ark:@utt2spk @out2") in (0, 255)
    said = capsys.readouterr().err
    assert "Traceback" not in said and "RuntimeWarning" not in said


def test_a_key_that_comes_twice_counts_once_in_lda_as_in_kaldi(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    speakers(tables, drawn(4, 4, 2))
    assert tables.run("ivector-compute-lda --binary=false --dim=1 ark:@v.ark ark:@utt2spk @once") == 0
    once = tables.folder / "v.ark"
    once.write_bytes(2 * once.read_bytes())
    capsys.readouterr()
    assert tables.run("ivector-compute-lda --binary=false --dim=1 ark:@v.ark ark:@utt2spk @twice") == 0
    said = capsys.readouterr().err
    assert said.count("Duplicate iVector found for utterance") == 16 and "Read 16 utterances, 16 with errors." in said
    assert (tables.folder / "twice").read_bytes() == (tables.folder / "once").read_bytes()


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("name", ["scoring", "dot", "speaker mean", "plda", "dense"])
def test_a_key_that_comes_twice_is_refused_by_name(
    tables: Tables, name: str, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = list(VECTORS.items())
    entries.insert(place, entries[0])
    with writer(f"ark:{tables.folder / 'v.ark'}", FLOAT_VECTOR) as table:
        for key, vector in entries:
            table.write(key, np.array(vector, dtype=np.float32))
    assert tables.run(COMMANDS[name]) == 255
    said = capsys.readouterr().err
    assert "Duplicate" in said or "is there twice" in said
    assert "a1" in said and "v.ark" in said


@pytest.mark.parametrize("counts", ["a1 0\n", "a1 -3\n", "a1 x\n", "a1\n"])
def test_an_impossible_number_of_utterances_is_refused_by_name(
    tables: Tables, counts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.write("num_utts", counts)
    command = COMMANDS["scoring"].replace("scoring ", "scoring --num-utts=ark:@num_utts ")
    assert tables.run(command) == 255
    said = capsys.readouterr().err
    assert "num_utts" in said and "a1" in said


@pytest.mark.parametrize("name", ["scoring", "dense"])
def test_a_vector_without_length_is_refused_unless_lengths_are_left_alone(
    tables: Tables, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.vectors({**VECTORS, "b1": [0.0, 0.0]})
    command = COMMANDS[name].replace("-dense ", "-dense --target-energy=1.0 ")
    assert tables.run(command) == 255
    assert "b1: the vector is the mean of the PLDA model" in capsys.readouterr().err
    head, rest = command.split(" ", 1)
    assert tables.run(f"{head} --normalize-length=false {rest}") == 0


@pytest.mark.parametrize("name", ["given mean", "transform-vec", "adapt", "scoring"])
def test_a_model_of_another_kind_is_refused_by_name(
    tables: Tables, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    word = next(word for word in COMMANDS[name].split() if word in ("@mean", "@mat", "@plda"))
    wrong = "mat" if word != "@mat" else "plda"
    assert tables.run(COMMANDS[name].replace(word, f"@{wrong}")) == 255
    assert str(tables.folder / wrong) in capsys.readouterr().err


def test_a_mean_that_is_not_a_number_is_refused(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    write_object(str(tables.folder / "mean"), FLOAT_VECTOR, np.array([1.0, np.nan]))
    assert tables.run(COMMANDS["given mean"]) == 255
    assert "mean: vector holds NaN or infinity" in capsys.readouterr().err


# With one argument less, the other two are the other form of their command.
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"speaker mean", "given mean"}))
def test_a_missing_argument_is_a_usage_error(tables: Tables, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.run(COMMANDS[name].rsplit(" ", 1)[0]) == 1
    assert "Usage: " in capsys.readouterr().err
