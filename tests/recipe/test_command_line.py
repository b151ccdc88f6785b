"""recipe/command_line.py and corpus_conf.py: values that would fail late, or far from where they were given."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import nullcontext
from pathlib import Path

import pytest

from common.errors import InputError
from common.options import range_of
from common.program import positive_int
from nnet.data.hold_out import HoldOutOptions
from recipe.command_line import Given, as_given, read_command_line
from recipe.corpus_conf import read_corpus_conf, read_corpus_options
from recipe.options import OPTIONS


def read(checkout: Path, *words: str, called_from: Path | None = None) -> Given:
    given = Given(called_from or checkout, checkout)
    read_command_line(words, given)
    return given


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--"], "-- is unknown; choose from: --stage"),
        (["--=3"], "-- is unknown; choose from: --stage"),
        (["--nj", "08"], '--nj is "08"; expected an integer >= 1'),
        (["--nj", "0"], '--nj is "0"; expected an integer >= 1'),
        (["--bootstrap=0"], '--bootstrap is "0"; expected an integer >= 1'),
        (["--exp", "exp/my run"], '--exp is "exp/my run"; expected letters, digits'),
        (["--data", "data/$HOME"], '--data is "data/$HOME"; expected letters, digits'),
        (["--name=it's"], '--name is "it\'s"; expected letters, digits'),
        (["--seed=1\n"], "--seed is"),
        (["--min-seconds=inf"], '--min-seconds is "inf"; expected a number >= 0'),
        (["--valid-share=0.6"], '--valid-share is "0.6"; expected a number >= 0 and <= 0.5'),
        (["--lda-dim", "0"], '--lda-dim is "0"; expected an integer >= 1'),
        (["--device", "cuda:x"], '--device is "cuda:x"; expected auto, cpu, cuda or cuda:<n>'),
        (["--min_utts", "3"], "command line: --min_utts is unknown; use --min-utts"),
        (["--dry_run"], "command line: --dry_run is unknown; use --dry-run"),
        (["--no_such=3"], "command line: --no_such is unknown; choose from: --stage"),
        (["--max-loss=1.1"], '--max-loss is "1.1"; expected a number >= 0 and <= 1'),
    ],
)
def test_a_value_that_cannot_serve_is_refused_where_it_is_given(
    checkout: Path, arguments: list[str], says: str
) -> None:
    with pytest.raises(InputError) as refusal:
        read(checkout, *arguments)
    assert says in str(refusal.value)


def test_the_limits_are_those_of_the_programs_that_get_the_values(checkout: Path) -> None:
    """As stage 5 and stage 10 refuse them, hours later."""
    share = HoldOutOptions.__dataclass_fields__["valid_share"]
    assert range_of(OPTIONS["valid_share"]) == range_of(share)
    for text in ("0", "1", "200"):
        allowed = int(text) in range_of(OPTIONS["lda_dim"])
        with nullcontext() if allowed else pytest.raises(ArgumentTypeError):
            positive_int(text)


def test_ordinary_paths_are_accepted(checkout: Path) -> None:
    options = read(checkout, "--exp", "/data/a_b/exp-1.2+x@y", "--train-root", "/my corpus/train/").options()
    assert (options.exp, options.train_root) == ("/data/a_b/exp-1.2+x@y", ("/my corpus/train",))


def test_values_are_of_the_options_types_and_a_dash_is_no_value(checkout: Path) -> None:
    words = ("--seed=7", "--max-loss", ".5", "--force", "--dry-run", "false", "--nj", "-", "--name=x")
    options = read(checkout, *words, "--nnet-opts=a=1", "--nnet-opts", "b=2").options()
    assert (options.seed, options.max_loss, options.force, options.dry_run) == (7, 0.5, True, False)
    assert (options.nj, options.nnet_opts, options.name) == (None, ("a=1", "b=2"), "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "true"), (0.1, "0.1"), (1.0, "1"), (2, "2"), ("x y", "x y"), ((1, "b"), "1 b"), ((), "")],
)
def test_a_value_is_shown_as_it_is_given(value: object, text: str) -> None:
    assert as_given(value) == text


def test_a_flag_takes_the_word_after_it_only_if_that_is_true_or_false(checkout: Path) -> None:
    assert read(checkout, "--force", "--stage", "3").options().stage == 3
    assert read(checkout, "--force", "false").options().force is False
    with pytest.raises(InputError, match='found "perhaps", expected an option'):
        read(checkout, "--force", "perhaps")


def test_relative_paths_are_the_callers_and_configs_fall_back_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "vad.conf").write_text("")
    words = ("--exp=exp/a", "--musan-root", "musan", "--rirs-root", "/rirs", "--trials=-")
    configs = ("--vad-config=vad.conf", "--nnet-config=conf/nnet/mini.yaml")
    options = read(checkout, *words, *configs, called_from=tmp_path).options()
    assert (options.exp, options.musan_root) == (f"{tmp_path}/exp/a", f"{tmp_path}/musan")
    assert (options.rirs_root, options.trials) == ("/rirs", None)
    assert (options.vad_config, options.nnet_config) == (f"{tmp_path}/vad.conf", "conf/nnet/mini.yaml")


def test_a_source_that_is_given_twice_is_refused_and_the_last_of_another_option_counts(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="--musan-root is given twice, as a and b; keep one"):
        read(checkout, "--musan-root=a", "--musan-root=b")
    assert read(checkout, "--musan-root=a", "--musan-root=a", "--seed=1", "--seed=2").options().seed == 2
    assert "command line: --seed is given twice: 2 is taken, 1 is not\n" in capsys.readouterr().err


def test_the_corpus_file_fills_in_what_the_command_line_leaves_open(checkout: Path, tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text("seed = 7   # a comment\n\n# nothing\nmin-utts=4\nnnet_opts=training.steps=3\nlda_dim=9\n")
    given = read(checkout, "--lda-dim", "5", "--nnet-opts", "training.steps=4")
    read_corpus_conf(str(conf), given)
    options = given.options()
    assert (options.seed, options.min_utts, options.lda_dim) == (7, 4, 5)
    assert options.nnet_opts == ("training.steps=4",)
    [change] = given.corpus_changes
    assert (change.text, change.given) == ("training.steps=3", f"{conf}:5: nnet_opts=training.steps=3")


@pytest.mark.parametrize(
    ("line", "says"),
    [("colour=red", "--colour is unknown"), ("seed", 'found "seed", expected key=value'), ("Seed=1", 'found "Seed=1"')],
)
def test_a_wrong_line_of_the_corpus_file_is_named(checkout: Path, tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "a.conf").write_text(f"\n{line}\n")
    with pytest.raises(InputError) as refusal:
        read_corpus_conf(f"{tmp_path}/a.conf", read(checkout))
    assert f"{tmp_path}/a.conf:2: {says}" in str(refusal.value)


@pytest.mark.parametrize("corpus", ["folder", "mini", "voxceleb"])
def test_every_corpus_has_a_file_that_names_an_experiment(checkout: Path, corpus: str) -> None:
    given = read(checkout, "--corpus", corpus)
    read_corpus_options(given)
    assert (checkout / given.options().nnet_config).is_file()
