"""The recipe with log mels, librosa's MFCC and samples, from audio to results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from minikaldi.feat.resample import wideband_resample
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential
from nnet.features.logmel import LogmelOptions, compute_logmel
from tests.pipeline.helpers.voices import SECONDS, voice, write

from .conftest import Place, Recipe

# type -> the section `features`, the directory of what stages 4 and 7 make, frames of a chunk
SECTIONS = {
    "logmel": ("{type: logmel, config: conf/logmel.conf, dim: 80, vad: false}", "logmel-novad", 50),
    "librosa_mfcc": (
        "{type: librosa_mfcc, config: conf/librosa_mfcc.conf, dim: 40, vad: false, cmvn: false}",
        "librosa_mfcc-novad-nocmvn",
        20,
    ),
    "samples": ("{type: samples, config: conf/samples.conf, dim: 160, cmvn: false}", "samples-nocmvn", 50),
}


def options(place: Place, section: str, frames: int, *more: str, **changes: str) -> list[str]:
    """The command line of a small run on other features."""
    chunks = f"--nnet-opts=data.chunk_frames=[{frames},{2 * frames}]"
    return place.options(f"--nnet-opts=features={section}", chunks, *more, **{"min_frames": str(frames), **changes})


def table(scp: Path) -> dict[str, np.ndarray]:
    """The matrices of a feats.scp."""
    with sequential(f"scp:{scp}", FLOAT_MATRIX) as feats:
        return dict(feats)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECTIONS)
def test_a_run_on_another_input_ends_with_results(recipe: Recipe, fresh: Place, kind: str) -> None:
    section, ready, frames = SECTIONS[kind]
    done = recipe(*options(fresh, section, frames))
    assert (fresh.exp / "scores" / "test_plda").stat().st_size > 0 and (fresh.exp / "RESULTS.md").stat().st_size > 0
    raw, prepared = (
        table(fresh.data / kind / "test" / "feats.scp"),
        table(fresh.data / ready / "test_no_sil" / "feats.scp"),
    )
    assert set(raw) == set(prepared) and len(raw) == 16
    for utt_id, rows in prepared.items():
        if kind == "samples":
            assert len(rows) <= len(raw[utt_id]) and np.abs(rows).max() <= 1
        elif kind == "logmel":
            assert len(rows) == len(raw[utt_id])
            np.testing.assert_allclose(rows.mean(axis=0) if len(rows) <= 300 else 0, 0, atol=1e-3)
        else:
            np.testing.assert_array_equal(rows, raw[utt_id])
    copies = (fresh.data / kind / "train_aug_subset" / "feats.scp").read_text().splitlines()
    assert len(copies) == 12
    assert (fresh.data / ready / "lists" / "train.scp").stat().st_size > 0
    assert not (fresh.data / kind / "lists").exists() or kind == ready
    again = recipe(*options(fresh, section, frames))
    assert "/12: " not in again.stderr and "stage 12: " in again.stderr, done.stderr


@pytest.mark.slow
def test_samples_come_through_the_archives_and_the_voice_activity_is_cut_to_them(recipe: Recipe, fresh: Place) -> None:
    section, ready, frames = SECTIONS["samples"]
    write(
        fresh.corpus / "train" / "spk00" / "u0.wav", voice(0, 0, seconds=SECONDS + 0.006)
    )  # 96 samples more than rows
    recipe(*options(fresh, section, frames, "--stop-stage", "5", augment="none"))
    waves = dict(line.split(None, 1) for line in (fresh.data / "train" / "wav.scp").read_text().splitlines())
    raw, voiced = (
        table(fresh.data / "samples" / "train" / "feats.scp"),
        table(fresh.data / ready / "train_combined_no_sil" / "feats.scp"),
    )
    with sequential(f"scp:{fresh.data}/samples/train/vad.scp", FLOAT_VECTOR) as decisions:
        vad = dict(decisions)
    shorter = 0
    for utt_id, rows in raw.items():
        path = next(word for word in waves[utt_id].split() if word.endswith((".wav", ".flac")))
        samples = soundfile.read(path, dtype="int16")[0]
        # two bytes a value: half a step of 16 bits at most, and float32
        np.testing.assert_allclose(rows.ravel() * 32768, samples[: rows.size], atol=0.51)
        assert len(rows) == len(samples) // 160
        shorter += len(vad[utt_id]) - len(rows)
        np.testing.assert_array_equal(voiced[utt_id], rows[vad[utt_id][: len(rows)] == 1])
    assert set(voiced) == set(raw) and shorter == 1


@pytest.mark.slow
def test_log_mels_of_the_recipe_are_those_of_the_resampled_audio(recipe: Recipe, fresh: Place) -> None:
    section, _, frames = SECTIONS["logmel"]
    recipe(*options(fresh, section, frames, "--stop-stage", "1"))
    line = (fresh.data / "train" / "wav.scp").read_text().splitlines()[0]
    path = next(word for word in line.split() if word.endswith((".wav", ".flac")))
    samples = soundfile.read(path, dtype="int16")[0].astype(np.float32)
    expected = compute_logmel(wideband_resample(samples, 16000, 22050), LogmelOptions())
    made = table(fresh.data / "logmel" / "train" / "feats.scp")[line.split()[0]]
    np.testing.assert_allclose(made, expected, atol=2e-4)  # two bytes for a range of some 16 nepers


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["librosa_mfcc", "samples"])
def test_inputs_of_sixteen_kilohertz_are_made_while_training_reads(recipe: Recipe, fresh: Place, kind: str) -> None:
    section, ready, frames = SECTIONS[kind]
    recipe(*options(fresh, section, frames, "--stop-stage", "6", augment="online"))
    assert (fresh.exp / "best.pt").stat().st_size > 0
    assert (fresh.data / ready / "lists_online" / "wav.scp").stat().st_size > 0


@pytest.mark.slow
def test_features_with_and_without_cmvn_stand_side_by_side(recipe: Recipe, fresh: Place) -> None:
    stop = ("--stop-stage", "5")
    recipe(*fresh.options(*stop))
    done = recipe(*fresh.options("--nnet-opts=features.cmvn=false", "--exp", f"{fresh.exp}-raw", *stop))
    assert "stage 3: " in done.stderr and "stage 3/12" not in done.stderr  # the same features
    assert "stage 4/12" in done.stderr
    again = recipe(*fresh.options(*stop))
    assert "/12: " not in again.stderr
    raw = table(fresh.data / "fbank-nocmvn" / "train_combined_no_sil" / "feats.scp")
    centred = table(fresh.data / "fbank" / "train_combined_no_sil" / "feats.scp")
    assert all(len(rows) == len(centred[utt_id]) for utt_id, rows in raw.items())
    assert (
        np.mean([rows.mean() for rows in raw.values()]) > 5 > abs(np.mean([rows.mean() for rows in centred.values()]))
    )


@pytest.mark.slow
def test_what_cannot_be_is_reported_before_anything_runs(recipe: Recipe, fresh: Place, tmp_path: Path) -> None:
    section = SECTIONS["logmel"][0]
    done = recipe(*options(fresh, section, 50, augment="online"), code=1)
    assert "of another rate than the audio" in done.stderr and "--augment ondisk" in done.stderr
    done = recipe(*options(fresh, section.replace("false", "true"), 50), code=1)
    assert "features.vad is true; expected false for logmel, whose frames are not 10 ms apart" in done.stderr
    (tmp_path / "mfcc.conf").write_text("--num-ceps=20\n")
    other = f"--nnet-opts=features={{type: mfcc, config: {tmp_path}/mfcc.conf, dim: 20}}"
    done = recipe(*fresh.options(other), code=1)
    assert "give the file another name" in done.stderr
    assert not fresh.data.exists()
