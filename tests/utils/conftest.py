"""A small data directory, and scripts run as processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Run:
    """Run a script of the checkout in an empty folder, or in `where`: run("utils/run.pl", "log", "true")."""

    def call(script: str, *arguments: str, stdin: str = "", where: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = [str(root / script), *arguments]
        return subprocess.run(command, cwd=where, input=stdin, capture_output=True, text=True, check=False)

    return call


def table(folder: Path, name: str, *lines: str) -> Path:
    """Write a table of a data directory."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four utterances of two speakers, as data/."""
    folder = tmp_path / "data"
    utts = {"a-1": "a", "a-2": "a", "b-1": "b", "b-2": "b"}
    table(folder, "utt2spk", *(f"{utt} {spk}" for utt, spk in utts.items()))
    table(folder, "spk2utt", "a a-1 a-2", "b b-1 b-2")
    table(folder, "wav.scp", *(f"{utt} wav/{utt}.wav" for utt in utts))
    table(folder, "reco2dur", *(f"{utt} {number + 2}.5" for number, utt in enumerate(utts)))
    table(folder, "vad.scp", *(f"{utt} ark/vad.ark:{number}" for number, utt in enumerate(utts)))
    table(folder, "utt2rec", *(f"{utt} session-{utt[0]}" for utt in utts))
    return folder


def content(folder: Path) -> dict[str, str]:
    """Name -> text of every file in a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
