"""No option of a feature, wave or copying command is without a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
COMMANDS = [
    *("add-deltas", "apply-cmvn", "apply-cmvn-sliding", "compute-cmvn-stats", "compute-fbank-feats"),
    *("compute-mfcc-feats", "compute-vad", "copy-feats", "copy-int-vector", "copy-matrix", "copy-vector"),
    *("extract-segments", "feat-to-dim", "feat-to-len", "select-voiced-frames", "subsample-feats", "wav-copy"),
    *("wav-reverberate", "wav-to-duration"),
]


def named_options(text: str) -> set[str]:
    """The name after two dashes, in one spelling."""
    return {name.replace("_", "-") for name in re.findall(r"--([a-zA-Z][\w-]*)", text)}


def options_of_golden_cases(command: str) -> set[str]:
    """Options that some case gives to this command."""
    calls = re.compile(rf"(?<![\w-]){command}(?![\w-])[^|;&]*")
    texts = [path.read_text() for path in (HERE.parent / "golden" / "cases").glob("*/cmd")]
    return set().union(*(named_options(call) for text in texts for call in calls.findall(text)))


def options_of_tests(command: str) -> set[str]:
    """Options that are named in some test file that runs this command."""
    texts = [path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__)]
    return set().union(*(named_options(text) for text in texts if f'"{command}"' in text))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_of_kaldis_is_named_in_a_golden_case_or_a_test(command: str, shared: Path) -> None:
    rows = (shared / "reference" / "kaldi-options.tsv").read_text().splitlines()
    listed = {line.split("\t")[1] for line in rows if line.split("\t")[0] == command}
    assert listed, f"{command} is not in the table"
    kaldis = named_options(" ".join(listed))
    assert not kaldis - options_of_golden_cases(command) - options_of_tests(command)
