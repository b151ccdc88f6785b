"""Plans of command lines, made in the checkout as ./pipeline.sh makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recipe.command_line import Given, read_command_line
from recipe.corpus_conf import read_corpus_options
from recipe.plan import RunPlan
from recipe.planning import make_plan

MakePlan = Callable[..., RunPlan]


@pytest.fixture
def checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout, as the working directory."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("PIPELINE_CALLED_FROM", raising=False)
    return root


@pytest.fixture
def plan_of(checkout: Path) -> MakePlan:
    """plan_of("--stage", 3): the plan of ./pipeline.sh --stage 3."""

    def make(*words: object, called_from: Path = checkout) -> RunPlan:
        given = Given(called_from, checkout)
        texts = [str(word) for word in words]
        read_command_line(texts, given)
        read_corpus_options(given)
        return make_plan(texts, given)

    return make


@pytest.fixture
def folder_corpus(tmp_path: Path) -> list[str]:
    """The options of a folder corpus of two test sets, whose folders exist."""
    for name in ("train", "test", "calls"):
        (tmp_path / "my corpus" / name / "speaker").mkdir(parents=True)
    roots = {"--train-root": ["train"], "--test-root": ["test", "calls"]}
    words = [(flag, f"{tmp_path}/my corpus/{name}") for flag, names in roots.items() for name in names]
    return ["--corpus", "folder", *(word for pair in words for word in pair)]
