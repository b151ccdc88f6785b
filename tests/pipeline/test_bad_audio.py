"""Audio files that are not what they should be: an error or a counted drop that names the file and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.helpers.voices import RATE, voice, write

from .conftest import Place, Recipe, stages_run


def write_cut(path: Path) -> None:
    """A file that ends in the middle of its samples."""
    write(path, voice(0, 30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD = {
    "empty.wav": (lambda path: path.write_bytes(b""), "empty file: spk00/empty.wav"),
    "cut.wav": (write_cut, "truncated: the header promises"),
    "cut.flac": (write_cut, "truncated: the end does not decode: spk00/cut.flac"),
    "text.wav": (lambda path: path.write_text("no audio at all\n"), "not audio: "),
    "u0.flac": (lambda path: write(path, voice(0, 0)), "spk00/u0.wav has the id of spk00/u0.flac"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_gives_no_utterance_is_an_error_that_names_it(recipe: Recipe, fresh: Place, name: str) -> None:
    make, reason = BAD[name]
    make(fresh.corpus / "train" / "spk00" / name)
    message = recipe(*fresh.options("--stop-stage", "0"), code=1).stderr
    assert "1 of 31 audio files are lost, more than 1 %" in message
    assert reason in message
    assert "fix them, or allow it with --max-loss" in message


def test_max_loss_lets_them_pass_with_each_drop_listed(recipe: Recipe, fresh: Place) -> None:
    for name, (make, _) in BAD.items():
        if name != "cut.flac":  # one id is enough for both
            make(fresh.corpus / "train" / "spk00" / name)
    done = recipe(*fresh.options("--stop-stage", "0", max_loss="0.2"))
    assert "34 files in, 30 out, 4 dropped" in done.stderr
    reasons = dict(line.split(" ", 1) for line in (fresh.data / "train" / "dropped").read_text().splitlines())
    assert list(reasons) == ["spk00-cut", "spk00-empty", "spk00-text", "spk00-u0"]
    starts = ("truncated", "empty file", "not audio", "spk00/u0.wav has")
    assert all(reason.startswith(start) for reason, start in zip(reasons.values(), starts, strict=True))


def test_a_file_mended_after_it_was_dropped_is_taken(recipe: Recipe, fresh: Place) -> None:
    path = fresh.corpus / "train" / "spk00" / "cut.wav"
    write_cut(path)
    recipe(*fresh.options("--stop-stage", "0", max_loss="0.2"))
    write(path, voice(0, 30))
    done = recipe(*fresh.options("--stop-stage", "0", max_loss="0.2"))
    assert "31 files in, 31 out, 0 dropped" in done.stderr


def write_odd_files(folder: Path) -> None:
    """What can be used, but not as it stands; and names that trip shell scripts."""
    write(folder / "low.wav", voice(0, 20, rate=8000), rate=8000)
    write(folder / "high.wav", voice(0, 21, rate=44100), rate=44100)
    write(folder / "stereo.wav", np.stack([voice(0, 22), voice(0, 23)], axis=1))
    write(folder / 'it\'s a "name" $HOME.wav', voice(0, 24))
    write(folder / "blanks and, a comma.flac", voice(0, 25))
    write(folder / "silent.wav", np.zeros(2 * RATE))
    write(folder / "blip.wav", voice(0, 26, seconds=0.02))
    write(folder.parent / "lonely" / "only one.wav", voice(7, 0))


@pytest.mark.slow
def test_odd_files_are_used_or_counted_as_dropped_to_the_training_lists(recipe: Recipe, fresh: Place) -> None:
    write_odd_files(fresh.corpus / "train" / "spk00")
    done = recipe(*fresh.options("--stop-stage", "5", max_loss="0.05", num_augmented="2x"))
    assert stages_run(done) == [0, 1, 2, 3, 4, 5]
    said = [line for line in done.stderr.splitlines() if "to 16-bit mono WAV at 16000 Hz" in line and "8000" in line]
    assert len(said) == 1  # once, for all of them
    for kind in ("1 WAV PCM_16 8000 Hz mono", "1 WAV PCM_16 44100 Hz mono", "1 WAV PCM_16 16000 Hz stereo"):
        assert kind in said[0]
    assert "mfcc of train: 38 in, 38 out, 0 dropped" in done.stdout

    no_sil = fresh.data / "fbank" / "train_combined_no_sil"
    dropped = (no_sil.with_name("train_combined_no_sil.partial") / "feats.scp.dropped", no_sil / "feats.scp.dropped")
    assert "spk00-silent No features were judged as voiced" in next(p for p in dropped if p.is_file()).read_text()
    frames = dict(line.split() for line in (no_sil / "utt2num_frames").read_text().splitlines())
    for name in ("low", "high", "stereo", 'it\'s_a_"name"_$HOME', "blanks_and,_a_comma"):
        assert int(frames[f"spk00-{name}"]) > 80, name
    lists = fresh.data / "fbank" / "lists"
    assert "spk00-blip too_short" in (lists / "dropped").read_text().splitlines()
    # Its one utterance, with two augmented copies at most, is kept: copies count, as in Kaldi.
    assert "lonely-only_one" in (no_sil / "utt2spk").read_text()


@pytest.mark.slow
def test_a_speaker_with_one_utterance_is_left_out_where_two_are_asked_for(recipe: Recipe, fresh: Place) -> None:
    write(fresh.corpus / "train" / "lonely" / "one.wav", voice(7, 0))
    done = recipe(*fresh.options("--stop-stage", "5", num_augmented="0"))
    dropped = (fresh.data / "fbank" / "lists" / "dropped").read_text().splitlines()
    assert "lonely-one few_utterances" in dropped
    assert "few_utterances 1" in done.stdout
    assert "6 of 7 speakers" in done.stdout
