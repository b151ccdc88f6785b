"""The LOG lines of the feature, wave and copying commands are real Kaldi's, counts and all (users grep for them)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KINDS = (
    *("add-deltas", "cmvn-", "compress-", "copy-", "decompress", "egs-", "extract-", "fbank-", "feat-to-", "mfcc-"),
    *("noise-", "reverberate", "subsample", "unsorted-", "vad", "voiced", "wav-"),
)
CASES = sorted(path.name for path in (GOLDEN / "cases").iterdir() if path.name.startswith(KINDS))


def log_texts(stderr: str) -> list[str]:
    """What the LOG lines say, without the place in the code; commands of a pipe may speak in any order."""
    return sorted(re.findall(r"^LOG \(\S+\) ?(.*?) *$", stderr, re.MULTILINE))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_log_lines_say_what_kaldis_say(name: str, tmp_path: Path, command_env: dict[str, str]) -> None:
    case = GOLDEN / "cases" / name
    command = ["bash", "-o", "pipefail", "-c", (case / "cmd").read_text()]
    env = {**command_env, "OUT": str(tmp_path)}
    done = subprocess.run(command, cwd=GOLDEN / "inputs", env=env, capture_output=True, text=True, check=False)
    kaldis = (case / "log").read_text() if (case / "log").exists() else ""
    assert log_texts(done.stderr.replace(str(tmp_path), "$OUT")) == log_texts(kaldis)
