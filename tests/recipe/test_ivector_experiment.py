"""Runs with i-vectors: their YAML, the stages that they have, and what contradicts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from common.errors import InputError
from minikaldi.io import write_object
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from recipe.ivector import ExtractorOptions, load_ivector, step_options
from recipe.ivector_record import main
from recipe.stages import planned_stages

from .conftest import MakePlan

CONFIG = "conf/ivector/ivector.yaml"


def test_the_published_sizes(checkout: Path) -> None:
    experiment = load_ivector(CONFIG)
    assert (experiment.diag_ubm.num_gauss, experiment.extractor.ivector_dim) == (2048, 400)
    assert experiment.extractor.num_utts == 100000 and not experiment.full_ubm.remove_low_count_gaussians


def test_the_options_of_a_step_are_the_sections(checkout: Path) -> None:
    words = step_options(ExtractorOptions(num_utts=None, use_weights=True), without=("num_iters",))
    assert words == (
        *("--ivector-dim", "400", "--num-gselect", "20", "--min-post", "0.025", "--posterior-scale", "1"),
        *("--use-weights", "true"),
    )


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        ("- 1\n", None, "expected sections, features, diag_ubm, full_ubm, extractor"),
        ("ubm: {}\n", None, "section ubm is unknown; choose one of"),
        ("diag_ubm: 256\n", None, "diag_ubm is 256; expected a mapping"),
        ("diag_ubm: {num_gaus: 2}\n", None, "diag_ubm.num_gaus is unknown; .*did you mean"),
        ("extractor: {min_post: 1}\n", None, "extractor.min_post is 1"),
        ("{}\n", "extractor.ivector_dim=0", "with --ivector-opts extractor.ivector_dim=0: extractor.ivector_dim is 0"),
        ("{}\n", "extractor=1", "--ivector-opts extractor=1: expected section.key=value"),
        ("{}\n", "ubm.num_gauss=1", "--ivector-opts ubm.num_gauss=1: expected section.key=value"),
        ("{}\n", "extractor.num_utts", "expected section.key=value"),
        ("{}\n", "extractor.num_utts=[", "--ivector-opts extractor.num_utts="),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(tmp_path: Path, text: str, change: str | None, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_ivector(str(path), [] if change is None else [change])


def test_the_last_change_wins_and_the_whole_experiment_is_written(checkout: Path, tmp_path: Path) -> None:
    extractor = IvectorExtractor(np.ones((3, 2, 4)), np.ones((3, 3)), np.ones(3), np.zeros((0, 0)), 0.5)
    write_object(str(tmp_path / "final.ie"), EXTRACTOR, extractor)
    changes = ["extractor.ivector_dim=100", "extractor.ivector_dim=50"]
    main(["--exp", str(tmp_path), CONFIG, *changes])
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written["extractor"]["ivector_dim"] == 50 and written["diag_ubm"]["num_gauss"] == 2048
    assert load_ivector(str(tmp_path / "config.yaml")) == load_ivector(CONFIG, changes[1:])
    trained = yaml.safe_load((tmp_path / "trained.yaml").read_text())
    assert (trained["parameters"], trained["overrides"]) == (3 * 2 * 4 + 3 * 3 + 3 + 1, changes)


def test_the_stages_and_names_of_a_run(plan_of: MakePlan) -> None:
    plan = plan_of("--ivector-config", CONFIG, "--normalised", "true", "--baselines", "false")
    keys = [each.stage.key for each in planned_stages(plan)]
    assert keys == ["0", "1", "1-features", "6-ivectors", "8", "8-normalised", "9", "10", "11", "12"]
    assert (plan.exp, plan.feats, plan.has_network) == ("exp/mini-ivector", "data/mini/mfcc_ivector", False)
    assert plan.systems == ("exp/mini-ivector", "exp/mini-ivector/normalised")
    assert plan.diag_ubm[-1] == "2048" and "--delta-order" in plan.diag_ubm and "--num-utts" in plan.extractor
    stages = {each.stage.key: each for each in planned_stages(plan)}
    assert stages["8"].outputs == tuple(
        f"exp/mini-ivector/embeddings_{name}/embedding.scp" for name in ("train", "test")
    )
    assert "exp/mini-ivector/final.ie" in stages["8"].inputs
    assert stages["8-normalised"].marker == Path("exp/mini-ivector/.stages/8_normalised.json")


def test_a_change_makes_the_training_run_again(plan_of: MakePlan) -> None:
    plan = plan_of("--ivector-config", CONFIG, "--ivector-opts", "extractor.ivector_dim=50")
    [stage] = [each for each in planned_stages(plan) if each.stage.key == "6-ivectors"]
    assert stage.options == {"overrides": "extractor.ivector_dim=50"}


@pytest.mark.parametrize("words", [["--nnet-opts", "a.b=1"], ["--max-steps", "5"], ["--augment", "online"]])
def test_options_of_networks_contradict_i_vectors(plan_of: MakePlan, words: list[str]) -> None:
    with pytest.raises(InputError, match=f"{words[0]} is for networks, --ivector-config for i-vectors"):
        plan_of("--ivector-config", CONFIG, *words)
    with pytest.raises(InputError, match="--ivector-opts changes --ivector-config, which is not given"):
        plan_of("--ivector-opts", "extractor.ivector_dim=50")
