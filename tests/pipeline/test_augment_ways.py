"""--augment: copies on disk, the same while training reads audio, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from .conftest import Place, Recipe, scores


@pytest.mark.slow
def test_online_augmentation_makes_no_copies_and_ends_with_results(
    recipe: Recipe, fresh: Place, checkout: Path
) -> None:
    done = recipe(*fresh.options(augment=None))  # the default of folder corpora
    feats = fresh.data / "fbank"
    assert not list(feats.glob("train_*aug*")) and not (feats / "train_combined").exists()
    lists = feats / "lists_online"
    train = {line.split()[0] for line in (lists / "train.scp").read_text().splitlines()}
    for table in ("wav.scp", "vad.scp"):
        assert {line.split()[0] for line in (lists / table).read_text().splitlines()} == train
    for table in ("noise.list", "music.list", "rir.list"):
        assert (lists / table).stat().st_size > 0
    config = yaml.safe_load((fresh.exp / "config.yaml").read_text())
    assert config["data"]["source"] == "audio"
    wanted = yaml.safe_load((checkout / "conf" / "augment" / "strong.yaml").read_text())
    assert len(config["augment"]["audio"]) == len(wanted["audio"]) > 0
    assert "small" in (fresh.exp / "RESULTS.md").read_text()
    assert "stage 7: clean train and test -> voiced frames: up to date" in done.stderr  # stage 4 made them
    again = recipe(*fresh.options(augment="online"))
    assert "stage 6/12" not in again.stderr and "stage 4/12" not in again.stderr


@pytest.mark.slow
def test_ondisk_copies_are_made_of_every_kind_and_trained_on(finished: Place) -> None:
    """The run that the tests of a restart begin with: stages 2 to 4 and 6 the on-disk way, from end to end."""
    feats = finished.data / "fbank"
    for kind in ("reverb", "noise", "music", "babble"):
        assert len((feats / f"train_{kind}" / "wav.scp").read_text().splitlines()) == 30
    copies = {line.split()[0] for line in (feats / "train_aug_subset" / "feats.scp").read_text().splitlines()}
    trained_on = {line.split()[0] for line in (feats / "lists" / "train.scp").read_text().splitlines()}
    assert len(copies) == 12 and copies & trained_on and trained_on - copies
    assert not (feats / "lists_online").exists()
    config = yaml.safe_load((finished.exp / "config.yaml").read_text())
    assert config["data"]["source"] == "feats" and not config["augment"]
    assert scores(finished.exp) and "PLDA" in (finished.exp / "RESULTS.md").read_text()


@pytest.mark.slow
def test_without_augmentation_the_lists_hold_clean_utterances_alone(recipe: Recipe, fresh: Place) -> None:
    recipe(*fresh.options("--stop-stage", "5", augment="none"))
    feats = fresh.data / "fbank"
    train = [line.split()[0] for line in (feats / "lists" / "train.scp").read_text().splitlines()]
    assert train and not [utt_id for utt_id in train if utt_id.endswith(("-reverb", "-noise", "-music", "-babble"))]
    assert not (feats / "train_noise").exists()


@pytest.mark.slow
def test_an_experiment_that_reads_audio_takes_its_own_augmentation(recipe: Recipe, fresh: Place) -> None:
    wav = ["--nnet-opts=data.source=audio", "--nnet-opts=augment={audio: [{name: room, probability: 0.5}]}"]
    recipe(*fresh.options(*wav, augment=None))
    assert scores(fresh.exp)
    config = yaml.safe_load((fresh.exp / "config.yaml").read_text())
    assert [step["name"] for step in config["augment"]["audio"]] == ["room"]
    done = recipe(*fresh.options(*wav, augment="ondisk"), code=1)
    assert "has data.source audio" in done.stderr
