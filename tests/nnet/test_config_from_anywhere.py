"""A config from any directory: what relative paths mean; how overrides are named; keys of other toolkits."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from common.options import ConfigError
from nnet.config.experiment import from_mapping, get, load, to_mapping
from nnet.config.foreign_keys import ELSEWHERE, hint
from nnet.config.overrides import Override, add_arguments
from nnet.config.paths import CALLED_FROM, ROOT, located
from nnet.train import parse_arguments

MINI = "conf/nnet/mini.yaml"


def own_yaml(folder: Path) -> Path:
    """A YAML of the caller's beside option files of his own, with an odd frame rate."""
    (folder / "conf").mkdir()
    (folder / "conf" / "fbank.conf").write_text("--frame-shift=20\n")
    path = folder / "own.yaml"
    path.write_text((ROOT / MINI).read_text())
    return path


def test_a_config_of_the_checkout_is_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = to_mapping(load(ROOT / MINI, ["augment=conf/augment/strong.yaml", "data.source=audio"]))
    own_yaml(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = load(MINI, ["augment=conf/augment/strong.yaml", "data.source=audio"])
    assert to_mapping(config) == here  # its own conf/fbank.conf, although the caller has one of that name
    assert get(config, "features.frame_rate") == 100


@pytest.mark.parametrize("by_variable", [False, True])
def test_what_the_caller_names_is_the_callers_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    own = own_yaml(tmp_path)
    if by_variable:  # ./pipeline.sh, which works in the checkout
        monkeypatch.setenv(CALLED_FROM, str(tmp_path))
    else:
        monkeypatch.chdir(tmp_path)
    conf = f"{tmp_path}/conf/fbank.conf"
    for config in (load(own), load(ROOT / MINI, ["features.config=conf/fbank.conf"])):
        assert config.features.config == conf  # absolute: the run may be taken up from elsewhere
        assert get(config, "features.frame_rate") == 50
    section = "features={type: fbank, config: conf/fbank.conf, dim: 30}"
    assert load(ROOT / MINI, [section]).features.config == conf
    assert load(own, ["features.config=conf/fbank80.conf"]).features.config == "conf/fbank80.conf"  # the checkout's
    saved = to_mapping(load(ROOT / MINI))
    assert from_mapping(saved, "exp/a/best.pt").features.config == "conf/fbank.conf"


def test_the_option_file_of_a_training_is_found_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_yaml(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert located("conf/fbank.conf") == ROOT / "conf" / "fbank.conf"
    for name, folder in (("fbank", tmp_path), ("mfcc", ROOT)):
        option = ["--features-conf", f"conf/{name}.conf"]
        options = parse_arguments(["--config", MINI, "--lists", "l", "--exp", "e", *option])
        assert options.features_conf == folder / "conf" / f"{name}.conf"


@pytest.mark.parametrize(
    ("path", "overrides", "says"),
    [
        ("conf/nnet/xvectr.yaml", [], 'did you mean "conf/nnet/xvector.yaml"? choose one of: conf/nnet/xvector.yaml,'),
        ("/nowhere/zzz.yaml", [], "/nowhere/zzz.yaml: cannot be read: there is no such file; choose one of: conf/nnet"),
        (MINI, ["augment=kaldi"], 'did you mean "conf/augment/kaldi.yaml"? choose one of: conf/augment/kaldi.yaml,'),
    ],
)
def test_a_file_that_is_not_there_lists_those_that_are(path: str, overrides: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    assert says in str(caught.value)


def test_an_option_file_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"conf/fbnak.conf: there is no such file; did you mean \"conf/fbank.conf\""):
        get(load(MINI, ["features.config=conf/fbnak.conf"]), "features.frame_rate")


def test_overrides_keep_their_order_and_the_words_in_which_they_were_given() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--set", "a.b=1", "--set-as", "--inference mode=x", "inference.mode=x", "--set=a.b=2"]
    assert parser.parse_args(words).overrides == [
        Override("a.b=1", "--set a.b=1"),
        Override("inference.mode=x", "--inference mode=x"),
        Override("a.b=2", "--set a.b=2"),
    ]
    assert parser.parse_args([]).overrides == []
    with pytest.raises(ConfigError, match=r'^--inference mode=x: inference.mode is "x"; choose one of'):
        load(MINI, [Override("inference.mode=x", "--inference mode=x")])


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("optimizer.lr", "schedule.peak_lr"),
        ("training.Learning_Rate", "schedule.peak_lr"),
        ("training.num_epochs", "training.steps"),
        ("training.batch_size", "data.batch_size"),
        ("data.num_workers", "data.workers"),
        ("encoder.embed_dim", "embedding.dim"),
        ("features.num_mel_bins", "features.dim"),
    ],
)
def test_a_key_of_another_toolkit_points_to_the_one_here(key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(MINI, [f"{key}=1"])
    assert f"{key} is unknown; " in str(caught.value) and says in str(caught.value)


def test_no_key_points_to_itself_and_every_place_that_is_named_exists() -> None:
    assert hint("optimizer.momentum") == hint("schedule.peak_lr") == hint("loss.margin") == ""  # of another name only
    named = set(re.findall(r"\b[a-z]{4,}\.[a-z_]+\b", " ".join(ELSEWHERE.values()))) - {"pipeline.sh"}
    known = {f"{section}.{key}" for section, options in to_mapping(load(MINI)).items() for key in options}
    known |= {"schedule.warmup_steps", "optimizer.momentum", "encoder.dropout"}  # of other names than mini.yaml's
    assert {"schedule.peak_lr", "data.batch_size"} <= named <= known
