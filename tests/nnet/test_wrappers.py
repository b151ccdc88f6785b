"""Weights saved under DataParallel, DistributedDataParallel and torch.compile: known by their names, and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import tests.nnet.helpers.published_files as files
from nnet.config.experiment import load as load_config
from nnet.config.experiment import to_mapping
from nnet.import_checkpoint import main
from nnet.inference.loading import load_model
from nnet.model import build
from nnet.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nnet.training.fine_tuning import take_start
from nnet.training.wrappers import unwrapped

PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_that_all_names_share_are_taken_off(prefix: str) -> None:
    names, taken_off = unwrapped([f"{prefix}a.weight", f"{prefix}b"])
    assert list(names.values()) == ["a.weight", "b"]
    for kind, wrapper in (("module.", "DataParallel or"), ("_orig_mod.", "torch.compile")):
        assert (f"{kind} ({wrapper}" in taken_off) is (kind in prefix)


@pytest.mark.slow
def test_real_wrappers_give_names_that_are_brought_back() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    compiled = torch.compile(torch.nn.DataParallel(torch.compile(net)))
    assert isinstance(compiled, torch.nn.Module)
    assert list(unwrapped(compiled.state_dict())[0].values()) == list(net.state_dict())
    net[1] = torch.compile(net[1])  # type: ignore[assignment]
    assert [*unwrapped(net.state_dict())[0].values()][:3] == ["0.weight", "0.bias", "1.weight"]


@pytest.mark.parametrize(
    "names", [[], ["module.a", "b"], ["encoder.module.a"], ["x._orig_mod.a", "x.a"], ["modules.a"]]
)
def test_other_names_stay_as_they_are(names: list[str]) -> None:
    assert unwrapped(names) == ({name: name for name in names}, "")


def wrapped(content: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A published file's content, as it were if its networks had been saved under the wrapper."""

    def renamed(held: Any) -> Any:
        holds_tensors = isinstance(held, dict) and any(isinstance(value, torch.Tensor) for value in held.values())
        return {prefix + name: value for name, value in held.items()} if holds_tensors else held

    top = renamed(content)
    return top if top is not content else {key: renamed(value) for key, value in content.items()}


CONTENTS = {
    "wq": lambda: files.wq_lstm(width=8),
    "rf": lambda: files.rf_gru(width=6),
    "convgru": lambda: files.rf_convgru(True, channels=8, width=6),
    "sc": files.sc,
    "jl": lambda: files.jl_resnet(width=4),
}


@pytest.mark.parametrize("prefix", PREFIXES[:4])
@pytest.mark.parametrize("system", CONTENTS)
def test_a_wrapped_file_is_imported_as_the_same_without_and_says_so(
    system: str, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make: Callable[[], dict[str, Any]] = CONTENTS[system]
    caplog.set_level("INFO")
    torch.save(make(), tmp_path / "plain.pt")
    torch.save(wrapped(make(), prefix), tmp_path / "wrapped.pt")
    main([str(tmp_path / "plain.pt"), str(tmp_path / "plain")])
    assert "taken off" not in caplog.text
    main([str(tmp_path / "wrapped.pt"), str(tmp_path / "wrapped")])
    plain, other = (load_checkpoint(tmp_path / name / "best.pt") for name in ("plain", "wrapped"))
    assert plain.config == other.config and list(plain.model) == list(other.model)
    assert all(torch.equal(tensor, other.model[name]) for name, tensor in plain.model.items())
    notes = " ".join(yaml.safe_load((tmp_path / "wrapped" / "imported.yaml").read_text())["notes"])
    for kind in ("module. (DataParallel or", "_orig_mod. (torch.compile)"):
        assert (kind in notes) is (kind in caplog.text) is (kind.split(" ")[0] in prefix)


def test_a_checkpoint_of_ours_under_a_wrapper_is_read_by_extraction_and_fine_tuning(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(tiny_corpus.config, [f"training.start_from={tmp_path}/start.pt"])
    net = build(config, 2)
    model = {f"module._orig_mod.{name}": tensor for name, tensor in net.state_dict().items()}
    mapping = to_mapping(load_config(tiny_corpus.config))
    save_checkpoint(tmp_path / "start.pt", Checkpoint(5, model, {}, {}, mapping, ["a", "b"], "", "conf", "float32"))
    read = load_model(tmp_path / "start.pt", torch.device("cpu")).net
    other = build(config, 2)
    take_start(other, config, ["a", "b"], "conf")
    for state in (read.state_dict(), other.state_dict()):
        assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert "start.pt: names of its" in caplog.text and "module. (DataParallel" in caplog.text
