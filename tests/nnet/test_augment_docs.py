"""docs/augmentation.md names every step, and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from nnet.augment import AUDIO_STEPS, FEATURE_STEPS


def test_every_step_has_its_line(root: Path) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (root / "docs/augmentation.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == {*AUDIO_STEPS, *FEATURE_STEPS, "speed"}


def test_the_tests_of_bad_input_are_there(root: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", (root / "docs/augmentation.md").read_text()))
    text = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    assert len(named) > 20 and not {name for name in named if f"def {name}(" not in text}
