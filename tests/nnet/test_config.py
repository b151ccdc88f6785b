"""The experiment's YAML: what is read, what is refused, and with which words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.options import ConfigError
from nnet.config import experiment as nnet_config
from nnet.config.experiment import from_mapping, get, load, to_mapping, to_yaml
from nnet.pooling import LdeOptions, StatisticsOptions

GOOD = """\
features: {type: fbank, config: conf/fbank.conf, dim: 30}
encoder: {name: tdnn, width: 64}
pooling: {name: statistics}
embedding: {dim: 128}
head: {}
loss: {name: softmax}
data: {chunk_frames: [200, 400]}
optimizer: {name: adam, eps: 1e-9}
schedule: {name: noam}
training: {steps: 10}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD)
    return file


def error_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_each_section_becomes_the_options_of_its_name(path: Path) -> None:
    config = load(path)
    assert config.encoder.width == 64
    assert config.encoder.last_width == 1500  # the default
    assert config.pooling == StatisticsOptions()
    assert config.data.chunk_frames == (200, 400)


def test_an_exponent_without_a_point_is_a_number(path: Path) -> None:
    # YAML 1.1 reads 1e-9 as a string; everyone who writes it means a number.
    assert load(path).optimizer.eps == 1e-9


def test_one_chunk_length_stands_for_both_ends(path: Path) -> None:
    assert load(path, ["data.chunk_frames=300"]).data.chunk_frames == (300, 300)


def test_a_config_reads_back_as_it_was_saved(path: Path, tmp_path: Path) -> None:
    config = load(path, ["head.hidden=[512, 256]", "training.clip_norm=3"])
    saved = tmp_path / "saved.yaml"
    saved.write_text(to_yaml(config))
    assert load(saved) == config
    assert from_mapping(to_mapping(config), "checkpoint") == config


def test_the_last_override_of_a_key_wins(path: Path) -> None:
    assert load(path, ["encoder.width=8", "encoder.width=9"]).encoder.width == 9


def test_an_override_can_replace_a_whole_section(path: Path) -> None:
    assert load(path, ["pooling={name: lde, components: 4}"]).pooling == LdeOptions(components=4)


def test_an_unknown_name_lists_the_choices_and_the_nearest(path: Path) -> None:
    path.write_text(GOOD.replace("name: statistics", "name: statistic"))
    message = error_of(path)
    assert message.startswith(f'{path}: pooling "statistic" is unknown; choose one of: ')
    assert "lde, mean, multi_head, statistics" in message
    assert message.endswith('(did you mean "statistics"?)')


@pytest.mark.parametrize(
    ("line", "replacement", "expected"),
    [
        ("{name: tdnn, width: 64}", "{name: tdnn, widht: 64}", 'encoder.widht is unknown; choose one of: last_width, '),
        ("{name: tdnn, width: 64}", "{name: tdnn, width: '64'}", 'encoder.width is "64"; expected an integer'),
        ("{name: tdnn, width: 64}", "{name: tdnn, width: true}", "encoder.width is true; expected an integer"),
        ("{name: tdnn, width: 64}", "{name: tdnn, width: 6.5}", "encoder.width is 6.5; expected an integer"),
        ("{name: tdnn, width: 64}", "{name: tdnn, width: 0}", "encoder.width is 0; expected >= 1"),
        ("{name: tdnn, width: 64}", "{width: 64}", 'encoder has no "name"; choose one of: '),
        ("{name: tdnn, width: 64}", "tdnn", 'encoder has no "name"; choose one of: '),
        ("{name: tdnn, width: 64}", "{name: [tdnn]}", "encoder ['tdnn'] is unknown; choose one of: "),
        ("{chunk_frames: [200, 400]}", "{batch_size: 1}", "data.batch_size is 1; expected at least 2"),
        ("embedding: {dim: 128}", "embedding: 128", "embedding is 128; expected a mapping of options"),
        ("type: fbank, ", "", "features.type is missing; expected mfcc | fbank | logmel"),
        ("type: fbank", "type: fbnk", "choose one of: fbank, librosa_mfcc, logmel, mfcc, wave (did you mean"),
        ("[200, 400]", "[400, 200]", "data.chunk_frames is [400, 200]; expected [least, greatest], least first"),
        ("[200, 400]", "[200, 300, 400]", "data.chunk_frames is [200, 300, 400]; expected a list of 2"),
        ("{steps: 10}", "{clip_norm: 0}", "training.clip_norm is 0.0; expected a positive number or null"),
        ("{name: noam}", "{name: noam, warmup_steps: 0}", "warmup_steps is 0"),
        ("{name: noam}", "{name: constant, peak_lr: .inf}", "schedule.peak_lr is inf; expected a number"),
        ("{steps: 10}", "{seed: 9223372036854775808}", "training.seed is 9223372036854775808; expected a whole number"),
        ("{steps: 10}", "{start_from_parts: [encoder]}", "expected start_from beside it, the checkpoint"),
        ("head: {}", "head: {}\ninference: {normalise: true, mean_of: affine}", 'inference.mean_of is "affine"'),
        ("pooling: {name: statistics}\n", "", "missing: pooling; expected the sections features, encoder, pooling"),
        ("head: {}", "heat: {}", 'section "heat" is unknown; choose one of: '),
    ],
)
def test_a_wrong_value_is_named_with_file_key_and_what_was_expected(
    path: Path, line: str, replacement: str, expected: str
) -> None:
    assert line in GOOD
    path.write_text(GOOD.replace(line, replacement))
    message = error_of(path)
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_a_key_that_appears_twice_is_refused_with_its_line(path: Path) -> None:
    path.write_text(GOOD.replace("embedding: {dim: 128}", "embedding:\n  dim: 128\n  dim: 64"))
    assert error_of(path) == f'{path}:6: key "dim" appears twice'


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x", "? [a, b]\n: 1\n? {}\n"])
def test_text_that_is_no_yaml_is_refused_with_its_line(path: Path, text: str) -> None:
    path.write_text(text)
    assert error_of(path).startswith(f"{path}:")


def test_yaml_cannot_run_code(path: Path) -> None:
    path.write_text("features: !!python/object/apply:os.system ['true']")
    assert "could not determine a constructor" in error_of(path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "word"])
def test_a_file_without_sections_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    assert "expected the sections features, encoder" in error_of(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "absent.yaml: cannot be read" in error_of(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("encoder.width", "expected section.key=value"),
        ("encodr.width=3", '(did you mean "encoder"?)'),
        ("encoder.width=many", 'encoder.width is "many"; expected an integer'),
        ("pooling.name=statistic", 'pooling "statistic" is unknown'),
        ("encoder.widht=3", "encoder.widht is unknown"),
        ("encoder.width=[1", "--set encoder.width=[1:1: "),
    ],
)
def test_a_wrong_override_is_blamed_on_the_override(path: Path, override: str, expected: str) -> None:
    message = error_of(path, override)
    assert message.startswith(f"--set {override}")
    assert expected in message


def test_the_program_prints_one_value_for_the_shell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nnet_config.main(["--config", str(path), "--get", "features.type"]) == 0
    assert nnet_config.main(["--config", str(path), "--get", "data.chunk_frames"]) == 0
    assert nnet_config.main(["--config", str(path), "--get", "optimizer.amsgrad"]) == 0
    assert capsys.readouterr().out == "fbank\n[200, 400]\ntrue\n"


def test_the_program_prints_several_values_a_line_each(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nnet_config.main(["--config", str(path), "--get", "optimizer.amsgrad", "--get", "features.type"]) == 0
    assert capsys.readouterr().out == "true\nfbank\n"


def test_the_program_refuses_a_wrong_config_on_stderr(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nnet_config.main(["--config", str(path), "--get", "features.typ"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert '(did you mean "type"?)' in captured.err


def test_the_printed_config_is_complete_and_reads_back(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nnet_config.main(["--config", str(path), "--set", "encoder.width=32", "--print"]) == 0
    assert from_mapping(yaml.safe_load(capsys.readouterr().out), "printed") == load(path, ["encoder.width=32"])


def test_the_list_shows_every_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert nnet_config.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert "pooling: {name: lde}" in out
    assert '    assignment: lde | att (default "lde")' in out


def test_a_reader_that_stops_early_ends_the_list_silently(root: Path) -> None:
    reader, full = os.pipe()
    os.close(reader)  # nobody reads: the first write fails, as after `| head`
    command = [sys.executable, "-m", "nnet.config", "--list"]
    with os.fdopen(full, "wb") as stream:
        done = subprocess.run(command, cwd=root, stdout=stream, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""


def test_reading_a_config_imports_no_torch(path: Path, root: Path) -> None:
    code = f"import sys; from nnet.config.experiment import load; load({str(path)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_every_published_config_is_read(root: Path) -> None:
    files = sorted((root / "conf" / "nnet").glob("*.yaml"))
    assert {"lde1.yaml", "lde7.yaml", "mini.yaml", "xvector.yaml"} <= {file.name for file in files}
    for file in files:
        config = load(file)
        columns = {"logmel": 80, "librosa_mfcc": 40, "wave": 160}
        assert get(config, "features.dim") == columns.get(config.features.type, 30)
        assert file.read_text().startswith("# "), f"{file} says not what it is"
