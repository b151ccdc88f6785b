"""The command lines of all programs: one parser, no abbreviations, and exit code 1 for bad usage."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from common.program import Parser

PROGRAMS = (
    "nnet.config.program", "nnet.extract", "nnet.import_checkpoint", "nnet.make_lists", "nnet.shorten", "nnet.train",
    "scoring.check_trials", "scoring.compute_min_dcf", "scoring.cosine", "scoring.enrollment", "scoring.make_trials",
    "scoring.metrics", "scoring.report", "scoring.trials", "local.make_folder", "local.check_roots",
)  # fmt: skip
# Runs before the packages are checked, and must not need the checkout to be on Python's path.
ALONE = "recipe/environment.py"


def test_a_parser_shows_its_name_and_the_lines_of_its_description(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="python3 -m some.program", description="One line.\n  Another.")
    parser.add_argument("--data-dir")
    expected = "usage: python3 -m some.program [-h] [--data-dir DATA_DIR]\n\nOne line.\n  Another.\n"
    assert parser.format_help().startswith(expected)
    assert parser.parse(["--data-dir", "-x"]).data_dir == "-x"
    with pytest.raises(SystemExit, match="1"):
        parser.parse(["--data", "x"])
    assert "unrecognized arguments: --data x" in capsys.readouterr().err


@pytest.mark.parametrize("name", PROGRAMS)
def test_bad_usage_of_any_program_ends_with_code_1_after_its_usage(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        importlib.import_module(name).main(["--no-such-option"])
    assert capsys.readouterr().err.startswith("usage: ")


def test_no_program_has_a_parser_of_its_own(root: Path) -> None:
    folders = ("benchmarks", "common", "local", "minikaldi", "nnet", "recipe", "scoring", "utils")
    paths = [path.relative_to(root) for folder in folders for path in (root / folder).rglob("*.py")]
    own = {str(path) for path in paths if "ArgumentParser(" in (root / path).read_text(encoding="utf-8")}
    assert own == {ALONE}
