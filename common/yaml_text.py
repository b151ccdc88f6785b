"""YAML read strictly, from anywhere: what the safe loader of PyYAML lets pass or fails on is an error with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from common.options import ConfigError

LARGEST_FILE = 1 << 18
"""Bytes; a config has a few thousand, and PyYAML takes seconds for a million."""


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which makes no objects but plain ones, and

    a key that appears twice is an error (YAML says so, PyYAML keeps the last one);
    so is an alias, with which a few lines can stand for more values than a machine has memory for;
    so is a value that looks like a number or date and is none.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; `yaml.MarkedYAMLError` for an alias."""
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            problem = f"found the alias *{event.anchor}; write out the value that it stands for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; `yaml.MarkedYAMLError` for one that is none."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            raise yaml.MarkedYAMLError(problem=f"cannot be read: {error}", problem_mark=node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; `yaml.MarkedYAMLError` for a key that appears twice."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    problem = f'key "{key_node.value}" appears twice'
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """The value of a YAML file.

    Raises:
        ConfigError: unreadable, or as `parse_yaml`.
    """
    try:
        content = Path(path).read_bytes()
        return parse_yaml(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: byte {error.start} of the file is no UTF-8; save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse_yaml(text: str, source: str) -> Any:
    """The value of a YAML text.

    Raises:
        ConfigError: no YAML, or one that is refused (`_StrictLoader`); it names `source` and the line.
    """
    if len(text) > LARGEST_FILE:
        raise ConfigError(f"{source}: has {len(text)} characters, expected a configuration, at most {LARGEST_FILE}")
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except RecursionError as error:
        raise ConfigError(f"{source}: is nested too deeply for a configuration") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{source}:{line}: the character {chr(error.character)!r} cannot stand in YAML") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{where}: {' '.join(str(problem).split())}") from error
