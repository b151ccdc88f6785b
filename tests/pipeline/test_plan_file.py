"""A run's plan is written beside its results, the stages' declared outputs exist, and an up-to-date run is quick."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recipe.plan import from_text
from recipe.stages import planned_stages

from .conftest import Place, Recipe

pytestmark = pytest.mark.slow


def test_the_plan_is_in_the_experiment_and_every_declared_output_exists(
    finished: Place, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (finished.exp / "plan.yaml").read_text()
    plan = from_text(text)
    assert yaml.safe_load(text)["exp"] == plan.exp == str(finished.exp)
    assert set(plan.overrides) >= {"training.seed=1", "training.steps=40"}
    monkeypatch.chdir(checkout)
    planned = planned_stages(plan)
    assert len(planned) == 14
    for each in planned:
        assert each.marker.is_file()
        assert [path for path in each.outputs if not Path(path).exists()] == []


def test_an_up_to_date_run_starts_python_as_often_as_it_starts_and_not_for_each_stage(
    recipe: Recipe, finished: Place, own_checkout: Path, root: Path, tmp_path: Path
) -> None:
    """One to see its version, one for the guard, one for the plan and all markers."""
    environment = own_checkout / ".venv"
    environment.unlink()
    (environment / "bin").mkdir(parents=True)
    (environment / ".ready").touch()
    counted = environment / "bin" / "python3"
    counted.write_text(f'#!/bin/bash\necho "$*" >> {tmp_path}/starts\nexec {root}/.venv/bin/python3 "$@"\n')
    counted.chmod(0o755)
    done = recipe(*finished.options(), where=own_checkout)
    assert done.stderr.count(": up to date") == 14
    starts = (tmp_path / "starts").read_text().splitlines()
    assert len(starts) == 3, starts
