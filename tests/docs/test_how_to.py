"""The pages of docs/how-to, followed to the letter in a copy of the checkout: what they say works.

A page marks what a reader does in comments that do not show, each before a fenced block:

    <!-- file: PATH -->            the block is this file
    <!-- before: PATH: TEXT -->    the block goes before the statement with the file's first line that contains TEXT
    <!-- replace: PATH: TEXT -->   the block replaces this line
    <!-- run -->                   the block is run by bash, with -e
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.conftest import environment

LEFT_OUT = shutil.ignore_patterns("__pycache__", "golden", "golden-utils", ".*_cache")
OF_THE_CHECKOUT = {".git", ".venv", "data", "exp"}  # at its root alone: nnet/data is a package
MARKED = re.compile(r"<!-- (file|before|replace|run)(?:: (.*?))? -->\n```\w*\n(.*?)```\n", re.DOTALL)


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of the checkout without its golden files; the environment is shared by a link."""
    copy = tmp_path / "checkout"
    shutil.copytree(
        root,
        copy,
        symlinks=True,
        ignore=lambda folder, names: LEFT_OUT(folder, names) | (OF_THE_CHECKOUT if Path(folder) == root else set()),
    )
    if (root / "data" / "mini-tiny").exists():  # of .ci/run: its stages are up to date here, and need not run again
        shutil.copytree(root / "data" / "mini-tiny", copy / "data" / "mini-tiny", symlinks=True)
    if (root / ".venv").exists():
        (copy / ".venv").symlink_to((root / ".venv").resolve())
    return copy


def follow(page: Path, checkout: Path) -> int:
    """Do what the page says.

    Returns:
        how many marked blocks there were.
    """
    blocks = MARKED.findall(page.read_text(encoding="utf-8"))
    for action, words, block in blocks:
        if action == "file":
            path = checkout / words
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
        elif action in ("before", "replace"):
            edit(checkout, words, block, replace=action == "replace")
        else:
            run(checkout, block)
    return len(blocks)


def edit(checkout: Path, words: str, block: str, replace: bool) -> None:
    """Put `block` before the first line with a text and the decorator or call that it is part of; or replace it."""
    name, _, text = words.partition(": ")
    lines = (checkout / name).read_text(encoding="utf-8").splitlines(keepends=True)
    place = next((number for number, line in enumerate(lines) if text in line), None)
    assert place is not None, f"{name} has no line with {text!r}"
    while not replace and place and (lines[place - 1].startswith("@") or lines[place - 1].endswith("(\n")):
        place -= 1
    lines[place : place + replace] = [block]
    (checkout / name).write_text("".join(lines), encoding="utf-8")


def run(checkout: Path, block: str) -> None:
    """Run commands as a reader would, in the checkout."""
    done = subprocess.run(
        ["bash", "-e", "-c", block], cwd=checkout, env=environment({}), capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pooling", "loss", "command", "step", "preparation"])
def test_the_page_can_be_followed_to_the_letter(name: str, root: Path, checkout: Path) -> None:
    assert follow(root / "docs" / "how-to" / f"{name}.md", checkout) >= 3
