"""The layers of minikaldi and common: no circle of imports, and io knows no commands."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGES = ("common", "minikaldi")


def modules_of(root: Path) -> dict[str, Path]:
    files = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports_of(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules that a file imports, at any place, also for type checking only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules.keys()


def test_imports_have_no_circle(root: Path) -> None:
    modules = modules_of(root)
    left = {name: imports_of(path, modules) - {name} for name, path in modules.items()}
    # `from minikaldi.io.x import y` names the package too, which is no import of its facade.
    left = {name: {other for other in others if modules[other].name != "__init__.py"} for name, others in left.items()}
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    assert not left


def test_common_imports_only_common(root: Path) -> None:
    modules = modules_of(root)
    wrong = {
        name: bad
        for name, path in modules.items()
        if name.startswith("common")
        if (bad := {other for other in imports_of(path, modules) if not other.startswith("common")})
    }
    assert not wrong


def test_io_knows_no_commands(root: Path) -> None:
    modules = modules_of(root)
    known = {
        other
        for name, path in modules.items()
        if name.startswith("minikaldi.io")
        for other in imports_of(path, modules)
    }
    assert all(other.startswith(("common", "minikaldi.io")) for other in known), sorted(known)
