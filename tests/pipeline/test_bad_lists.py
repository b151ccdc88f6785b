"""Lists, speakers and features that do not fit: an error that names line, utterance or speaker, or what is accepted."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.helpers.voices import RATE, write

from .conftest import Place, Recipe, contents, scores, times


def all_trials(separator: str) -> str:
    """Every pair of the test utterances once, named by their paths, the last first."""
    paths = [f"spk{speaker}/u{number}.flac" for speaker in range(10, 14) for number in range(4)]
    pairs = [(first, second) for first in paths for second in paths if first < second]
    return separator.join(f"{int(a[:5] == b[:5])} {a} {b}" for a, b in reversed(pairs)) + separator


def test_crlf_and_unsorted_lists_are_read_as_they_are_meant(recipe: Recipe, fresh: Place, tmp_path: Path) -> None:
    trials, genders = tmp_path / "trials", tmp_path / "spk2gender"
    trials.write_bytes(all_trials("\r\n").encode())
    numbers = (13, 5, 4, 3, 2, 1, 0, 10, 12, 11)
    genders.write_bytes("".join(f"spk{number:02d} {'MF'[number % 2]}\r\n" for number in numbers).encode())
    done = recipe(*fresh.options("--stop-stage", "0", trials=str(trials), spk2gender=str(genders)))
    assert "120 trials in, 120 out (24 target, 96 nontarget)" in done.stderr
    lines = (fresh.data / "test" / "trials").read_text().splitlines()
    assert lines[0] == "spk13-u2 spk13-u3 target"
    assert b"\r" not in (fresh.data / "test" / "trials").read_bytes()
    assert (fresh.data / "test" / "spk2gender").read_text() == "spk10 m\nspk11 f\nspk12 m\nspk13 f\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "1 spk10/u0.flac spk10/nobody.flac",
            "1 of 121 trials name an utterance that is not in the data directory: line 121: spk10/nobody.flac",
        ),
        ("spk10-u0 spk10-u1 same", ":121: found label 'spk10-u0' in the first field, expected"),
        ("1 spk10/u0.flac", ":121: found 2 fields in '1 spk10/u0.flac', expected"),
    ],
)
def test_a_wrong_trial_is_an_error_with_its_line(
    recipe: Recipe, fresh: Place, tmp_path: Path, line: str, says: str
) -> None:
    trials = tmp_path / "trials"
    trials.write_text(all_trials("\n") + line + "\n")
    message = recipe(*fresh.options("--stop-stage", "0", trials=str(trials)), code=1).stderr
    assert str(trials) in message
    assert says in message


def test_a_speaker_of_both_trees_is_refused(recipe: Recipe, fresh: Place) -> None:
    (fresh.corpus / "test" / "spk00").symlink_to(fresh.corpus / "train" / "spk00")
    message = recipe(*fresh.options("--stop-stage", "0"), code=1).stderr
    assert "1 speakers of" in message
    assert "first: spk00" in message
    assert "take them out of the training tree" in message


def test_audio_of_a_test_set_in_training_is_refused_unless_it_is_allowed(recipe: Recipe, fresh: Place) -> None:
    train, test = (fresh.corpus / side for side in ("train", "test"))
    shutil.copyfile(test / "spk10" / "u0.flac", train / "spk01" / "extra.flac")
    shutil.copyfile(train / "spk02" / "u0.wav", train / "spk03" / "other.wav")
    options = fresh.options("--stop-stage", "0")
    message = recipe(*options, code=1).stderr
    assert "1 utterances of" in message and "have the same audio as one of" in message
    assert "spk10-u0 (" in message and "spk01-extra (" in message and "--allow-leak equal-audio allows it" in message
    message = recipe(*options, "--allow-leak", "shared-speakers,equal-audio").stderr
    assert "; allowed by --allow-leak equal-audio" in message
    assert (fresh.data / "train" / "dropped").read_text().startswith("spk03-other has the same audio as spk02-u0, of ")
    wav_scp = (fresh.data / "train" / "wav.scp").read_text()
    assert "spk01-extra " in wav_scp and "spk02-u0 " in wav_scp and "spk03-other " not in wav_scp
    message = recipe(*options, "--allow-leak", "speakers", code=1).stderr
    assert 'expected names of shared-speakers, copies, equal-audio, repeated-audio, between commas' in message


@pytest.mark.slow
def test_a_trial_whose_utterance_is_lost_at_vad_is_an_error(recipe: Recipe, finished: Place) -> None:
    results = (finished.exp / "RESULTS.md").read_bytes()
    write(finished.corpus / "test" / "spk10" / "u0.flac", np.zeros(RATE))
    recipe(*finished.options("--stop-stage", "1"))  # nothing is lost yet: the VAD finds that no frame is voiced
    options = finished.options("--stage", "7", "--trust-earlier")
    message = recipe(*options, code=1).stderr
    assert "1 of 16 dropped (6.25 %), at most 1 %" in message
    assert "first: spk10-u0, No features were judged as voiced" in message
    message = recipe(*options, "--max-loss=0.2", code=1).stderr
    assert "models of enroll_test: 1 of 16 dropped" in message
    assert "first: spk10-u0" in message
    assert "fix its source, or take it out of" in message
    assert (finished.exp / "RESULTS.md").read_bytes() == results


@pytest.mark.slow
def test_a_trial_without_its_test_utterance_is_an_error_never_a_smaller_denominator(
    recipe: Recipe, finished: Place
) -> None:
    results = (finished.exp / "RESULTS.md").read_bytes()
    table = finished.exp / "embeddings_test" / "embedding.scp"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith("spk13-u3 ")))
    message = recipe(*finished.options("--stage", "11", "--force", "--trust-earlier"), code=1).stderr
    assert "spk13-u3" in message
    assert "trials" in message
    assert (finished.exp / "RESULTS.md").read_bytes() == results


def spoil(table: Path, utt_id: str) -> None:
    """Put a NaN into every row of an utterance's features (a binary float matrix in an archive)."""
    line = next(line for line in table.read_text().splitlines() if line.split()[0] == utt_id)
    path, _, offset = line.split()[1].rpartition(":")
    with Path(path).open("r+b") as stream:
        stream.seek(int(offset))
        head = stream.read(15)
        assert head[:5] == b"\0BFM "
        rows, columns = struct.unpack("<xixi", head[5:])
        for row in range(rows):
            stream.seek(int(offset) + 15 + 4 * row * columns)
            stream.write(struct.pack("<f", float("nan")))


@pytest.mark.slow
def test_a_nan_in_features_stops_the_training_and_names_the_utterance(recipe: Recipe, finished: Place) -> None:
    table = finished.data / "fbank" / "lists" / "train.scp"
    spoiled = [line.split()[0] for line in table.read_text().splitlines() if line.startswith("spk02")]
    for utt_id in spoiled:
        spoil(table, utt_id)
    exp = str(finished.exp.parent / "spoiled")
    message = recipe(*finished.options("--stage=6", "--stop-stage=6", "--trust-earlier", exp=exp), code=1).stderr
    assert "is nan" in message
    assert any(f"{utt_id}: " in message for utt_id in spoiled)
    assert "make the features of this utterance again" in message


@pytest.mark.slow
def test_a_nan_in_features_is_found_at_extraction(recipe: Recipe, finished: Place) -> None:
    before = times(finished.exp / "scores", finished.exp / "backend")
    spoil(finished.data / "fbank" / "test_no_sil" / "feats.scp", "spk11-u0")
    message = recipe(*finished.options("--stage", "8", "--trust-earlier"), code=1).stderr
    assert "1 of 16 dropped (6.25 %)" in message
    assert "first: spk11-u0, dropped spk11-u0: frame 0, bin 0 is nan" in message
    assert times(finished.exp / "scores", finished.exp / "backend") == before


@pytest.mark.slow
def test_no_space_left_is_an_error_and_earlier_results_stay(recipe: Recipe, finished: Place) -> None:
    wanted, embeddings = scores(finished.exp), contents(finished.exp / "baseline" / "embeddings_test")
    data = finished.data.parent / "data2"
    options = finished.options("--stop-stage", "1", data=str(data))
    message = recipe(*options, before="ulimit -f 40", code=1).stderr  # files of 40 KB at most
    assert "raw_mfcc_train.1.ark: cannot write: File too large" in message
    assert not (data / "mfcc" / ".stages" / "1.json").exists()
    options = finished.options("--stage", "6", "--stop-stage", "6", exp=str(finished.exp.parent / "full"))
    message = recipe(*options, before="ulimit -f 40", code=1).stderr
    assert "File too large" in message
    assert "last.pt" in message or "best.pt" in message
    assert not list((finished.exp.parent / "full").glob("*.pt"))
    assert scores(finished.exp) == wanted
    assert contents(finished.exp / "baseline" / "embeddings_test") == embeddings
