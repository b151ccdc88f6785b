"""An option of the recipe changes how embeddings are extracted, without training again."""

from __future__ import annotations

import pytest

from .conftest import Place, Recipe, scores, stages_run

pytestmark = pytest.mark.slow


def test_windows_reach_the_scores_without_training(recipe: Recipe, finished: Place) -> None:
    old, weights = scores(finished.exp), (finished.exp / "last.pt").read_bytes()
    windows = finished.options("--inference=mode=windows window=30 step=15 tail=shift")
    assert stages_run(recipe(*windows)) == [8, 9, 10, 11, 12]
    new = scores(finished.exp)
    assert {name.partition("_")[0] for name in old if old[name] != new[name]} == {"scores/test"}  # the baselines stay
    assert (finished.exp / "last.pt").read_bytes() == weights
    assert "windows of 30 frames each 15: " in (finished.exp / "embeddings_test/log/extract.1.log").read_text()
    assert stages_run(recipe(*windows)) == []
    assert stages_run(recipe(*finished.options())) == [8, 9, 10, 11, 12]
    assert scores(finished.exp) == old
