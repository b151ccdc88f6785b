"""Lists of named, weighted options inside an option set: the sum of losses, read strictly and written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from common.options import ConfigError, plain
from nnet.config import program as nnet_config
from nnet.config.experiment import from_mapping, get, load, to_mapping, to_yaml
from nnet.losses import AamOptions, AngularPrototypicalOptions, Ge2eOptions, SumOptions, WeightedLoss
from tests.nnet.helpers.tiny_corpus import CONFIG

TWO = "loss={name: sum, losses: [{name: aam, margin: 0.3}, {name: ge2e, weight: 0.1}]}"
GROUPS = "data.balance=groups"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(CONFIG)
    return file


def error_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_a_sum_holds_the_options_of_each_name_and_its_weight(path: Path) -> None:
    loss = load(path, [TWO, GROUPS]).loss
    assert loss == SumOptions((WeightedLoss(AamOptions(margin=0.3), 1.0), WeightedLoss(Ge2eOptions(), 0.1)))
    assert loss.balance == "groups"


def test_a_sum_reads_back_as_it_was_saved(path: Path, tmp_path: Path) -> None:
    config = load(path, [TWO.replace("margin: 0.3", "margin_steps: [5, 9]"), GROUPS])
    saved = tmp_path / "saved.yaml"
    saved.write_text(to_yaml(config))
    assert load(saved) == config
    assert from_mapping(to_mapping(config), "checkpoint") == config
    assert get(config, "loss.losses")[0]["margin_steps"] == [5, 9]
    assert get(config, "loss.losses")[1] == {"name": "ge2e", "weight": 0.1, **plain(Ge2eOptions())}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (
            "{name: sum}",
            "loss.losses is missing; expected a list, each {name, weight, options} with a name of aam, am,",
        ),
        ("{name: sum, losses: []}", "loss.losses is []; expected one loss or more"),
        ("{name: sum, losses: {name: aam}}", "loss.losses is {'name': 'aam'}; expected a list, each"),
        ("{name: sum, losses: [aam]}", 'loss.losses[0] has no "name"; choose one of: aam'),
        ("{name: sum, losses: [{weight: 2}]}", 'loss.losses[0] has no "name"'),
        ("{name: sum, losses: [{name: aam}, {name: geee}]}", 'loss.losses[1] "geee" is unknown; choose one of: aam'),
        ("{name: sum, losses: [{name: sum, losses: []}]}", 'loss.losses[0] "sum" is unknown'),
        ("{name: sum, losses: [{name: aam, margn: 1}]}", "loss.losses[0].margn is unknown; choose one of: margin"),
        ("{name: sum, losses: [{name: aam, margin: 2}]}", "loss.losses[0].margin is 2.0; expected >= 0 and < 1.5"),
        ("{name: sum, losses: [{name: aam, weight: 0}]}", "loss.losses[0].weight is 0.0; expected a positive number"),
        ("{name: sum, losses: [{name: aam, weight: x}]}", 'loss.losses[0].weight is "x"; expected a number'),
        (
            "{name: sum, losses: [{name: triplet}, {name: ge2e}]}",
            "loss.losses need batches of groups and of triplets at once; choose one kind",
        ),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(path: Path, loss: str, expected: str) -> None:
    message = error_of(path, f"loss={loss}", GROUPS)
    assert message.startswith("--set loss=")
    assert expected in message


@pytest.mark.parametrize(
    ("loss", "balance", "needed"),
    [
        ("{name: ge2e}", "speakers", "groups"),
        ("{name: angular_prototypical}", "speakers", "groups"),
        ("{name: triplet}", "groups", "triplets"),
        ("{name: triplet, mining: semi_hard}", "speakers", "groups"),
        ("{name: sum, losses: [{name: softmax}, {name: ge2e}]}", "none", "groups"),
    ],
)
def test_a_metric_loss_on_other_batches_is_refused_when_the_config_is_read(
    path: Path, loss: str, balance: str, needed: str
) -> None:
    message = error_of(path, f"loss={loss}", f"data.balance={balance}")
    expected = f'data.balance is "{balance}"; the loss compares utterances with one another and needs "{needed}"'
    assert message.endswith(expected)


def test_classification_takes_any_batch(path: Path) -> None:
    for balance in ("none", "speakers", "jl", "groups"):
        assert load(path, ["loss={name: softmax}", f"data.balance={balance}"]).loss.balance == "any"


def test_the_list_of_choices_shows_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    nnet_config.main(["--list"])
    out = capsys.readouterr().out
    assert "loss: {name: sum}\n    losses: a list, each {name, weight, options} with a name of aam, am," in out


def test_a_weight_is_checked_however_it_is_made() -> None:
    with pytest.raises(InputError, match="weight is -1; expected a positive number"):
        WeightedLoss(AngularPrototypicalOptions(), -1)
