"""Sizes, types and numbers of an untrusted file's tensors that are refused by name, and cost no memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import load as load_config
from nnet.import_checkpoint import main
from nnet.model import build
from nnet.training.checkpoint import load
from tests.nnet.helpers.published_networks import import_of

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted(path.name for path in (ROOT / "conf" / "nnet").glob("*.yaml"))
HOLDERS = ("encoder_state_dict", "Model", "state_dict", "loss_fn_state_dict")


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def refusal(path: Path, caplog: pytest.LogCaptureFixture, *options: str) -> str:
    """The message with which a file is refused; nothing is written."""
    exp = path.parent / "exp"
    assert main([*options, str(path), str(exp)]) == 1
    assert not exp.exists()
    return caplog.records[-1].getMessage()


def changed(content: dict[str, Any], key: str, tensor: Any) -> dict[str, Any]:
    holder = next((name for name in HOLDERS if name in content), None)
    return {**content, key: tensor} if holder is None else {**content, holder: {**content[holder], key: tensor}}


LSTM = files.wq_lstm(width=8)
FIRST, BIAS = "lstm.weight_ih_l0", "lstm.bias_hh_l0"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_shapes_of_each_experiment_are_known_without_its_memory(name: str) -> None:
    with torch.device("meta"):
        state = build(load_config(ROOT / "conf" / "nnet" / name), 10).state_dict()
    assert state
    assert {tensor.device.type for tensor in state.values()} == {"meta"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        # 10^6 states would have recurrent weights of 16 TB; the file has 8 MB.
        (
            changed(LSTM, FIRST, torch.zeros(4 * 10**6, 1, dtype=torch.float16)),
            "lstm.weight_hh_l0 gives (32, 8), expected (4000000, 1000000)",
        ),
        (
            changed(files.wq_transformer(), "encoder.layers.0.linear1.weight", torch.zeros(10**12, 0)),
            "encoder.layers.0.linear1.weight: its shape (1000000000000, 0) holds no number",
        ),
        (changed(LSTM, BIAS, torch.zeros(0)), f"{BIAS}: its shape (0,) holds no number"),
    ],
)
def test_sizes_that_are_not_those_of_the_files_tensors_are_refused_without_their_memory(
    content: dict[str, Any], says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert says in refusal(saved(tmp_path / "large.pt", content), caplog)


def test_sizes_that_no_machine_can_count_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "lstm.pt", LSTM)
    message = refusal(path, caplog, "--set", f"encoder.width={10**12}")
    assert f"{path}: is of wq_lstm, but no network can be built of its sizes: " in message


def test_many_tensors_of_one_number_cannot_be_larger_than_the_file_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = {"encoder_state_dict": {FIRST: torch.zeros(32, 40)}}
    one = torch.zeros(1).expand(2000)  # 8 kB, less than the file
    content["encoder_state_dict"] |= {f"lstm.weight_hh_l{layer}": one for layer in range(200)}
    assert "its tensors together, 1605120 bytes, are larger than the file" in refusal(
        saved(tmp_path / "many.pt", content), caplog
    )


def test_endless_layers_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = {f"lstm.weight_ih_l{layer}": torch.zeros(4, 1) for layer in range(1001)}
    path = saved(tmp_path / "deep.pt", {"encoder_state_dict": weights})
    assert "is of wq_lstm, but has 1001 layers" in refusal(path, caplog)


def test_a_file_of_one_speaker_is_refused_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "one.pt", files.jl_resnet(width=8, speakers=1))
    assert f"{path}: is of jl_lde, but 1 training speakers" in refusal(path, caplog)


@pytest.mark.parametrize("key", ["loss_fn.norm.weight", "loss_fn.norm.running_mean", "loss_fn.linear.bias"])
@pytest.mark.parametrize("size", [1, 9])
def test_a_norm_of_the_scores_that_is_of_another_size_is_refused_by_name(
    key: str, size: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "sc.pt", {**files.sc(speakers=10), key: torch.ones(size)})
    assert f"is of sc_xvector, but {key}: its shape is ({size},), expected (10,)" in refusal(path, caplog)


def test_a_norm_of_the_scores_with_further_tensors_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "sc.pt", {**files.sc(), "loss_fn.norm.momentum": torch.ones(1)})
    assert "has names that are not known: loss_fn.norm.momentum" in refusal(path, caplog)


def test_weights_that_a_norm_makes_too_large_are_refused_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = {**files.sc(), "loss_fn.norm.weight": torch.full((10,), 3e38)}
    content["loss_fn.linear.bias"] = torch.full((10,), 1e3)
    assert "has numbers that are not finite: loss_fn.linear.bias" in refusal(saved(tmp_path / "sc.pt", content), caplog)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (files.sc(), "loss_fn.norm.running_var"),
        (files.sc(), "tdnn.layer.6.layer.1.running_var"),
        (files.jl_resnet(width=8), "res.layer1.0.bn1.running_var"),
        (files.jl_densenet(), "bn1.running_var"),
    ],
)
def test_a_variance_below_zero_is_refused_by_name(
    content: dict[str, Any], key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variance = content.get("state_dict", content)[key].clone()
    variance[1] = -1e-3
    path = saved(tmp_path / "negative.pt", changed(content, key, variance))
    assert f"{key}: holds a variance below 0 (-0.001); the file is damaged" in refusal(path, caplog)


@pytest.mark.parametrize(
    ("content", "heads", "width"),
    [
        (files.wq_transformer(), "0", 32),
        (files.wq_transformer(), "-8", 32),
        (files.wq_transformer(), "5", 32),
        (files.cj(32, 8, 16), "0", 32),
        (files.cj(24, 8, 16), "16", 24),
    ],
)
def test_heads_that_do_not_divide_the_width_are_refused(
    content: dict[str, Any], heads: str, width: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = refusal(saved(tmp_path / "some.pt", content), caplog, f"--heads={heads}")
    assert f"--heads is {heads}, expected 1 or another divisor of the network's width, {width}" in message


ODD_TENSORS: list[tuple[Callable[[], Any], str]] = [
    (lambda: torch.zeros(32, device="meta"), "is on meta, expected a tensor on the CPU"),
    (lambda: torch.zeros(32, dtype=torch.float8_e4m3fn), "is of float8_e4m3fn, expected one of float64, float32"),
    (lambda: torch.zeros(32, dtype=torch.complex64), "is of complex64, expected one of float64, float32"),
    (lambda: torch.zeros(32, dtype=torch.int8), "is of int8, expected one of float64, float32"),
    (lambda: torch.zeros(32, dtype=torch.int64), "is of int64, expected one of float64, float32"),
    (lambda: torch.zeros(32, dtype=torch.bool), "is of bool, expected one of float64, float32"),
    (lambda: torch.zeros(32).to_sparse(), "is sparse, expected an ordinary tensor"),
    (lambda: torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]), "is nested, expected an ordinary tensor"),
    (lambda: torch.full((32,), 1e300, dtype=torch.float64), "holds numbers that are not finite in float32"),
    (lambda: torch.full((32,), torch.nan, dtype=torch.bfloat16), "holds numbers that are not finite in float32"),
]


@pytest.mark.filterwarnings("ignore:.*nested tensors.*")
@pytest.mark.parametrize(("make", "says"), ODD_TENSORS)
def test_a_tensor_of_another_kind_than_weights_are_is_refused_by_name(
    make: Callable[[], Any], says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "odd.pt", changed(LSTM, BIAS, make()))
    assert f"{path}: encoder_state_dict: {BIAS}: {says}" in refusal(path, caplog)


def test_names_that_are_no_text_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "odd.pt", changed(LSTM, 7, torch.zeros(3)))  # type: ignore[arg-type]
    assert "encoder_state_dict: has the name 7, expected text" in refusal(path, caplog)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_other_precisions_become_float32(dtype: torch.dtype) -> None:
    weights = {key: value.to(dtype).requires_grad_() for key, value in LSTM["encoder_state_dict"].items()}
    imported = import_of({**LSTM, "encoder_state_dict": weights})
    assert {tensor.dtype for tensor in imported.tensors.values()} == {torch.float32}
    assert not any(tensor.requires_grad for tensor in imported.tensors.values())
    assert torch.equal(imported.tensors["encoder.rnn.bias_hh_l0"], weights[BIAS].detach().float())


def test_a_count_of_steps_that_is_none_is_not_taken(tmp_path: Path) -> None:
    path = saved(tmp_path / "cj.pt", {**files.cj(8, 8, 16), "Steps": True})
    assert main([str(path), str(tmp_path / "exp")]) == 0
    assert load(tmp_path / "exp" / "best.pt").step == 0
