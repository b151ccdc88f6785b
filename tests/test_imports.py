"""Imports run one way: common, minikaldi, scoring, nnet; local and recipe use these and are used by none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.source_tree import PACKAGES, imports_of, modules_of

ALLOWED = {
    "common": {"common"},
    "minikaldi": {"common", "minikaldi"},
    "scoring": {"common", "minikaldi", "scoring"},
    "nnet": {"common", "minikaldi", "scoring", "nnet"},
    "diarization": {"common", "minikaldi", "scoring", "nnet", "diarization"},
    "spkemb": {"common", "minikaldi", "scoring", "nnet", "diarization", "spkemb"},
    "local": {"common", "minikaldi", "local"},
    "recipe": {"common", "minikaldi", "scoring", "nnet", "recipe"},
}
"""Package -> the packages of the project that it may import."""

OPTION_TABLES = ("nnet.augment.AUDIO_STEPS", "nnet.augment.FEATURE_STEPS", "nnet.augment.SpeedOptions")
"""What recipe may import of nnet besides nnet.config."""

WITHOUT_TORCH = [name for name in PACKAGES if name not in ("nnet", "spkemb")]
EXECUTABLES = ("utils", "minikaldi.bin", "tests", "benchmarks")


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str, root: Path) -> None:
    forbidden = {name for name in PACKAGES if name not in ALLOWED[package]}
    if package in WITHOUT_TORCH:
        forbidden.add("torch")
    wrong = [
        f"{module.path}:{line}: {package} imports {name}"
        for module in modules_of(root, package).values()
        for name, line in imports_of(module)
        if name.split(".")[0] in forbidden or name.startswith(EXECUTABLES)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_recipe_imports_of_nnet_its_config_and_tables_of_options_alone(root: Path) -> None:
    wrong = [
        f"{module.path}:{line}: imports {name}"
        for module in modules_of(root, "recipe").values()
        for name, line in imports_of(module)
        if f"{name}.".startswith("nnet.") and not name.startswith("nnet.config.") and name not in OPTION_TABLES
    ]
    assert not wrong, "\n".join(wrong)


def test_common_needs_the_standard_library_alone_and_yaml_in_one_module(root: Path) -> None:
    wrong = [
        f"{module.path}:{line}: imports {name}"
        for module in modules_of(root, "common").values()
        for name, line in imports_of(module)
        if (top := name.split(".")[0]) not in {*sys.stdlib_module_names, "common"}
        and (module.name, top) != ("common.yaml_text", "yaml")
    ]
    assert not wrong, "\n".join(wrong)


def modules_loaded(root: Path, script: str, *names: str) -> list[str]:
    """Those of the modules `names` that Python has loaded after a script."""
    script = f"import sys; {script}; print(*sorted(set({names!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_recipe_loads_no_torch(root: Path) -> None:
    script = "import sys; import recipe.run_state; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_command_loads_torch_or_scipy_signal_when_it_is_loaded(root: Path) -> None:
    script = "from minikaldi.commands import MODULES, load_command; [load_command(name) for name in MODULES]"
    assert modules_loaded(root, script, "torch", "scipy", "soundfile", "sklearn") == []


def test_the_recipe_and_the_experiments_options_load_without_torch(root: Path) -> None:
    names = ["nnet.config", *(name for name in modules_of(root, "recipe") if not name.endswith("__main__"))]
    assert modules_loaded(root, f"import {', '.join(names)}", "torch") == []
