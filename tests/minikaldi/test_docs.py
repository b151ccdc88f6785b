"""docs/reference/minikaldi.md says what the code says: its tables are generated, its examples run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.doc_sections import replace_section, section
from common.errors import InputError
from minikaldi import command_table
from minikaldi.commands import MODULES


@pytest.fixture
def doc(root: Path) -> Path:
    return root / "docs" / "reference" / "minikaldi.md"


@pytest.mark.parametrize("name", ["commands", "agreement"])
def test_tables_are_those_that_the_program_writes(doc: Path, name: str) -> None:
    again = "python3 -m minikaldi.command_table --update docs/reference/minikaldi.md"
    assert section(doc, name) == command_table.sections()[name], f"run {again}"


def test_every_command_has_a_line_with_kaldis_own_source_file(doc: Path, root: Path) -> None:
    lines = [line.split(" | ") for line in section(doc, "commands").splitlines()[2:]]
    assert [line[0].strip("| `") for line in lines] == sorted(MODULES)
    for name, source in ((line[0].strip("| `"), line[1]) for line in lines):
        assert (source == "none") == (name == "to_wav.py")
        if source != "none":  # the code names the same file, in the docstring of its module or of main
            module = root / f"{MODULES[name].replace('.', '/')}.py"
            assert re.search(rf"\b{re.escape(source)}\b", module.read_text()), module


def test_every_golden_case_passed_and_was_counted(doc: Path, root: Path) -> None:
    figures = command_table.read_agreement()
    cases = [path.name for path in (root / "tests" / "golden" / "cases").iterdir()]
    called: dict[str, int] = {}
    for name in cases:
        words = re.findall(r"[\w.-]+", (root / "tests" / "golden" / "cases" / name / "cmd").read_text())
        for command in set(words) & set(MODULES):
            called[command] = called.get(command, 0) + 1
    again = "run python3 tests/minikaldi/helpers/agreement.py --json docs/reference/minikaldi-agreement.json"
    assert {name: found.synthetic for name, found in figures.items()} == called, again
    assert {name: found.passed for name, found in figures.items()} == {
        name: found.cases for name, found in figures.items()
    }


def test_differences_are_one_paragraph_of_the_modules_docstring() -> None:
    assert "as Kaldi does" not in command_table.difference_of("copy-feats")
    for name in MODULES:
        text = command_table.difference_of(name)
        assert "\n" not in text and (not text or text.endswith(".")), f"{name}: {text!r}"


def test_an_unknown_share_is_never_rounded_up_to_all() -> None:
    found = command_table.Agreement(1, 1, 2, 2, 0, 1_000_000, 999_999, 0.5, 0.25)
    assert (found.shown_share(), found.shown_difference()) == ("99.999 %", "5.0e-01 (2.5e-01)")
    equal = command_table.Agreement(1, 0, 1, 3, 3, 10, 10, 0.0, 0.0)
    assert (equal.shown_share(), equal.shown_difference()) == ("all", "equal bytes")


def test_speed_section_names_machine_command_and_every_goal(root: Path) -> None:
    text = section(root / "docs" / "benchmarks.md", "speed")
    origin = r"Machine: .+ cores, .+ GB.+Python [\d.]+, numpy [\d.]+.+`python3 benchmarks/minikaldi\.py"
    assert re.search(origin, " ".join(text.split()))
    for what in (
        "compute-mfcc-feats",
        "compute-fbank-feats",
        "LDA",
        "PLDA, 10 iterations",
        "1,000,000 trials",
        "--help",
    ):
        assert any(what in line and ("≥" in line or "≤" in line) for line in text.splitlines()), what
    assert "utterances: | 1,000 s | 10,000 s | 100,000 s" in text and "1,000,000 s" in text


def test_examples_run(doc: Path, root: Path, tmp_path: Path, command_env: dict[str, str]) -> None:
    """Each line of the block under the marker, in a copy of the golden inputs."""
    text = doc.read_text()
    block = re.search(r"<!-- examples: run by tests/minikaldi/test_docs\.py .*-->\n```bash\n(.*?)```", text, re.DOTALL)
    assert block and len(block[1].splitlines()) >= 6
    shutil.copytree(root / "tests" / "golden" / "inputs", tmp_path / "inputs")
    (tmp_path / "out").mkdir()
    env = {**command_env, "OUT": str(tmp_path / "out")}
    for line in block[1].splitlines():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line.replace("| head -n 3", "| sed -n 1,3p")],
            cwd=tmp_path / "inputs", env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("mfcc.ark.gz", "mfcc.ark", "mfcc.scp", "spk.ark", "scores", "copy.ark"),
    }


def test_only_the_text_between_the_markers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n<!-- begin: y -->\n<!-- end: y -->\n")
    replace_section(path, "x", "new\n")
    replace_section(path, "x", "newer")
    assert path.read_text() == (
        "a\n<!-- begin: x -->\n\nnewer\n\n<!-- end: x -->\nb\n<!-- begin: y -->\n<!-- end: y -->\n"
    )
    assert (section(path, "x"), section(path, "y")) == ("newer", "")


@pytest.mark.parametrize("text", ["", "<!-- begin: x -->", "<!-- end: x --><!-- begin: x -->", 2 * "<!-- begin: x -->"])
def test_missing_or_doubled_markers_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.md: expected one line <!-- begin: x --> and below it one line"):
        replace_section(path, "x", "new")
    assert path.read_text() == text


@pytest.mark.slow
def test_agreement_program_passes_every_case_and_finds_what_is_stored(root: Path, tmp_path: Path) -> None:
    found = tmp_path / "agreement.json"
    program = [sys.executable, root / "tests" / "minikaldi" / "helpers" / "agreement.py", "--json", found]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures, stored = json.loads(found.read_text()), command_table.read_agreement()
    assert figures.keys() == stored.keys()
    for name, now in figures.items():
        # What is counted is of the cases; the differences are of the machine's arithmetic, to a last digit or two.
        assert now["synthetic"] == stored[name].synthetic and now["passed"] == now["synthetic"] + now["speech"]
        if now["speech"]:
            assert (now["files"], now["values"]) == (stored[name].files, stored[name].values)
            assert now["largest_relative"] <= 10 * stored[name].largest_relative + 1e-6
