"""The LDE systems with an additive angular margin differ from their statistics twins in the pooling alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from common.yaml_text import read_yaml
from nnet.config.experiment import Config, load
from nnet.pooling import LdeOptions, StatisticsOptions

TWINS = {"resnet18_lde_aam": "resnet18_aam", "resnet34_lde_aam": "resnet34_aam"}
every_pair = pytest.mark.parametrize(("dictionary", "statistics"), TWINS.items())


def read(root: Path, name: str) -> Config:
    return load(root / "conf" / "nnet" / f"{name}.yaml")


@every_pair
def test_twins_differ_in_the_pooling_alone(root: Path, dictionary: str, statistics: str) -> None:
    ours, twin = read(root, dictionary), read(root, statistics)
    assert isinstance(ours.pooling, LdeOptions) and isinstance(twin.pooling, StatisticsOptions)
    assert replace(ours, pooling=twin.pooling) == twin


def test_both_pairs_have_the_same_pooling(root: Path) -> None:
    assert read(root, "resnet18_lde_aam").pooling == read(root, "resnet34_lde_aam").pooling


def test_what_was_measured_is_what_the_experiments_have(root: Path) -> None:
    file = read_yaml(root / "benchmarks" / "pooling_cases" / "twins.yaml")
    measured = load(root / file["config"], [*file["set"], *file["cases"]["lde"]])
    assert measured.pooling == read(root, "resnet18_lde_aam").pooling
    assert load(root / file["config"], file["set"]).pooling == read(root, "resnet18_aam").pooling
