"""Every command as a process, against the files, standard output and exit code of real Kaldi."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.minikaldi.helpers.golden_files import EXACT_ARITHMETIC, FEATURES, Tolerance, compare_files, compare_text

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path.name for path in (GOLDEN / "cases").iterdir())
# Everything here is decided by float32 formulas that leave no freedom, so the bytes must agree.
_EXACT = ("compress-", "copy-", "decompress", "ie-copy", "voiced", "wav-copy")
BYTE_EQUAL = [name for name in CASES if name.startswith(_EXACT)]


EXCEPTIONS = {
    # Not logarithms but magnitudes up to 1.6e6; float32 keeps seven digits.
    "fbank-linear-magnitude": EXACT_ARITHMETIC,
}


def tolerance_of(name: str) -> Tolerance:
    """Which of the two the case's numbers obey, or its own."""
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    return FEATURES if name.startswith(("mfcc-", "fbank-")) else EXACT_ARITHMETIC


def run_case(golden: Path, name: str, out: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the case's command with $OUT = out."""
    command = (golden / "cases" / name / "cmd").read_text()
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=golden / "inputs",
        env={**env, "OUT": str(out)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check_case(golden: Path, name: str, out: Path, env: dict[str, str]) -> str:
    """Exit code class, set of files, every file, standard output; the standard output."""
    done = run_case(golden, name, out, env)
    case = golden / "cases" / name
    assert (done.returncode == 0) == (int((case / "rc").read_text()) == 0), done.stderr
    if done.returncode != 0:
        assert "Usage" in done.stderr or "ERROR" in done.stderr or "WARNING" in done.stderr
    kaldis = {path.name: path for path in (case / "out").iterdir()} if (case / "out").is_dir() else {}
    assert {path.name for path in out.iterdir()} == set(kaldis), done.stderr
    for file_name, path in kaldis.items():
        free_sign = name.startswith(("lda", "plda"))
        compare_files(out / file_name, path, out, tolerance_of(name), free_sign)
    stdout = (case / "stdout").read_text() if (case / "stdout").exists() else ""
    compare_text(done.stdout, stdout, EXACT_ARITHMETIC)
    return done.stdout


@pytest.mark.parametrize("name", CASES)
def test_command_answers_as_kaldi_does(name: str, tmp_path: Path, command_env: dict[str, str]) -> None:
    check_case(GOLDEN, name, tmp_path, command_env)


@pytest.mark.parametrize("name", BYTE_EQUAL)
def test_copies_and_compressed_matrices_are_kaldis_byte_for_byte(
    name: str, tmp_path: Path, command_env: dict[str, str]
) -> None:
    run_case(GOLDEN, name, tmp_path, command_env)
    for path in (GOLDEN / "cases" / name / "out").iterdir():
        ours = (tmp_path / path.name).read_bytes().replace(str(tmp_path).encode(), b"$OUT")
        assert ours == path.read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_command_answers_as_kaldi_does_on_real_speech(
    name: str, shared: Path, tmp_path: Path, command_env: dict[str, str]
) -> None:
    golden = shared / "golden-speech"
    if not (golden / "cases" / name).is_dir():
        pytest.skip("golden-speech has no such case")
    check_case(golden, name, tmp_path, command_env)
