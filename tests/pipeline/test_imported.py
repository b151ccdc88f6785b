"""An imported network is scored by the recipe: what training needs is passed over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Place, Recipe, stages_run


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """An experiment as python3 -m nnet.import_checkpoint makes it, of random weights."""
    torch = pytest.importorskip("torch")
    from nnet.import_checkpoint import main

    lstm = torch.nn.LSTM(40, 4, 1, batch_first=True)
    weights = {f"lstm.{name}": value.detach() for name, value in lstm.named_parameters()}
    torch.save({"encoder_state_dict": weights}, tmp_path / "published.pt")
    main([str(tmp_path / "published.pt"), str(tmp_path / "exp")])
    return tmp_path / "exp"


def test_an_imported_network_has_features_of_its_own_and_nothing_to_train(recipe: Recipe, exp: Path) -> None:
    plan = recipe("--exp", exp, "--data", exp.parent / "data", "--dry-run").stdout
    assert re.findall(r"^stage (\d+):", plan, re.MULTILINE) == ["0", "1", "1", "7", "8", "9", "10", "11", "12"]
    assert "audio -> librosa_mfcc" in plan
    assert f"{exp.parent}/data/librosa_mfcc-novad-nocmvn/test_no_sil" in plan
    assert "train_speed" not in plan


def test_how_training_is_augmented_is_of_no_account(recipe: Recipe, exp: Path) -> None:
    options = ["--exp", exp, "--data", exp.parent / "data", "--dry-run"]
    plans = [recipe(*options, *more).stdout for more in ((), ("--augment", "online", "--speed-perturb", "true"))]
    own, other = ([line for line in plan.splitlines() if "steps/report.sh" not in line] for plan in plans)
    assert own == other  # but for the command line, which the report holds


def test_options_of_training_that_the_corpus_has_are_of_no_account(recipe: Recipe, exp: Path) -> None:
    plan = recipe("--exp", exp, "--data", exp.parent / "data", "--mini-size", "tiny", "--dry-run").stdout
    assert "stage 8:" in plan and "stage 6:" not in plan


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--nnet-config", "conf/nnet/mini.yaml"], "holds an imported network with its own config"),
        (["--nnet-opts", "pooling.name=last"], "--nnet-opts changes nothing of the imported network"),
    ],
)
def test_an_imported_network_is_not_given_another_config(
    recipe: Recipe, exp: Path, options: list[str], says: str
) -> None:
    assert says in recipe("--exp", exp, *options, "--dry-run", code=1).stderr


@pytest.mark.slow
def test_an_imported_network_is_scored_with_one_command(recipe: Recipe, finished: Place, exp: Path) -> None:
    options = [option for option in map(str, finished.options()) if not option.startswith(("--exp", "--nnet-"))]
    assert stages_run(recipe(*options, "--exp", exp)) == [1, 7, 8, 9, 10, 11, 12]
    assert "| exp | cosine |" in (exp / "RESULTS.md").read_text()
    assert not (exp / "last.pt").exists()
