"""The program that imports: published embeddings from published files, provenance, and all that it refuses."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import load as load_config
from nnet.config.experiment import to_mapping
from nnet.import_checkpoint import main
from nnet.inference.loading import Model, load_model
from nnet.model import build
from nnet.published.archive import asked_for
from nnet.training.checkpoint import load_checkpoint
from nnet.training.fine_tuning import take_start
from tests.nnet.helpers.refusals import refusal as refused

CPU = torch.device("cpu")
TOLERANCE = 1e-5  # float32 sums in another order, and seven decimals in the file
NAMES = (
    "bilstm.mean.all",
    "bilstm.mean.all.specaug",
    "bilstm.mean.clean100",
    "bilstm.mean.clean100.specaug",
    "transformer.clean100.specaug",
)


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def imported(path: Path, *options: str) -> Path:
    exp = path.parent / "exp"
    main([*options, str(path), str(exp)])
    return exp


def refusal(path: Path, *options: str) -> str:
    """The message with which a file is refused; nothing is written."""
    exp = path.parent / "exp"
    message = refused(main, [*options, str(path), str(exp)])
    assert not (exp / "best.pt").exists()
    return message


def embed(model: Model, feats: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.net.embed(feats, torch.tensor([feats.shape[1]]))[0]


def golden_input() -> torch.Tensor:
    t, f = torch.arange(1, 101, dtype=torch.float64), torch.arange(1, 41, dtype=torch.float64)
    return (10 * torch.sin(0.01 * t[:, None] * f)).float()[None]  # (1, 100, 40)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_gives_the_published_embedding(name: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "checkpoints"
    if not folder.is_dir():
        pytest.skip("../shared/checkpoints is not here")
    file = f"saved_model.{name}.gpu100000.pt"
    golden = json.loads((folder / "golden.json").read_text())["embeddings"][file]
    main([str(folder / file), str(tmp_path / "exp")])
    model = load_model(tmp_path / "exp" / "best.pt", CPU)
    torch.testing.assert_close(embed(model, golden_input()), torch.tensor(golden), atol=TOLERANCE, rtol=0)
    record = yaml.safe_load((tmp_path / "exp" / "imported.yaml").read_text())
    assert record["numbers"] == (418_112 if "transformer" in name else 252_928)
    assert load_checkpoint(tmp_path / "exp" / "best.pt").start_hash == record["sha256"]
    assert (model.inference.mode, model.inference.window, model.inference.step) == ("windows", 100, 50)


def test_the_experiment_says_what_is_mapped_left_out_and_assumed(tmp_path: Path) -> None:
    exp = imported(saved(tmp_path / "lstm.pt", files.wq_lstm(width=8)))
    record = yaml.safe_load((exp / "imported.yaml").read_text())
    assert (record["file"], record["system"], record["assumed"]) == ("lstm.pt", "wq_lstm", {"pooling.name": "mean"})
    assert record["mapped"]["lstm.weight_ih_l2_reverse"] == "encoder.rnn.weight_ih_l2_reverse"
    assert len(record["mapped"]) == 24
    assert set(record["left_out"]) == {"losses", "training_time"}
    config = load_config(exp / "config.yaml")
    assert to_mapping(config) == load_checkpoint(exp / "best.pt").config
    assert load_checkpoint(exp / "best.pt").features_conf.startswith("# MFCC as librosa")
    assert (config.encoder.width, config.encoder.layers, config.encoder.input_scale) == (8, 3, 1.0)


@pytest.mark.parametrize("full", [False, True])
def test_a_loss_that_the_file_lacks_is_said_and_extraction_needs_none(full: bool, tmp_path: Path) -> None:
    path = saved(tmp_path / "convgru.pt", files.rf_convgru(full, channels=8, width=6))
    exp = imported(path)
    assert ("The loss was not trained" in (exp / "config.yaml").read_text()) is not full
    assert ("loss_function.scale.raw" in load_checkpoint(exp / "best.pt").model) is full
    model = load_model(exp / "best.pt", CPU)
    samples = torch.rand(1, 20, 160, generator=torch.Generator().manual_seed(0)) - 0.5
    assert embed(model, samples).norm().item() == pytest.approx(1.0, abs=1e-6)
    record = yaml.safe_load((exp / "imported.yaml").read_text())
    assert record["not_trained"] == ([] if full else ["loss_function.scale.raw"])
    assert ("loss_fn.b" in record["left_out"]) is full
    assert load_checkpoint(exp / "best.pt").step == 700000


def test_options_tell_what_the_file_does_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "transformer.pt", files.wq_transformer())
    exp = imported(path, "--heads", "4", "--set", "inference.mode=whole")
    config = load_config(exp / "config.yaml")
    assert (config.encoder.heads, config.inference.mode) == (4, "whole")
    assert yaml.safe_load((exp / "imported.yaml").read_text())["assumed"] == {}
    caplog.clear()
    eight = tmp_path / "eight"
    main([str(path), str(eight)])
    assert "assumed, since the file does not say: encoder.heads=8" in caplog.text
    four, other = (embed(load_model(each / "best.pt", CPU), golden_input()) for each in (exp, eight))
    assert (four - other).abs().max() > 1e-3  # so the number of heads matters, and no shape shows it


class Runs:
    """A pickle of it makes a file when it is opened carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("kind", ["zip", "old", "pickle"])
def test_a_file_that_asks_to_run_something_is_refused_and_nothing_is_run(kind: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "hostile.pt"
    content = {**files.wq_lstm(width=4), "more": Runs(mark)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        saved(path, content, _use_new_zipfile_serialization=kind == "zip")
    message = refusal(path)
    assert f"{path}: asks to run posix.system when it is opened" in message
    assert "nothing of it was run" in message
    assert "weights_only" not in message  # torch's own message recommends to run it
    assert not mark.exists()
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())  # noqa: S301
    assert mark.exists()  # opened carelessly, it does run


def test_names_of_tensors_are_no_requests(tmp_path: Path) -> None:
    path = saved(tmp_path / "plain.pt", files.jl_resnet(width=8))
    assert asked_for(path.read_bytes()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.pt"
    path.write_bytes(content)
    message = refusal(path)
    assert f"{path}: " in message
    assert "cannot be read as a checkpoint" in message or "is of no known system" in message


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "cut.pt", files.wq_lstm(width=8))
    path.write_bytes(path.read_bytes()[:-3000])
    assert "truncated or of another kind" in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "none.pt: cannot be read: No such file" in refusal(tmp_path / "none.pt")


def test_unknown_missing_and_misshapen_tensors_are_all_listed(tmp_path: Path) -> None:
    content = files.wq_lstm(width=8)
    weights = content["encoder_state_dict"]
    weights["projection.weight"] = torch.zeros(3, 3)
    weights["lstm.weight_ih_l9_twice"] = torch.zeros(3)
    del weights["lstm.bias_hh_l1"]
    weights["lstm.bias_hh_l2"] = torch.zeros(31)
    message = refusal(saved(tmp_path / "odd.pt", content))
    assert "has names that are not known: projection.weight, lstm.weight_ih_l9_twice" in message
    assert "lacks (by our names): encoder.rnn.bias_hh_l1" in message
    assert "has other shapes: lstm.bias_hh_l2 gives (31,), expected (32,)" in message
    assert "nothing was imported" in message


def test_what_lies_beside_the_weights_must_be_known(tmp_path: Path) -> None:
    path = saved(tmp_path / "more.pt", {**files.wq_lstm(width=8), "projection_state_dict": {}})
    assert "holds projection_state_dict besides encoder_state_dict, losses, training_time" in refusal(path)


def test_an_unknown_system_is_reported_with_its_names_and_what_it_lacks(tmp_path: Path) -> None:
    path = saved(tmp_path / "other.pt", {"resnet.conv1.weight": torch.zeros(3)})
    message = refusal(path)
    assert "is of no known system. It has resnet.conv1.weight" in message
    assert "rf_gru has (model.)?rnn_stack.weight_ih_l0" in message
    assert "wq_lstm has encoder_state_dict" in message
    message = refusal(saved(path, files.wq_lstm(width=8)), "--format", "jl")
    assert "it lacks: jl_lde has state_dict" in message


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (files.wq_lstm(width=8), ["--heads", "8"], "is of wq_lstm, for which --heads has no meaning"),
        (files.wq_transformer(), ["--pooling", "last"], "is of wq_transformer, for which --pooling has no meaning"),
        (files.wq_transformer(), ["--heads", "5"], "--heads is 5"),
        (files.wq_lstm(width=8), ["--set", "features.config=none.conf"], "features.config is none.conf"),
        (files.wq_lstm(width=8), ["--set", "encoder.widht=3"], "encoder.widht is unknown"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(
    content: dict[str, Any], options: list[str], says: str, tmp_path: Path
) -> None:
    assert says in refusal(saved(tmp_path / "some.pt", content), *options)


def changed(content: dict[str, Any], key: str, tensor: Any) -> dict[str, Any]:
    holder = next(
        name for name in ("encoder_state_dict", "Model", "state_dict", "loss_fn_state_dict") if name in content
    )
    return {**content, holder: {**content[holder], key: tensor}}


SMALL_CJ = files.cj(width=8, inner=8, count=16)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            changed(SMALL_CJ, "positional_encoding.pe", torch.zeros(1, 8, 16)),
            "differs by up to 1 from sines and cosines",
        ),
        (changed(SMALL_CJ, "positional_encoding.pe", torch.zeros(1, 6, 16)), "expected (1, 8, positions)"),
        (changed(SMALL_CJ, "prenet.weight", torch.zeros(8, 80, 3)), "expected 1 in the last place"),
        (changed(files.wq_lstm(width=8), "lstm.weight_ih_l0", torch.zeros(3)), "expected 2 numbers"),
        (changed(files.wq_lstm(width=8), "lstm.weight_ih_l0", torch.zeros(30, 40)), "expected a multiple of 4"),
        (changed(files.wq_lstm(width=8), "lstm.bias_hh_l0", torch.full((32,), torch.nan)), "that are not finite"),
        (changed(files.wq_lstm(width=8), "lstm.bias_hh_l0", 3.5), "is float, expected an ordinary tensor"),
        (changed(files.wq_lstm(width=8), "lstm.bias_hh_l0", torch.zeros(1).expand(10**9)), "is larger than the file"),
        (changed(files.jl_resnet(width=8), "fc11.weight", torch.zeros(512, 99)), "expected 2048 or 4096 of pool.dic"),
        ({"encoder_state_dict": {}}, "is of no known system"),
        ([torch.zeros(3)], "holds list, expected a mapping"),
    ],
)
def test_numbers_that_cannot_be_the_systems_are_refused(content: Any, says: str, tmp_path: Path) -> None:
    assert says in refusal(saved(tmp_path / "wrong.pt", content))


def test_a_scale_below_zero_is_refused(tmp_path: Path) -> None:
    content = files.rf_convgru(full=True, channels=4, width=4)
    content["loss_fn_state_dict"]["w"] = torch.tensor(-0.5)
    assert "loss_fn.w: is -0.5, expected one number above 0" in refusal(saved(tmp_path / "w.pt", content))


def test_counters_that_old_files_lack_begin_at_zero(tmp_path: Path) -> None:
    content = files.jl_resnet(width=8)
    weights = content["state_dict"]
    content["state_dict"] = {key: value for key, value in weights.items() if "num_batches" not in key}
    exp = imported(saved(tmp_path / "old.pt", content))
    assert load_checkpoint(exp / "best.pt").model["encoder.bn1.num_batches_tracked"] == 0


def test_training_may_begin_with_the_parts_that_are_there(tmp_path: Path) -> None:
    exp = imported(saved(tmp_path / "convgru.pt", files.rf_convgru(channels=8, width=6)))
    parts = ["training.start_from_parts=[encoder, embedding]", "loss={name: softmax}"]
    config = load_config(exp / "config.yaml", [f"training.start_from={exp / 'best.pt'}", *parts])
    net = build(config, 3)
    digest = take_start(net, config, ["a", "b", "c"], load_checkpoint(exp / "best.pt").features_conf)
    given = load_checkpoint(exp / "best.pt").model
    assert len(digest) == 64
    assert all(torch.equal(tensor, given[name]) for name, tensor in net.state_dict().items() if name in given)
    assert torch.equal(net.embedding.weight, given["embedding.weight"])


def test_an_experiment_is_never_overwritten(tmp_path: Path) -> None:
    path = saved(tmp_path / "lstm.pt", files.wq_lstm(width=8))
    exp = imported(path)
    before = (exp / "best.pt").read_bytes()
    assert "has best.pt, config.yaml already" in refused(main, [str(path), str(exp)])
    assert (exp / "best.pt").read_bytes() == before
