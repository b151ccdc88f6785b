"""conf/benchmark/small.yaml: the changes of each row make its network and its training smaller, twins alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnet.config.experiment import load
from recipe.benchmark_rows import ChosenRow, all_rows

TABLE = "conf/benchmark/table.yaml"


@pytest.fixture
def rows(checkout: Path) -> dict[str, ChosenRow]:
    """Name -> the row at scale small."""
    return {row.name: row for row in all_rows(TABLE, "small")}


def test_every_row_has_a_small_size(rows: dict[str, ChosenRow]) -> None:
    assert [name for name, row in rows.items() if not row.changes] == []


def test_a_row_is_trained_in_fewer_steps_of_no_more_frames(rows: dict[str, ChosenRow]) -> None:
    networks = {name: row for name, row in rows.items() if row.row.network}
    assert len(networks) > 15
    for name, row in networks.items():
        full, small = load(row.row.config), load(row.row.config, row.changes)
        frames = [config.data.batch_size * config.data.chunk_frames[1] for config in (full, small)]
        assert small.training.steps < full.training.steps and small.training.steps <= 1500, name
        assert frames[1] <= frames[0], name
        assert small.training.steps % small.training.valid_every == 0, name  # the last validation is of the last step


@pytest.mark.parametrize("twins", [("resnet18_lde_aam", "resnet18_aam"), ("resnet34_lde_aam", "resnet34_aam")])
def test_twins_are_of_one_size(rows: dict[str, ChosenRow], twins: tuple[str, str]) -> None:
    dictionary, statistics = ({change for change in rows[name].changes if "pooling" not in change} for name in twins)
    assert dictionary == statistics
