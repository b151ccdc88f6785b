"""README, CONTRIBUTING, CHANGELOG and docs: short lines, links and file names that exist, generated parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recipe.reference.pages import GENERATED_PARTS, outdated_parts, write_parts

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# A word that names a file or folder of the checkout: it begins with one of its folders, or is a file at its root.
PROJECT_PATH = re.compile(
    r"(?:common|minikaldi|nnet|scoring|local|recipe|steps|utils|conf|docs|tests|benchmarks|\.ci)/[\w./*<>{}-]+"
    r"|(?:pipeline|path|cmd)\.sh|[A-Z]+\.md|requirements\.txt"
)
# Written in code style, but not files of this checkout.
NOT_OURS = {
    "RESULTS.md": "written by a run",
    "steps/data/reverberate_data_dir.py": "Kaldi's; ours has the same name",
    "tests/golden/cases/<name>/": "a pattern",
    "tests/<package>/helpers/": "a pattern",
    "conf/pipeline/<corpus>.conf": "a pattern",
    "nnet/<part>/__init__.py": "a pattern",
    "minikaldi/bin/<name>": "a pattern",
    "nnet/inputs/": "a former name, in CHANGELOG.md",
    "nnet/imports/": "a former name, in CHANGELOG.md",
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the titles: lower case, letters, digits, `_` and `-` kept, blanks as `-`."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


@each_page
def test_lines_are_short(page: Path) -> None:
    """At most 120 characters; a row of a table cannot be broken."""
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [number for number, line in enumerate(lines, 1) if len(line) > 120 and not line.startswith("|")]
    assert not long


@each_page
def test_links_lead_to_a_page_and_a_title(page: Path) -> None:
    wrong = []
    for target in LINK.findall(prose(page)):
        if target.startswith("https://"):
            continue
        name, _, title = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (title and title not in anchors(linked)):
            wrong.append(target)
    assert not wrong


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    made = set(re.findall(r"<!-- file: (\S+) -->", page.read_text(encoding="utf-8")))  # by the reader of a how-to
    made |= set(re.findall(r"ln -s \S+ (\S+)", page.read_text(encoding="utf-8")))
    words = {word for code in CODE.findall(prose(page)) for word in code.split()}
    wrong = [
        word
        for word in sorted(words)
        if PROJECT_PATH.fullmatch(word) and word not in NOT_OURS and word not in made and not exists(word)
    ]
    assert not wrong


def exists(word: str) -> bool:
    """A file or folder of the checkout, or a pattern that matches one."""
    return any(ROOT.glob(word.rstrip("/"))) if "*" in word else (ROOT / word).exists()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 9000


def test_changelog_entries_are_single_lines() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith(" ")]


def test_generated_parts_are_up_to_date() -> None:
    outdated = [f"{part.page}: {part.section}" for part in outdated_parts()]
    assert not outdated, "run python3 -m recipe.reference --write"


def test_every_generated_part_is_written_below_its_page(tmp_path: Path) -> None:
    for part in GENERATED_PARTS:
        page = tmp_path / part.page
        before = page.read_text() if page.exists() else ""
        page.write_text(f"{before}<!-- begin: {part.section} -->\n<!-- end: {part.section} -->\n")
    assert outdated_parts(tmp_path) == list(GENERATED_PARTS)
    write_parts(GENERATED_PARTS, tmp_path)
    assert outdated_parts(tmp_path) == []
