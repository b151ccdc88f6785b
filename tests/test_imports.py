"""Imports run one way: minikaldi, then scoring, then nnet; torch only in nnet, and in no command."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = {"minikaldi": {"scoring", "nnet", "diarization", "torch"}, "scoring": {"nnet", "diarization", "torch"}}
FORBIDDEN["nnet"] = {"diarization"}


def imported_by(path: Path) -> set[str]:
    """First names of all modules that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_follow_the_arrows(package: str, root: Path) -> None:
    wrong = {
        str(path.relative_to(root)): bad
        for path in sorted((root / package).rglob("*.py"))
        if (bad := imported_by(path) & FORBIDDEN[package])
    }
    assert not wrong


def test_the_recipe_loads_no_torch(root: Path) -> None:
    script = "import sys; import recipe.run_state, recipe.stage_tables; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_command_loads_torch_or_scipy_signal_when_it_is_loaded(root: Path) -> None:
    script = (
        "import sys; from minikaldi.commands import MODULES, load; [load(name) for name in MODULES]; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'scipy', 'soundfile', 'sklearn'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
