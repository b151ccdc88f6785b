"""The project's modules as syntax trees: what each imports, and what it defines."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("common", "minikaldi", "scoring", "nnet", "diarization", "spkemb", "local", "recipe")


@dataclass(frozen=True)
class Module:
    """A Python file of a package.

    Attributes:
        name: as it is imported: `scoring.trials`; of a package `scoring`.
        path: relative to the checkout.
        tree: its syntax tree.
    """

    name: str
    path: str
    tree: ast.Module

    def at(self, node: ast.stmt | ast.expr) -> str:
        """The place of a node in messages: `scoring/trials.py:12`."""
        return f"{self.path}:{node.lineno}"


def modules_of(root: Path, *folders: str) -> dict[str, Module]:
    """The modules of some folders of the checkout by name; a folder that does not exist has none."""
    found = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        relative = path.relative_to(root)
        name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, str(relative), ast.parse(path.read_text(encoding="utf-8")))
    return found


def imports_of(module: Module) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of everything that a module imports, inside functions too; `from a import b` is `a.b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def import_graph(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """Module -> the modules of `modules` that it imports; a name of a module stands for that module."""
    graph: dict[str, set[str]] = {}
    for name, module in modules.items():
        targets = ((word, word.rpartition(".")[0]) for word, _ in imports_of(module))
        graph[name] = {next((one for one in pair if one in modules), "") for pair in targets} - {"", name}
    return graph


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import one another, directly or not, each sorted."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in graph}
    return sorted(sorted(group) for group in groups if group)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached


def definitions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions and classes that a module defines at its top level."""
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node


def classes(modules: Mapping[str, Module]) -> Iterator[tuple[str, str, list[str]]]:
    """(place, name, names of the bases) of every class, nested ones too; a base `errors.InputError` is `InputError`."""
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield module.at(node), node.name, [ast.unparse(base).rpartition(".")[2] for base in node.bases]
