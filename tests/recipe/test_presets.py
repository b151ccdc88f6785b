"""--preset: the options of a published run, between the command line and the corpus file."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from common.errors import InputError
from nnet.config.experiment import load
from recipe.command_line import Given, read_command_line
from recipe.corpus_conf import read_corpus_options
from recipe.help import help_text
from recipe.options import PipelineOptions

from .conftest import MakePlan

VOXCELEB = ("--corpus", "voxceleb", "--voxceleb1-root", "{root}", "--voxceleb2-root", "{root}")


@pytest.fixture
def voxceleb(tmp_path: Path) -> list[str]:
    """The command line of a run on VoxCeleb; its folders exist."""
    for name in ("wav/id10001/r", "dev/aac/id00012/r"):
        (tmp_path / name).mkdir(parents=True)
    return [word.format(root=tmp_path) for word in VOXCELEB]


def test_the_published_run_differs_from_the_corpus_file_as_its_file_says(
    plan_of: MakePlan, voxceleb: list[str]
) -> None:
    default, published = plan_of(*voxceleb), plan_of(*voxceleb, "--preset", "jl")
    assert (default.min_frames, default.options.min_utts, default.exp) == (400, 8, "exp/voxceleb-xvector")
    assert (published.min_frames, published.options.min_utts, published.exp) == (800, 0, "exp/voxceleb-lde2-jl")
    assert published.options.max_steps is None
    assert published.overrides == ("training.seed=1", "training.epochs=50", "training.valid_by=speakers")
    assert published.options.num_augmented == default.options.num_augmented == "1000000"


def test_the_command_line_wins_over_the_preset_and_that_over_the_corpus_file(
    plan_of: MakePlan, voxceleb: list[str]
) -> None:
    words = ("--preset", "jl", "--nnet-config", "conf/nnet/lde7.yaml", "--min-seconds", "2", "--min-utts", "3")
    plan = plan_of(*voxceleb, *words, "--nnet-opts", "training.epochs=2")
    assert (plan.min_frames, plan.options.min_utts, plan.nnet_config) == (200, 3, "conf/nnet/lde7.yaml")
    assert plan.exp == "exp/voxceleb-lde7-jl" and plan.overrides[-1] == "training.epochs=2"
    assert plan_of("--preset", "jl").options.max_steps is None  # mini.conf has 2000
    assert plan_of("--preset", "jl", "--max-steps", "300").overrides[-1] == "training.most_steps=300"


def test_steps_of_the_command_line_win_over_the_epochs_of_the_preset(plan_of: MakePlan) -> None:
    plan = plan_of("--preset", "jl", "--nnet-opts", "training.steps=600")  # as a benchmark of a small scale does
    training = load(plan.nnet_config, plan.overrides).training
    assert (training.epochs, training.steps, training.valid_by) == (None, 600, "speakers")
    plan = plan_of("--preset", "jl", "--nnet-opts", "training.steps=600", "--max-steps", "50")
    assert load(plan.nnet_config, plan.overrides).training.steps == 50


def test_what_a_file_replaces_is_not_reported_as_given_twice(
    plan_of: MakePlan, voxceleb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    plan_of(*voxceleb, "--preset", "jl")
    assert "twice" not in capsys.readouterr().err


def test_help_lists_the_presets_and_the_defaults_of_the_chosen_one(checkout: Path) -> None:
    text = help_text(["--corpus", "voxceleb", "--preset", "jl"], Given(checkout, checkout))
    assert "conf/pipeline/voxceleb.conf and conf/preset/jl.conf:" in text
    assert "--min-frames 800\n" in text and "training.epochs=50" in text and "--preset jl" in text
    assert "--min-frames -\n" in help_text(["--corpus", "voxceleb"], Given(checkout, checkout))


def test_another_preset_is_refused_with_the_choices(checkout: Path) -> None:
    with pytest.raises(InputError, match='--preset is "kaldi"; choose one of: jl, or - for the default'):
        read_command_line(["--preset", "kaldi"], Given(checkout, checkout))


def test_every_preset_has_a_file_and_every_file_is_a_preset(checkout: Path) -> None:
    kind = typing.get_type_hints(PipelineOptions)["preset"]
    names = typing.get_args(typing.get_args(kind)[0])
    assert sorted(names) == sorted(path.stem for path in (checkout / "conf" / "preset").iterdir())
    for name in names:
        given = Given(checkout, checkout)
        read_command_line(["--preset", name], given)
        read_corpus_options(given)
        assert (checkout / given.options().nnet_config).is_file()
