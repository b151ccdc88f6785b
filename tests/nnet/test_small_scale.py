"""conf/benchmark/small.yaml: the changes of each row can be read, and make the network and its training smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.yaml_text import read_yaml
from nnet.config.experiment import load

ROOT = Path(__file__).resolve().parents[2]
ROWS: dict[str, list[str]] = read_yaml(ROOT / "conf" / "benchmark" / "small.yaml")
WANTED = (
    *(f"lde{row}" for row in range(1, 8)),
    *("xvector", "xvector_attentive", "ecapa", "gru_ge2e", "convgru_ge2e", "transformer_ge2e"),
    *("bilstm_triplet", "transformer_triplet", "resnet18_aam", "resnet18_lde_aam", "resnet34_aam", "resnet34_lde_aam"),
)


def test_the_table_has_every_row() -> None:
    assert set(WANTED) <= set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_trained_in_fewer_steps_of_no_more_frames(row: str) -> None:
    path = ROOT / "conf" / "nnet" / f"{row}.yaml"
    full, small = load(path), load(path, ROWS[row])
    frames = [config.data.batch_size * config.data.chunk_frames[1] for config in (full, small)]
    assert small.training.steps < full.training.steps and small.training.steps <= 1000
    assert frames[1] <= frames[0]
    assert small.training.steps % small.training.valid_every == 0  # the last validation is of the last step


@pytest.mark.parametrize("pair", [("resnet18_lde_aam", "resnet18_aam"), ("resnet34_lde_aam", "resnet34_aam")])
def test_twins_are_of_one_size(pair: tuple[str, str]) -> None:
    dictionary, statistics = ({change for change in ROWS[row] if "pooling" not in change} for row in pair)
    assert dictionary == statistics
