"""Which Python serves: versions are compared as numbers, and what is lacking is named."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from minikaldi.scripts import check_environment

from .conftest import environment


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("2.13.0+cpu", (2, 13, 0)),
        ("2.11.0a0+git1234", (2, 11, 0)),
        ("1.0rc1", (1, 0)),
        ("3", (3,)),
        ("2.4.6.dev0", (2, 4, 6)),
        ("unknown", (0,)),
    ],
)
def test_a_version_is_its_leading_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert check_environment.version_tuple(version) == numbers


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What importlib.metadata finds from now on."""
    versions: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    return versions


@pytest.mark.parametrize("found", ["2.11", "2.11.0", "2.11.0+cu128", "2.13.0", "2.100.0", "3.0"])
def test_a_version_at_or_above_the_minimum_serves(installed: dict[str, str], found: str) -> None:
    installed["torch"] = found
    assert check_environment.lacking({"torch": "2.11"}) == []


@pytest.mark.parametrize("found", ["2.9.1", "2.10.9", "1.99", "2"])
def test_an_older_version_is_named_with_what_is_needed(installed: dict[str, str], found: str) -> None:
    installed["torch"] = found
    assert check_environment.lacking({"torch": "2.11"}) == [f"torch is {found}, needed is 2.11 or newer"]


def test_a_missing_package_is_named(installed: dict[str, str]) -> None:
    installed["numpy"] = "2.4.6"
    lines = check_environment.lacking({"numpy": "2.0", "scipy": "1.13"})
    assert lines == ["scipy is not installed, needed is 1.13 or newer"]


def test_an_old_python_is_named(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_environment, "MINIMUM_PYTHON", (9, 0))
    assert check_environment.lacking({})[0].endswith("needed is 9.0 or newer")


@pytest.mark.parametrize(("quiet", "text"), [([], "torch is not installed"), (["--quiet"], "")])
def test_the_program_answers_by_its_exit_code(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    quiet: list[str], text: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["check_environment.py", *quiet])
    assert check_environment.main() == 1
    captured = capsys.readouterr()
    assert text in captured.out + captured.err if text else captured.out + captured.err == ""


def test_the_minimum_is_no_newer_than_what_is_pinned(root: Path) -> None:
    pins = dict(
        line.split("==") for line in (root / "requirements.txt").read_text().splitlines() if "==" in line
    )
    assert pins.keys() == check_environment.MINIMUM.keys()
    for name, minimum in check_environment.MINIMUM.items():
        assert check_environment.version_tuple(minimum) <= check_environment.version_tuple(pins[name]), name


def prepare(checkout: Path, *options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = environment({"PATH": path} if path else {})
    command = [str(checkout / "utils" / "prepare_environment.sh"), *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_check_says_nothing_where_all_is_there(checkout: Path) -> None:
    done = prepare(checkout, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_installs_nothing_where_packages_are_lacking(own_checkout: Path, tmp_path: Path) -> None:
    (own_checkout / ".venv").unlink(missing_ok=True)
    (tmp_path / "bin").mkdir()
    bare = tmp_path / "bin" / "python3"  # a Python that sees no package
    bare.write_text(f'#!/bin/sh\nexec "{Path(sys.base_prefix) / "bin" / "python3"}" -S -E "$@"\n')
    bare.chmod(0o755)
    done = prepare(own_checkout, "--check", path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 1
    assert not (own_checkout / ".venv").exists()


def test_the_cores_are_counted_before_each_job_is_held_to_one(checkout: Path) -> None:
    env = {key: value for key, value in environment({}).items() if key != "OMP_NUM_THREADS"}
    show = 'for turn in 1 2; do . ./path.sh; echo "$PIPELINE_CORES $OMP_NUM_THREADS"; done'  # a step comes second
    done = subprocess.run(["bash", "-c", show], cwd=checkout, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(os.sched_getaffinity(0))} 1\n" * 2


def test_an_unknown_option_is_told(checkout: Path) -> None:
    done = prepare(checkout, "--chekc")
    assert done.returncode == 1
    assert "Usage: utils/prepare_environment.sh" in done.stderr
