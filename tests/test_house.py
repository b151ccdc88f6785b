"""Rules that the whole project follows: no circle of imports, one home for each public name, one kind of exception."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from pathlib import Path

import pytest

from tests.helpers.source_tree import (
    PACKAGES,
    Module,
    circles,
    classes,
    definitions,
    import_graph,
    imports_of,
    modules_of,
)

SHARED_NAMES = {"main", "parse_arguments"}  # which every program has


@pytest.fixture(scope="module")
def modules(root: Path) -> dict[str, Module]:
    return modules_of(root, *PACKAGES, "utils")


def parsed(**sources: str) -> dict[str, Module]:
    """Modules that a test has written."""
    return {name: Module(name, f"{name}.py", ast.parse(source)) for name, source in sources.items()}


def test_no_modules_import_one_another_in_a_circle(modules: dict[str, Module]) -> None:
    graph = import_graph(modules)
    found = [
        f"{name} imports {', '.join(sorted(inner))}"
        for group in circles(graph)
        for name in group
        if (inner := graph[name] & set(group))
    ]
    assert not found, "\n".join(found)


def test_a_circle_of_three_is_found_and_a_chain_is_not() -> None:
    chain = parsed(a="import b", b="from c import x", c="x = 1")
    assert circles(import_graph(chain)) == []
    circle = parsed(a="import b", b="from c import x", c="def f():\n    import a")
    assert circles(import_graph(circle)) == [["a", "b", "c"]]
    assert list(imports_of(circle["c"])) == [("a", 2)]


def test_a_public_name_is_defined_once(modules: dict[str, Module]) -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module in modules.values():
        for node in definitions(module):
            if not node.name.startswith("_") and node.name not in SHARED_NAMES:
                homes[node.name].append(module.at(node))
    found = [f"{name}: {', '.join(places)}" for name, places in sorted(homes.items()) if len(places) > 1]
    assert not found, f"{len(found)} names have several homes:\n" + "\n".join(found)


def constant_getattrs(module: Module) -> list[str]:
    """The places where `getattr(x, "name", default)` replaces an attribute that a class should declare."""
    return [
        module.at(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) == 3
        and isinstance(node.args[1], ast.Constant)
    ]


def test_attributes_are_declared_and_not_looked_up_with_a_default(modules: dict[str, Module]) -> None:
    found = [place for module in modules.values() for place in constant_getattrs(module)]
    assert not found, "\n".join(found)


def test_only_a_getattr_with_a_constant_name_and_a_default_is_found() -> None:
    source = "getattr(x, 'a', 1)\ngetattr(x, name, 1)\ngetattr(x, 'a')"
    assert constant_getattrs(parsed(m=source)["m"]) == ["m.py:1"]


def foreign_exceptions(modules: dict[str, Module]) -> list[str]:
    """The exception classes that do not derive from InputError."""
    places = {name: place for place, name, _ in classes(modules)}
    bases = {name: names for _, name, names in classes(modules)}

    def derives(name: str, ancestor: str) -> bool:
        builtin = getattr(builtins, name, None)
        if ancestor == "BaseException" and isinstance(builtin, type) and issubclass(builtin, BaseException):
            return True
        return name == ancestor or any(derives(base, ancestor) for base in bases.get(name, ()) if base != name)

    return [
        f"{place}: {name}({', '.join(bases[name])})"
        for name, place in sorted(places.items())
        if derives(name, "BaseException") and not derives(name, "InputError")
    ]


NO_BAD_INPUT = (
    ": InputError(Exception)",  # the root of all
    ": _Stopped(Exception)",  # a signal that run.pl receives breaks its wait; it leaves the module as an exit code only
)


def test_every_exception_of_the_project_is_an_input_error(modules: dict[str, Module]) -> None:
    found = [place for place in foreign_exceptions(modules) if not place.endswith(NO_BAD_INPUT)]
    assert not found, "\n".join(found)


def test_an_exception_that_derives_from_value_error_is_found() -> None:
    source = "class InputError(Exception): pass\nclass A(errors.InputError): pass\nclass B(ValueError): pass\n"
    assert foreign_exceptions(parsed(m=source)) == ["m.py:3: B(ValueError)"]
