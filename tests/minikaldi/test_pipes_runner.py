"""Who runs the commands of a pipe: the runner that a program hands in, else the shell; every program hands one in."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_VECTOR, sequential, writer
from minikaldi.io.inner import parse_pipeline
from minikaldi.io.runner import NoCommands, current_runner, use_runner
from minikaldi.running import run_command, run_pipes_inside

READERS = {"sequential", "random_access", "read_object", "read_matrix_rows", "open_read"}


@pytest.fixture
def no_commands() -> Iterator[None]:
    use_runner(NoCommands())
    yield
    run_pipes_inside()


@pytest.mark.usefixtures("no_commands")
def test_without_a_runner_a_pipe_is_a_shells_with_the_same_result(tmp_path: Path, root: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", f"{root}/minikaldi/bin:/usr/bin:/bin")
    archive = tmp_path / "a.ark"
    with writer(f"ark:{archive}", FLOAT_VECTOR) as table:
        table.write("a", np.arange(3, dtype=np.float32))
    command = f"copy-vector ark:{archive} ark:-"
    read = f"ark:{command} |"
    assert parse_pipeline(command) is None
    with sequential(read, FLOAT_VECTOR) as table:
        by_shell = dict(table)
    run_pipes_inside()
    assert parse_pipeline(command) == [command.split()]
    with sequential(read, FLOAT_VECTOR) as table:
        inside = dict(table)
    assert list(by_shell) == list(inside) == ["a"]
    np.testing.assert_array_equal(by_shell["a"], inside["a"])


@pytest.mark.usefixtures("no_commands")
def test_running_a_command_hands_the_commands_in() -> None:
    assert run_command(["copy-vector", "--help"], io.BytesIO(), io.BytesIO()) == 0
    assert "copy-vector" in current_runner().names


def imports_of(path: Path) -> dict[str, set[str]]:
    """Module -> names taken from it, wherever in the file."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return found


def reads_tables(path: Path, root: Path, seen: set[Path]) -> bool:
    """Whether a module outside minikaldi reads tables, itself or by another such module."""
    seen.add(path)
    imports = imports_of(path)
    if any(module.startswith("minikaldi.io") and names & READERS for module, names in imports.items()):
        return True
    modules = [f"{module}.{name}" for module, names in imports.items() for name in names] + list(imports)
    files = [root / f"{module.replace('.', '/')}.py" for module in modules if not module.startswith("minikaldi")]
    return any(reads_tables(file, root, seen) for file in files if file.is_file() and file not in seen)


def test_every_program_that_reads_tables_runs_pipes_inside(root: Path) -> None:
    programs = [path for package in ("nnet", "scoring", "local") for path in (root / package).rglob("*.py")]
    readers = [path for path in programs if "__main__" in path.read_text() and reads_tables(path, root, set())]
    assert {"extract.py", "train.py", "cosine.py", "backend_dims.py"} <= {path.name for path in readers}
    assert not [path for path in readers if "minikaldi.running" not in imports_of(path)]
