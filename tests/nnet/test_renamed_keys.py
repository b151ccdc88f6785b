"""Keys and values of earlier versions: read as their present names, reported once, refused beside the new name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from common.options import ConfigError
from nnet.config import renamed_keys
from nnet.config.experiment import Config, from_mapping, load, to_mapping
from nnet.config.paths import CALLED_FROM, ROOT
from nnet.train import main as train
from nnet.train import parse_arguments
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.tiny_corpus import CONFIG, TinyCorpus

ROOM = "[{name: room}]"


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renamed_keys, "_reported", set())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(CONFIG)
    return file


def value_of(config: Config, key: str) -> object:
    section, name = key.split(".")
    return to_mapping(config)[section][name]


CASES = [
    (["data.balance=seed"], ["data.balance=jl"]),
    (["data.source=wav"], ["data.source=audio"]),
    (["data.source=wav", f"augment.wave={ROOM}"], ["data.source=audio", f"augment.audio={ROOM}"]),
    (["data.source=wav", f"augment={{wave: {ROOM}}}"], ["data.source=audio", f"augment={{audio: {ROOM}}}"]),
    (
        ["features={type: wave, config: conf/wave.conf, dim: 160, cmvn: false}"],
        ["features={type: samples, config: conf/samples.conf, dim: 160, cmvn: false}"],
    ),
]


@pytest.mark.parametrize(("old", "new"), CASES)
def test_an_override_by_an_old_name_is_one_by_the_new_name(path: Path, old: list[str], new: list[str]) -> None:
    assert load(path, old) == load(path, new)


def test_a_file_with_old_names_is_read(path: Path) -> None:
    expected = load(path, ["data.balance=jl", "data.source=audio", f"augment.audio={ROOM}"])
    old = CONFIG.replace("balance: speakers", "balance: seed, source: wav")
    path.write_text(f"{old}augment: {{wave: {ROOM}}}\n")
    assert load(path) == expected


def test_the_file_of_an_augment_section_may_have_the_old_name(path: Path, tmp_path: Path) -> None:
    (tmp_path / "rooms.yaml").write_text(f"wave: {ROOM}\n")
    (step,) = load(path, ["data.source=audio", f"augment={tmp_path}/rooms.yaml"]).augment.audio
    assert step == load(path, ["data.source=audio", f"augment.audio={ROOM}"]).augment.audio[0]


def test_the_config_of_an_old_checkpoint_is_that_of_a_new_run(path: Path) -> None:
    now = load(path, ["data.source=audio", "data.balance=jl", f"augment.audio={ROOM}"])
    saved = to_mapping(now)
    saved["data"] |= {"source": "wav", "balance": "seed"}
    saved["augment"] = {"wave": saved["augment"]["audio"]}
    assert to_mapping(from_mapping(saved, "last.pt")) == to_mapping(now)
    assert saved["data"]["source"] == "wav"  # the mapping given is left as it is


def test_each_old_name_is_reported_once_with_the_new_one(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load(path, ["data.source=wav", f"augment.wave={ROOM}"])
    assert [record.getMessage() for record in caplog.records] == [
        "--set data.source=wav: data.source: wav is the name of an earlier version; write data.source: audio",
        f"--set augment.wave={ROOM}: augment.wave is the name of an earlier version; write augment.audio",
    ]


def test_present_names_are_not_reported(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(path, ["data.source=audio", "data.balance=jl", f"augment.audio={ROOM}"])
    assert caplog.records == []


def test_both_names_in_one_file_are_refused(path: Path) -> None:
    path.write_text(CONFIG + f"augment: {{wave: {ROOM}, audio: {ROOM}}}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: has augment\.wave and augment\.audio, .*; remove augment\.wave"):
        load(path)


def test_an_old_name_in_an_override_replaces_the_new_one_of_the_file(path: Path) -> None:
    path.write_text(CONFIG + f"augment: {{audio: {ROOM}}}\n")
    (step,) = load(path, ["data.source=audio", "augment.wave=[{name: gain}]"]).augment.audio
    assert step == load(path, ["data.source=audio", "augment.audio=[{name: gain}]"]).augment.audio[0]


def test_an_error_in_an_old_key_is_blamed_on_the_override(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--set augment\.wave=\[\{name: rom\}\]: augment\.audio\[0\] "):
        load(path, ["augment.wave=[{name: rom}]"])


@pytest.mark.parametrize("by_variable", [False, True])
def test_an_option_file_of_an_old_name_that_exists_is_the_callers_own(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by_variable: bool
) -> None:
    if by_variable:  # ./pipeline.sh, which works in the checkout
        monkeypatch.setenv(CALLED_FROM, str(tmp_path))
    else:
        monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "wave.conf"
    own.parent.mkdir()
    own.write_text("--frame-samples=80\n")
    assert load(path, ["features.config=conf/wave.conf"]).features.config == str(own)
    path.write_text(CONFIG.replace("conf/fbank.conf", "conf/wave.conf"))
    assert load(path).features.config == str(own)
    assert feature_options(tmp_path, "conf/wave.conf") == own
    assert caplog.records == []


def test_an_option_file_of_an_old_name_that_is_gone_is_that_of_the_new_name(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for old in ("conf/wave.conf", "./conf/wave.conf", f"{ROOT}/conf/wave.conf"):
        assert load(path, [f"features.config={old}"]).features.config == "conf/samples.conf"
        assert feature_options(tmp_path, old) == ROOT / "conf" / "samples.conf"
    assert load(path, [f"features.config={tmp_path}/conf/wave.conf"]).features.config == f"{tmp_path}/conf/wave.conf"
    assert caplog.records[0].getMessage() == (
        "--set features.config=conf/wave.conf: features.config: conf/wave.conf is the name of an earlier version;"
        " write features.config: conf/samples.conf"
    )


def feature_options(folder: Path, name: str) -> Path | None:
    """The option file of a training with --features-conf."""
    words = ["--config", "a.yaml", "--lists", str(folder), "--exp", str(folder), "--features-conf", name]
    found: Path | None = parse_arguments(words).features_conf
    return found


@pytest.mark.parametrize(("name", "variant"), [("tdnn", "sc"), ("resnet34", "jl"), ("densenet62", "jl")])
def test_seed_compatible_is_the_variant_of_the_system(path: Path, name: str, variant: str) -> None:
    old = load(path, [f"encoder={{name: {name}, seed_compatible: true}}"])
    assert old == load(path, [f"encoder={{name: {name}, variant: {variant}}}"])
    assert value_of(old, "encoder.variant") == variant
    plain = load(path, [f"encoder={{name: {name}, seed_compatible: false}}"])
    assert plain == load(path, [f"encoder={{name: {name}}}"])


def test_seed_compatible_in_an_override_replaces_the_variant_of_the_file(path: Path) -> None:
    encoder = "encoder={name: tdnn, variant: sc}"
    assert load(path, [encoder, "encoder.seed_compatible=false"]) == load(path, ["encoder={name: tdnn}"])
    with pytest.raises(ConfigError, match=r'encoder\.seed_compatible is "x"; expected true or false'):
        load(path, [encoder, "encoder.seed_compatible=x"])


def test_a_run_of_an_earlier_version_is_resumed_by_either_name(tiny_corpus: TinyCorpus, tmp_path: Path) -> None:
    exp, steps = tmp_path / "exp", "training.steps=4"
    assert train(tiny_corpus.command(exp, steps, "data.balance=jl")) == 0
    for name in ("last.pt", "best.pt"):
        state = load_checkpoint(exp / name)
        state.config["data"]["balance"] = "seed"
        save_checkpoint(exp / name, state)
    for balance in ("seed", "jl"):
        assert train(tiny_corpus.command(exp, steps, f"data.balance={balance}")) == 0
    message = refusal(train, tiny_corpus.command(exp, steps, "data.balance=none"))
    assert "was trained with another config: data.balance (was 'jl', now 'none')" in message
