"""The section `augment`: a file or a mapping, read strictly, saved whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from common.options import ConfigError, OptionError
from nnet.augment import (
    AUDIO_STEPS,
    AugmentOptions,
    BabbleOptions,
    FrequencyMaskOptions,
    NoiseOptions,
    OneOf,
    RoomOptions,
    SpeedOptions,
    Step,
    TimeMaskOptions,
)
from nnet.augment.schema import augment_mapping, parse_augment
from nnet.config import program as nnet_config
from nnet.config.experiment import from_mapping, load, to_mapping, to_yaml

EXPERIMENT = """\
features: {type: fbank, config: conf/fbank.conf, dim: 30}
encoder: {name: tdnn, width: 64}
pooling: {name: statistics}
embedding: {dim: 128}
head: {}
loss: {name: softmax}
data: {chunk_frames: [200, 400], source: audio}
optimizer: {name: adam, eps: 1e-9}
schedule: {name: noam}
training: {steps: 10}
"""
SECTION = """\
speed: {factors: [0.9, 1.1], new_speakers: false}
audio:
  - {name: room, probability: 0.6, context: 0.2}
  - one_of: [{name: noise, weight: 2, snrs: [10, 0], between: true}, {name: babble, voices: 3}]
    probability: 0.5
features:
  - {name: time_mask, probability: 0.3, width: [1, 20], fill: mean}
"""
MEANT = AugmentOptions(
    SpeedOptions((0.9, 1.1), False),
    (
        Step(RoomOptions(0.2), 0.6),
        OneOf((Step(NoiseOptions((10.0, 0.0), True), 2.0), Step(BabbleOptions(voices=(3, 3)))), 0.5),
    ),
    (Step(TimeMaskOptions(width=(1, 20), fill="mean"), 0.3),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(EXPERIMENT)
    return file


@pytest.fixture
def section(tmp_path: Path) -> Path:
    file = tmp_path / "augment.yaml"
    file.write_text(SECTION)
    return file


def test_the_section_becomes_its_options() -> None:
    assert parse_augment(yaml.safe_load(SECTION)) == MEANT


def test_without_the_section_nothing_is_augmented(path: Path) -> None:
    assert load(path).augment == AugmentOptions() == parse_augment({})
    assert not load(path).augment.needs_audio and MEANT.needs_audio
    assert parse_augment({"speed": None, "audio": None, "features": []}) == AugmentOptions()


def test_a_file_is_read_in_place_of_a_mapping(path: Path, section: Path) -> None:
    inline = EXPERIMENT + "augment:\n" + "".join(f"  {line}\n" for line in SECTION.splitlines())
    path.write_text(EXPERIMENT + f"augment: {section}\n")
    assert load(path).augment == MEANT
    path.write_text(inline)
    assert load(path).augment == MEANT
    path.write_text(EXPERIMENT)
    assert load(path, [f"augment={section}"]).augment == MEANT


def test_the_saved_config_holds_the_section_itself(path: Path, section: Path, tmp_path: Path) -> None:
    config = load(path, [f"augment={section}"])
    section.unlink()
    saved = tmp_path / "saved.yaml"
    saved.write_text(to_yaml(config))
    assert load(saved) == config and from_mapping(to_mapping(config), "checkpoint") == config
    assert "context: 0.2" in saved.read_text() and "interval: 1.0" in saved.read_text()


def test_every_step_with_its_defaults_reads_back() -> None:
    steps = tuple(Step(options()) for options in AUDIO_STEPS.values())
    augment = AugmentOptions(SpeedOptions(), (*steps, OneOf(steps, 0.1)), (Step(TimeMaskOptions(), 0.2),))
    assert parse_augment(augment_mapping(augment)) == augment
    assert augment.audio_steps() == [*steps, *steps]


def test_an_override_changes_a_part_of_the_file_that_is_named(path: Path, section: Path) -> None:
    path.write_text(EXPERIMENT + f"augment: {section}\n")
    changed = load(path, ["augment.speed={factors: [1.2]}", "augment.features=[]"]).augment
    assert changed.speed == SpeedOptions((1.2,)) and changed.features == () and changed.audio == MEANT.audio


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audio: [{name: rom}]", 'augment.audio[0] "rom" is unknown; choose one of: babble, clean, clipping, '),
        ("audio: [{name: rom}]", '(did you mean "room"?)'),
        ("audio: [{probability: 1}]", 'augment.audio[0] has no "name"'),
        ("audio: [room]", 'augment.audio[0] has no "name"'),
        ("audio: {name: room}", "augment.audio is {'name': 'room'}; expected a list of steps"),
        ("audio: [{name: room, probability: 2}]", "augment.audio[0].probability is 2; expected a number >= 0 and <= 1"),
        ("audio: [{name: room, weight: 2}]", "augment.audio[0].weight is unknown; choose one of: context"),
        ("audio: [{name: noise, snrs: [a]}]", 'augment.audio[0].snrs[0] is "a"; expected a number'),
        ("audio: [{name: noise, snrs: []}]", "augment.audio[0].snrs is []; expected one level in dB or more"),
        ("audio: [{name: babble, voices: [7, 3]}]", "augment.audio[0].voices is [7, 3]; expected [least, greatest]"),
        ("audio: [{name: telephone, high: [3000, 4500]}]", "high is [3000.0, 4500.0]; expected <= 3800"),
        ("audio: [{one_of: []}]", "augment.audio[0].one_of has no member with a weight above 0"),
        ("audio: [{one_of: [{name: room, weight: -1}]}]", "one_of[0].weight is -1; expected a number >= 0"),
        ("audio: [{one_of: [{name: room, probability: 1}]}]", "one_of[0].probability is unknown; choose one of: "),
        ("audio: [{one_of: [{name: room}], weight: 1}]", "augment.audio[0].weight is unknown; choose one of: one_of"),
        ("features: [{name: room}]", 'features[0] "room" is unknown; choose one of: frequency_mask, time_mask'),
        ("features: [{name: time_mask, fill: noise}]", 'fill is "noise"; choose one of: crop_mean, mean, zero'),
        ("speed: {factors: []}", "augment.speed.factors is []; expected different factors, in hundredths"),
        ("speed: {factors: [1.0]}", "expected different factors, in hundredths, without 1"),
        ("speed: {factors: [0.9, 0.9]}", "augment.speed.factors is [0.9, 0.9]; expected different"),
        ("speed: {factors: [0.9, 3]}", "augment.speed.factors is [0.9, 3.0]; expected >= 0.5 and <= 2"),
        ("speed: [0.9]", "augment.speed is [0.9]; expected a mapping of options"),
        ("audo: []", 'augment.audo is unknown; choose one of: audio, features, speed (did you mean "audio"?)'),
        ("[1]", "augment is [1]; expected a file's name, or a mapping of speed, audio, features"),
    ],
)
def test_a_wrong_section_is_refused_with_its_key(text: str, expected: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_augment(yaml.safe_load(text))
    assert expected in str(caught.value)


def error_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_a_wrong_override_and_a_missing_file_are_blamed(path: Path, section: Path) -> None:
    rom = "augment.audio=[{name: rom}]"
    assert error_of(path, rom).startswith(f"--set {rom}: augment.audio[0] ")
    missing = error_of(path, "augment=nowhere.yaml")
    assert missing.startswith("--set augment=nowhere.yaml") and "cannot be read" in missing
    section.write_text("audio: [")
    assert f"{section}:1: " in error_of(path, f"augment={section}")


def test_changes_of_audio_need_audio_and_masks_do_not(path: Path) -> None:
    audio, speed = "augment.audio=[{name: gain}]", "augment.speed={factors: [0.9]}"
    for override, part in ((audio, "audio"), (speed, "speed")):
        message = error_of(path, "data.source=feats", override)
        assert f"augment.{part} changes audio, but data.source is feats; set data.source=audio" in message
    masks = load(path, ["data.source=feats", "augment.features=[{name: time_mask}]"])
    assert masks.augment.features == (Step(TimeMaskOptions()),)


def test_the_list_shows_the_section(capsys: pytest.CaptureFixture[str]) -> None:
    nnet_config.main(["--list"])
    shown = capsys.readouterr().out
    for text in ("augment: a file's name", "{name: telephone}", "voices: a list of 2", "{name: time_mask}", "source: "):
        assert text in shown


def test_the_published_sections_are_read_and_say_what_they_are(root: Path, path: Path) -> None:
    files = sorted((root / "conf" / "augment").glob("*.yaml"))
    assert {"kaldi.yaml", "strong.yaml"} <= {file.name for file in files}
    for file in files:
        assert load(path, [f"augment={file}"]).augment.needs_audio
        assert file.read_text().startswith("# ")


def test_the_published_kaldi_section_has_kaldis_levels(root: Path, path: Path) -> None:
    (group,) = load(path, [f"augment={root}/conf/augment/kaldi.yaml"]).augment.audio
    assert isinstance(group, OneOf) and group.probability == 1.0
    options = [member.options for member in group.members]
    assert NoiseOptions(snrs=(15, 10, 5, 0), interval=1.0) in options
    assert BabbleOptions(snrs=(20, 17, 15, 13), voices=(3, 7)) in options


def test_the_transformer_that_asks_once_is_trained_with_the_masks_it_was_published_with(root: Path) -> None:
    masks = FrequencyMaskOptions(width=(1, 8), fill="crop_mean"), TimeMaskOptions(width=(1, 20), fill="crop_mean")
    assert load(root / "conf/nnet/transformer_triplet.yaml").augment == AugmentOptions(
        features=tuple(Step(mask, 0.3) for mask in masks)
    )
    assert load(root / "conf/nnet/bilstm_triplet.yaml").augment == AugmentOptions()
