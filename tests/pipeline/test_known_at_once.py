"""What is wrong with the input by its names and numbers ends ./pipeline.sh before any audio is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.helpers.voices import write_tree

from .conftest import Place, Recipe


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Trees of speakers whose files are no audio at all: whoever reads one fails."""
    corpus = tmp_path / "corpus"
    for part, speakers in (("train", "abc"), ("test", "de"), ("more", "fg")):
        for speaker in speakers:
            (corpus / part / speaker).mkdir(parents=True)
            for number in range(4):
                (corpus / part / speaker / f"u{number}.wav").write_bytes(b"no audio")
    for folder in ("musan", "RIRS_NOISES"):
        (corpus / folder).mkdir()
    return Place(corpus, tmp_path / "data", tmp_path / "exp")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trials": "{corpus}/none"}, "--trials is {corpus}/none, which is not a file"),
        ({"trials": "{corpus}/targets"}, "{corpus}/targets: has 1 target trials and no nontarget trial"),
        ({"spk2gender": "{corpus}/none"}, "--spk2gender is {corpus}/none, which is not a file"),
        ({"musan_root": "{corpus}/none"}, "--musan-root is {corpus}/none, which is not a folder"),
        ({"test_root": "{corpus}/train"}, "--test-root {corpus}/train are the same folder"),
        ({"train_root": "{corpus}"}, "--train-root {corpus} is a level too high"),
        ({"nnet_opts": "features.dim=31"}, "features.dim is 31, and conf/fbank.conf gives fbank of 30 columns"),
    ],
)
def test_an_error_before_stage_0(recipe: Recipe, place: Place, changes: dict[str, str], says: str) -> None:
    (place.corpus / "targets").write_text("1 d/u0.wav d/u1.wav\n")
    options = place.options(**{name: value.format(corpus=place.corpus) for name, value in changes.items()})
    done = recipe(*options, code=1)
    assert says.format(corpus=place.corpus) in done.stderr
    assert "stage 0" not in done.stderr and not place.data.exists()


def test_a_root_given_twice_is_combined_or_refused_and_other_options_are_said(recipe: Recipe, place: Place) -> None:
    more = f"--train-root={place.corpus}/more"
    done = recipe(*place.options(more, "--dry-run", "--bootstrap", 30))
    assert f"option  train_root={place.corpus}/train {place.corpus}/more" in done.stdout
    assert f"input   {place.corpus}/more/**" in done.stdout
    assert "command line: --bootstrap is given twice: 30 is taken, 20 is not" in done.stderr
    done = recipe(*place.options("--musan-root", place.corpus), code=1)
    assert f"--musan-root is given twice, as {place.corpus}/musan and {place.corpus}; keep one" in done.stderr


@pytest.mark.slow
def test_several_training_roots_and_too_few_usable_speakers(recipe: Recipe, fresh: Place) -> None:
    write_tree(fresh.corpus / "more", first_speaker=5, num_speakers=2, num_utterances=2)  # spk05 is in train too
    more = f"--train-root={fresh.corpus}/more"
    done = recipe(*fresh.options(more, "--stop-stage=0"))
    assert "1 speakers are in more than one of" in done.stderr and "(spk05)" in done.stderr
    lines = [line.split()[0] for line in (fresh.data / "train" / "wav.scp").read_text().splitlines()]
    assert len(lines) == 6 * 5 + 2 and {"spk05-more-u0", "spk06-u1"} <= set(lines)
    dropped = (fresh.data / "train" / "dropped").read_text()
    assert dropped.count(" has the same audio as spk05-more-u") == 2  # once under two ids
    done = recipe(*fresh.options(more, augment="none", min_utts="8"), code=1)
    assert "stage 0: folder corpus" in done.stderr and "stage 1" not in done.stderr
    assert "32 utterances of 7 speakers: 0 speakers have 8 utterances of 50 frames (the most is 5)" in done.stderr


@pytest.mark.slow
def test_data_directories_of_ones_own_are_checked_where_a_later_stage_starts(recipe: Recipe, place: Place) -> None:
    def write(path: str, text: str) -> None:
        (place.data / path).parent.mkdir(parents=True, exist_ok=True)
        (place.data / path).write_text(text)

    def refused(says: str, *options: str) -> None:
        done = recipe(*place.options("--trust-earlier", *options), code=1)
        assert says in done.stderr and "stage 1" not in done.stderr

    good = "d-0 d-1 target\nd-0 e-0 nontarget\n"
    refused(f"{place.data}/test/trials: no such file", "--stage=9")
    write("test/utt2spk", "d-0 d\nd-1 d\ne-0 e\n")
    write("test/spk2utt", "d d-0 d-1\ne e-0\n")
    write("train/utt2spk", "a-0 a\nd-2 d\n")
    write("train/spk2utt", "a a-0\nd d-2\n")
    for trials, says in (
        (good + "d-0 d-1 target\n", "is already on line 1"),
        ("d-0 d-1 target\n", "no nontarget trial"),
        ("d-0 d-1 nontarget\nd-0 e-0 target\n", "2 of 2 labels contradict utt2spk"),
    ):
        write("test/trials", trials)
        refused(says, "--stage=1")
    write("test/trials", good)
    refused("1 speakers of", "--stage=3")
