"""Code, messages and documents are in plain technical English: words of the table in CONTRIBUTING.md are refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# Not between letters: `told` is found in test_it_is_told too, but not in "untold".
REFUSED = {
    "told": "reported, logged, given, printed",
    "tells": "reports, says, prints",
    "anew": "again",
    "whereof": "a second sentence",
    "thereof": "a second sentence",
    "of which": "a second sentence",
    "heard wherever": "works in any position",
    "where there (?:is|are)": "if there is",
    "what becomes of": "what happens to",
    "(?:is|are) no good": "is invalid",
    "(?:is|are) no numbers?": "is not a number",
    "expected is(?! None| not None)": "expected",
    "whole number of at least": "an integer >=",
    "stranger's": "untrusted",
    "behind (?:a|the|each|every|this|that) (?:stage|step|blank|usage|word|line|number|utterance|window)": "after",
}
PATTERN = re.compile("|".join(f"(?<![A-Za-z])(?:{words})(?![A-Za-z])" for words in REFUSED), re.IGNORECASE)
SUFFIXES = (".py", ".sh", ".md", ".yaml", ".conf", ".pl", ".toml")
# Tests that quote what not to write, and what other programs wrote.
LEFT_OUT = ("tests/test_language.py", "tests/test_house.py", "tests/golden/", "tests/golden-utils/")


def tracked_files(root: Path) -> list[Path]:
    """Every text file under version control that people read."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a checkout of git")
    names = [name for name in listed.stdout.split("\0") if name.endswith(SUFFIXES) and not name.startswith(LEFT_OUT)]
    return [root / name for name in names if (root / name).is_file()]


def readable(path: Path) -> str:
    """The text, with the words of names apart; of a document without code and tables, which may quote."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = text.replace("_", " ")
    if path.name == "CONTRIBUTING.md":
        text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "``", text) if path.suffix == ".md" else text


def refused_words(text: str) -> list[str]:
    """`line: word` of each refused word; also one that is broken over two lines."""
    return [f"{text.count(chr(10), 0, found.start()) + 1}: {found[0]}" for found in PATTERN.finditer(text)]


def test_no_file_has_a_refused_word(root: Path) -> None:
    found = {str(path.relative_to(root)): refused_words(readable(path)) for path in tracked_files(root)}
    wrong = [f"{name}:{word}" for name, words in found.items() for word in words]
    assert not wrong, f"{len(wrong)} words to replace (REFUSED says by what):\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The user is told.\nIt is reported.", ["1: told"]),
        ("def test_it_is_told() -> None:", ["1: told"]),
        ("untold foretells", []),
        ("x\nof which", ["2: of which"]),
        ("expected is a number", ["1: expected is"]),
        ("a stranger's file", ["1: stranger's"]),
        ("text behind a stage", ["1: behind a stage"]),
        ("the idea behind it", []),
    ],
)
def test_the_patterns_find_what_they_should(text: str, words: list[str]) -> None:
    assert refused_words(text) == words
