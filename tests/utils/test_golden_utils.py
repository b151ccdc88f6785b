"""The data-directory scripts against what Kaldi's own did: 51 cases of a folder before, a command, a folder after."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parent.parent / "golden-utils"
NAMES = sorted(path.name for path in CASES.iterdir())
# Kaldi accepts a line of utt2spk with three fields; here it is a fault.
STRICTER = {"validate-three-fields": 1}
# Any lines may be picked, as many as Kaldi picks.
FREE_CHOICE = {"subset-n", "subset-speakers"}


def run_case(name: str, root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a case's command beside a copy of its data, with utils/ and steps/ in reach."""
    before = CASES / name / "before"
    if before.is_dir():
        shutil.copytree(before, folder / "data")
    else:
        (folder / "data").mkdir()
    for script_folder in ("utils", "steps"):
        (folder / script_folder).symlink_to(root / script_folder)
    (folder / "sid").symlink_to(root / "scoring")
    command = (CASES / name / "cmd").read_text()
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


def files_of(folder: Path) -> dict[str, str]:
    """Path -> text of all files but hidden ones and logs."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    shown = [path.relative_to(folder) for path in files]
    return {
        str(path): (folder / path).read_text()
        for path in shown
        if not any(part.startswith(".") or part == "log" for part in path.parts)
    }


def without_sox(line: str) -> str:
    """A line as Kaldi writes it, with utils/to_wav.py where Kaldi calls sox."""
    line = re.sub(r"sox -t wav (\S+) -t wav - speed (\S+) \|", r"utils/to_wav.py --speed \2 \1 |", line)
    return re.sub(r"sox (\S+) -r (\d+) -t wav - \|", r"utils/to_wav.py --rate \2 \1 |", line)


def form_of(line: str) -> str:
    """A line of wav.scp without what was drawn: which noise, SNR, room, start; and how often."""
    line = re.sub(r"wav/(n\d|r\d)\.wav", "DRAWN", line)
    line = re.sub(r"--(snrs|start-times)='[\d,.]+'", r"--\1='DRAWN'", line)
    line = re.sub(r"--additive-signals='(.*?)'", lambda m: f"--additive-signals='{m[1].split(',')[0]}'", line)
    return line


def check_ranges(name: str, line: str) -> None:
    """SNRs and numbers of noises are among those that the command names."""
    command = (CASES / name / "cmd").read_text()
    snrs = set(re.search(r'-snrs "([\d:]+)"', command)[1].split(":"))
    drawn = re.search(r"--snrs='([\d,]+)'", line)[1].split(",")
    starts = re.search(r"--start-times='([\d,.]+)'", line)[1].split(",")
    assert set(drawn) <= snrs
    assert len(starts) == len(drawn)
    counts = re.search(r'--num-bg-noises "([\d:]+)"', command)
    if counts:
        assert str(len(drawn)) in counts[1].split(":")


def compare_drawn(name: str, path: str, text: str, expected: str) -> None:
    """Ids equal and in order; lines of the same form, or, where a coin decides about each, of one of the forms."""
    lines, wanted = text.splitlines(), [without_sox(line) for line in expected.splitlines()]
    assert [line.split()[0] for line in lines] == [line.split()[0] for line in wanted], path
    if name == "reverberate-twice":
        forms = {re.sub(r"\S*as\d\d-u\d\d", "ID", form_of(line)) for line in wanted}
        assert {re.sub(r"\S*as\d\d-u\d\d", "ID", form_of(line)) for line in lines} == forms
        return
    assert [form_of(line) for line in lines] == [form_of(line) for line in wanted], path
    if name.startswith("augment"):
        for line in lines:
            check_ranges(name, line)


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_kaldi_does(name: str, root: Path, tmp_path: Path) -> None:
    done = run_case(name, root, tmp_path)
    code = STRICTER.get(name, int((CASES / name / "rc").read_text()))
    assert done.returncode == code, done.stderr
    if code != 0:
        assert done.stderr.strip(), "a refusal says why"
        before = CASES / name / "before"
        assert files_of(tmp_path / "data") == (files_of(before) if before.is_dir() else {}), "a refusal changes nothing"
        return
    found, expected = files_of(tmp_path / "data"), files_of(CASES / name / "after")
    assert sorted(found) == sorted(expected)
    for path, text in expected.items():
        if name in FREE_CHOICE and path.startswith("c/"):
            assert len(found[path].splitlines()) == len(text.splitlines()), path
        elif path == "c/wav.scp" and name.startswith(("augment", "reverberate")):
            compare_drawn(name, path, found[path], text)
        else:
            assert found[path] == "".join(f"{without_sox(line)}\n" for line in text.splitlines()), path


def test_every_case_is_there() -> None:
    assert len(NAMES) == 51
    assert Counter(name.split("-")[0] for name in NAMES)["validate"] == 10
