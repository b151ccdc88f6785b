"""Which Python serves: versions are compared as numbers, and what is lacking is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from recipe import environment as packages

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
    assert packages.version_tuple(version) == numbers


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
    assert packages.lacking({"torch": "2.11"}) == []


@pytest.mark.parametrize("found", ["2.9.1", "2.10.9", "1.99", "2"])
def test_an_older_version_is_named_with_what_is_needed(installed: dict[str, str], found: str) -> None:
    installed["torch"] = found
    assert packages.lacking({"torch": "2.11"}) == [f"torch is {found}; expected 2.11 or newer"]


def test_a_missing_package_is_named(installed: dict[str, str]) -> None:
    installed["numpy"] = "2.4.6"
    lines = packages.lacking({"numpy": "2.0", "scipy": "1.13"})
    assert lines == ["scipy is not installed; expected 1.13 or newer"]


def test_an_old_python_is_named(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MINIMUM_PYTHON", (9, 0))
    assert packages.lacking({})[0].endswith("expected 9.0 or newer")


@pytest.mark.parametrize(("quiet", "text"), [([], "environment.py: torch is not installed"), (["--quiet"], "")])
def test_the_program_answers_by_its_exit_code(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    quiet: list[str], text: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["environment.py", *quiet])
    assert packages.main() == 1
    captured = capsys.readouterr()
    assert text in captured.out + captured.err if text else captured.out + captured.err == ""


def test_the_minimum_is_no_newer_than_what_is_pinned(root: Path) -> None:
    pins = dict(line.split("==") for line in (root / "requirements.txt").read_text().splitlines() if "==" in line)
    assert pins.keys() == packages.MINIMUM.keys()
    for name, minimum in packages.MINIMUM.items():
        assert packages.version_tuple(minimum) <= packages.version_tuple(pins[name]), name


def prepare(checkout: Path, *options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = environment({"PATH": path} if path else {})
    command = [str(checkout / "utils" / "prepare_environment.sh"), *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_check_says_nothing_where_all_is_there(checkout: Path) -> None:
    done = prepare(checkout, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def bare_path(folder: Path) -> str:
    """A PATH whose python3 sees no package."""
    (folder / "bin").mkdir(exist_ok=True)
    bare = folder / "bin" / "python3"
    bare.write_text(f'#!/bin/sh\nexec "{Path(sys.base_prefix) / "bin" / "python3"}" -S -E "$@"\n')
    bare.chmod(0o755)
    return f"{folder / 'bin'}:/usr/bin:/bin"


def test_check_installs_nothing_where_packages_are_lacking(own_checkout: Path, tmp_path: Path) -> None:
    (own_checkout / ".venv").unlink(missing_ok=True)
    done = prepare(own_checkout, "--check", path=bare_path(tmp_path))
    assert done.returncode == 1
    assert not (own_checkout / ".venv").exists()


def test_without_packages_there_is_help_and_a_dry_run_says_what_is_missing(own_checkout: Path, tmp_path: Path) -> None:
    (own_checkout / ".venv").unlink(missing_ok=True)
    env = environment({"PATH": bare_path(tmp_path)})
    for options, code, says in (
        (["--help"], 0, "--nnet-config conf/nnet/mini.yaml"),
        (["--bogus=1"], 1, "pipeline.sh: command line: --bogus is unknown"),
        (["--dry-run"], 1, "packages are missing, and --dry-run installs none; run utils/prepare_environment.sh"),
    ):
        command = [str(own_checkout / "pipeline.sh"), *options]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code and says in done.stdout + done.stderr
    assert not (own_checkout / ".venv").exists()


def write_wheel(folder: Path, name: str, version: str) -> None:
    """A package without a module, as pip installs it."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def active_environment(folder: Path, packages: dict[str, str]) -> Path:
    """A virtual environment that has these packages; its bin/ is first on PATH where it is active."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    for name, version in packages.items():
        metadata_file = site_packages / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA"
        metadata_file.parent.mkdir()
        metadata_file.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (site_packages / "torch.py").write_text("lent = True\n")
    (site_packages / "editable.pth").write_text(f"{folder / 'source'}\n")
    (folder / "source").mkdir()
    return folder


@pytest.mark.slow
def test_an_active_environment_serves_the_tests_and_torch_is_not_installed_again(
    own_checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_checkout / ".venv").unlink(missing_ok=True)
    (own_checkout / "tests").mkdir()
    tools = "".join(f"{name}=={version}.0\n" for name, version in packages.TESTS.items())
    (own_checkout / "tests" / "requirements.txt").write_text(tools)
    (tmp_path / "wheels").mkdir()
    for name, version in packages.TESTS.items():
        write_wheel(tmp_path / "wheels", name, f"{version}.0")  # and no other package: torch could not be installed
    active = active_environment(tmp_path / "active", packages.MINIMUM)
    before = sorted(active.rglob("*"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    path = f"{active / 'bin'}:/usr/bin:/bin"
    done = prepare(own_checkout, "--tests", path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the other packages are those of {active}/bin/python3, which stays as it is" in done.stdout
    assert sorted(active.rglob("*")) == before
    own = own_checkout / ".venv" / "bin" / "python3"
    show = "import sys, torch; print(torch.lent, sys.prefix, sys.path)"
    shown = subprocess.run([own, "-c", show], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"True {own_checkout}/.venv ") and f"{active}/source" in shown
    assert not list((own_checkout / ".venv").rglob("torch*"))
    assert prepare(own_checkout, "--tests", path=path).stdout.startswith("environment: .venv (Python")

    (own_checkout / "tests" / "requirements.txt").write_text(tools + "another-tool==1.0\n")
    write_wheel(tmp_path / "wheels", "another-tool", "1.0")
    script = own_checkout / "recipe" / "environment.py"
    script.write_text(script.read_text().replace("TESTS = {", 'TESTS = {"another-tool": "1.0",'))
    done = prepare(own_checkout, "--tests", path=bare_path(tmp_path))  # no longer active: .venv has the rest already
    assert done.returncode == 0, done.stdout + done.stderr

    shutil.rmtree(active)  # what was lent is gone: another environment that is active serves the recipe as it is
    other = active_environment(tmp_path / "other", packages.MINIMUM)
    assert f"{other}/bin/python3 as it is" in prepare(own_checkout, path=f"{other / 'bin'}:/usr/bin:/bin").stdout
    assert not (own_checkout / ".venv" / ".ready").exists()
    # Without one all of it is to be installed, which fails here.
    done = prepare(own_checkout, "--tests", path=bare_path(tmp_path))
    assert done.returncode == 1
    assert "making .venv from requirements.txt tests/requirements.txt" in done.stdout and "Jinja2==" in done.stderr
    assert not list((own_checkout / ".venv").rglob("lent_packages.pth"))


def test_the_folders_that_are_lent_are_those_of_packages_and_not_the_borrowers(tmp_path: Path) -> None:
    own, other, quoted = tmp_path / ".venv/lib/site-packages", tmp_path / "a/site-packages", "/b'c/dist-packages"
    paths = ["", "/usr/lib/python3.11", str(own), str(other), quoted]
    lines = packages.lent_folders(paths, str(tmp_path / ".venv"))
    assert lines == [f"import site; site.addsitedir('{other}')", 'import site; site.addsitedir("/b\'c/dist-packages")']


def test_the_cores_are_counted_before_each_job_is_held_to_one(checkout: Path) -> None:
    env = {key: value for key, value in environment({}).items() if key != "OMP_NUM_THREADS"}
    show = 'for turn in 1 2; do . ./path.sh; echo "$PIPELINE_CORES $OMP_NUM_THREADS"; done'  # a step comes second
    done = subprocess.run(["bash", "-c", show], cwd=checkout, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(os.sched_getaffinity(0))} 1\n" * 2


def test_an_unknown_option_is_reported(checkout: Path) -> None:
    done = prepare(checkout, "--chekc")
    assert done.returncode == 1
    assert "Usage: utils/prepare_environment.sh" in done.stderr
