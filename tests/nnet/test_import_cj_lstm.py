"""The LSTMs that Speaker_Embedding_Torch had before its transformer, from the file to the embedding of slices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import get
from nnet.extract import Limits, embed_group, load_model
from nnet.import_checkpoint import main
from nnet.inference.windows import WindowCounts
from nnet.training.checkpoint import load
from tests.nnet.helpers.published_networks import TOLERANCE, apply_linear, embed, feats_of, import_of

CPU = torch.device("cpu")


def energies_of(num_frames: int) -> torch.Tensor:
    """(1, T, 80), -104 dB to 0 dB and more."""
    return (feats_of(num_frames, 80) * 3 - 6).exp()


def published(weights: dict[str, torch.Tensor], energies: torch.Tensor) -> torch.Tensor:
    """(N, T, 80) mel energies → (E,): the mean of what the affine layer gives for N slices, brought to length 1."""
    frames = apply_linear(weights, "layer_Dict.Prenet", 8 * (20 * energies.log10() + 100) / 100 - 4)
    layers = sum(key.endswith("weight_ih_l0") for key in weights)
    for number in range(layers):
        prefix = f"layer_Dict.LSTM_{number}."
        own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        lstm = nn.LSTM(frames.shape[2], own["weight_hh_l0"].shape[1], batch_first=True)
        lstm.load_state_dict(own)
        with torch.no_grad():
            states = lstm(frames)[0]
        frames = states + frames if number < layers - 1 else states
    return functional.normalize(apply_linear(weights, "layer_Dict.Linear", frames[:, -1]).mean(dim=0), dim=0)


def saved(path: Path, content: dict[str, Any]) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_lstms_with_sums_on_decibels_compute_what_the_published_ones_do(layers: int) -> None:
    content, energies = files.cj_lstm(width=24, layers=layers, dim=10), energies_of(40)
    imported = import_of(content)
    expected = published(content["Model"], energies)
    torch.testing.assert_close(embed(imported, energies.log())[0], expected, **TOLERANCE)
    assert (get(imported.config, "encoder.name"), get(imported.config, "encoder.layers")) == ("residual_lstm", layers)
    assert (imported.steps, imported.not_trained) == (81000, ["loss_function.scale.raw"])


def test_the_experiment_embeds_the_published_slices_of_the_middle(tmp_path: Path) -> None:
    content, energies = files.cj_lstm(width=8, dim=6), energies_of(400)
    assert main([str(saved(tmp_path / "lstm.pt", content)), str(tmp_path / "exp")]) == 0
    model = load_model(tmp_path / "exp" / "best.pt", CPU)
    given = embed_group(model, [("a", energies[0].log().numpy())], Limits(1000, 1000), WindowCounts())
    # 5 slices of 96 frames, 48 apart, are 288 frames, the middle of 400
    slices = torch.stack([energies[0, start : start + 96] for start in range(56, 56 + 5 * 48, 48)])
    torch.testing.assert_close(torch.from_numpy(given[0]), published(content["Model"], slices), **TOLERANCE)


def test_what_the_file_does_not_tell_is_said_and_can_be_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "lstm.pt", {**files.cj_lstm(width=8, dim=6), "AMP": {"loss_scaler0": {"loss_scale": 2.0}}})
    assert main([str(path), str(tmp_path / "exp")]) == 0
    record = yaml.safe_load((tmp_path / "exp" / "imported.yaml").read_text())
    assert record["assumed"] == {
        "features.config": "conf/logmel_24k.conf",
        "encoder.input_shift": pytest.approx(2.5 * math.log(10), abs=1e-12),
        "encoder.input_scale": pytest.approx(0.625 * math.log(10), abs=1e-12),
    }
    assert "assumed, as the file does not tell: encoder.input_shift=5.7564" in caplog.text
    assert set(record["left_out"]) == {"Optimizer", "Scheduler", "Steps", "Epochs", "AMP"}
    assert record["mapped"]["layer_Dict.LSTM_1.weight_hh_l0"] == "encoder.layers.1.weight_hh_l0"
    assert "--sample-frequency=24000" in load(tmp_path / "exp" / "best.pt").features_conf
    changes = ["--set", "encoder.input_shift=0", "--set", "encoder.input_scale=1"]
    assert main([*changes, str(path), str(tmp_path / "other")]) == 0
    record = yaml.safe_load((tmp_path / "other" / "imported.yaml").read_text())
    assert record["assumed"] == {"features.config": "conf/logmel_24k.conf"}


CONTENT = files.cj_lstm(width=8, dim=6)


@pytest.mark.parametrize(
    ("key", "tensor", "says"),
    [
        ("layer_Dict.LSTM_1.bias_hh_l0", None, "lacks (by our names): encoder.layers.1.bias_hh_l0"),
        ("layer_Dict.LSTM_1.weight_ih_l0", None, "has names that are not known: layer_Dict.LSTM_2.weight_ih_l0"),
        ("layer_Dict.LSTM_1.weight_ih_l1", torch.zeros(32, 8), "not known: layer_Dict.LSTM_1.weight_ih_l1"),
        ("layer_Dict.Convolution.weight", torch.zeros(3), "not known: layer_Dict.Convolution.weight"),
        ("layer_Dict.LSTM_0.weight_ih_l0", torch.zeros(24, 8), "weight_ih_l0 gives (24, 8), expected (32, 8)"),
        ("layer_Dict.LSTM_0.weight_hh_l0", torch.zeros(32, 9), "weight_hh_l0 gives (32, 9), expected (32, 8)"),
        ("layer_Dict.Linear.weight", torch.zeros(6, 7), "layer_Dict.Linear.weight gives (6, 7), expected (6, 8)"),
        ("layer_Dict.Linear.weight", None, "layer_Dict.Linear.weight: is missing"),
        ("layer_Dict.Prenet.weight", torch.zeros(8, 80, 1), "layer_Dict.Prenet.weight: its shape is (8, 80, 1)"),
        ("layer_Dict.Prenet.weight", None, "is of no known system"),
        ("layer_Dict.Prenet.bias", torch.full((8,), torch.inf), "that are not finite"),
    ],
)
def test_tensors_too_many_too_few_or_of_another_shape_are_refused(
    key: str, tensor: torch.Tensor | None, says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = {name: value for name, value in CONTENT["Model"].items() if name != key}
    weights |= {} if tensor is None else {key: tensor}
    path = saved(tmp_path / "odd.pt", {**CONTENT, "Model": weights})
    assert main([str(path), str(tmp_path / "exp")]) == 1
    assert says in caplog.records[-1].getMessage()
    assert not (tmp_path / "exp").exists()


def test_what_has_no_meaning_for_these_files_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "lstm.pt", CONTENT)
    assert main(["--heads", "4", str(path), str(tmp_path / "exp")]) == 1
    assert "is of cj_lstm, for which --heads has no meaning" in caplog.text
    assert main([str(saved(path, {**CONTENT, "Speakers": 3})), str(tmp_path / "exp")]) == 1
    assert "holds Speakers besides Model, Optimizer, Scheduler, Steps, Epochs, AMP" in caplog.text
