"""./pipeline.sh --help: every option with its sentence, range and default for the corpus, without any package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from common.options import sentence_of
from recipe.command_line import Given
from recipe.help import help_text
from recipe.options import OPTIONS, flag_of


def shown_help(checkout: Path, *words: str) -> str:
    return help_text([*words, "--help"], Given(checkout, checkout))


def test_every_option_has_a_sentence_that_the_help_shows(checkout: Path) -> None:
    text = " ".join(shown_help(checkout).split())
    for name, field in OPTIONS.items():
        assert f" {flag_of(name)} " in text
        assert len(sentence_of(field)) > 10 and " ".join(sentence_of(field).split()) in text


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ((), ("--min-utts 2", "--max-steps 2000", "--augment online", "--nnet-config conf/nnet/mini.yaml")),
        (("--corpus", "voxceleb"), ("--min-utts 8", "--max-steps -", "--lda-dim 200", "--num-augmented 1000000")),
        (("--corpus=folder",), ("--nnet-config conf/nnet/small.yaml", "--speed-perturb true")),
        (("--mini-size", "tiny"), ("--bootstrap 200", "--nnet-opts training.steps=60 training.valid_every=30")),
        (("--seed", "5", "--bogus"), ("--seed 1",)),
    ],
)
def test_defaults_are_those_of_the_chosen_corpus(
    checkout: Path, words: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    text = shown_help(checkout, *words).splitlines()
    assert [line for line in lines if f"  {line}" not in text] == []


def test_ranges_are_shown_and_lines_fit(checkout: Path) -> None:
    text = shown_help(checkout)
    assert "(a number >= 0 and <= 1)" in text and "(an integer >= 1)" in text and "(true or false)" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_help_needs_no_package(checkout: Path) -> None:
    command = [sys.executable, "-S", "-E", "utils/recipe.py", "start", "--help"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and "12 results" in done.stdout


def test_wrong_options_are_named_without_any_package_and_a_right_line_asks_for_the_packages(checkout: Path) -> None:
    for words, code in ((["--bogus=1"], 1), (["--seed=1"], 3)):
        command = ["bash", "-c", '"$@" 3> /dev/null', "bash", sys.executable, "-S", "-E", "utils/recipe.py", "start"]
        done = subprocess.run([*command, *words], cwd=checkout, capture_output=True, text=True, check=False)
        assert done.returncode == code and ("--bogus is unknown" in done.stderr) is (code == 1)


def test_an_old_python_is_named_in_one_line(checkout: Path) -> None:
    """The launcher's first lines are read by any Python 3; this one pretends to be old."""
    first = (checkout / "utils" / "recipe.py").read_text().split("sys.path[0]")[0]
    script = f"import sys\nsys.version_info = (3, 9, 1)\n{first}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "pipeline.sh: python3 is 3.9.1; expected 3.10 or newer on PATH\n")


@pytest.mark.parametrize("words", [(), ("--help",), ("stop",)])
def test_a_user_who_calls_the_launcher_is_sent_to_the_recipe(checkout: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, checkout / "utils" / "recipe.py", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "./pipeline.sh --help" in done.stderr
