"""The only reader of YAML: strict, and every error names the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from common.errors import why
from common.option_errors import ConfigError

LARGEST_FILE = 1 << 18
"""Bytes; a config has a few thousand, and PyYAML takes seconds for a million."""


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which makes plain values only, with more errors:

    a key that appears twice (by YAML's rules an error, PyYAML keeps the last one);
    an alias: with aliases, a few lines can describe more values than fit into memory;
    a value that looks like a number or date but is not one.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; `yaml.MarkedYAMLError` for an alias."""
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            problem = f"found the alias *{event.anchor}; write out the value that it stands for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; `yaml.MarkedYAMLError` if it has none."""
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
        raise ConfigError(f"{path}:{line}: byte {error.start} of the file is not UTF-8; save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from error


def parse_yaml(text: str, source: str) -> Any:
    """The value of a YAML text.

    Raises:
        ConfigError: not YAML, or refused by `_StrictLoader`; the message names `source` and the line.
    """
    if len(text) > LARGEST_FILE:
        raise ConfigError(f"{source}: has {len(text)} characters, expected a configuration, at most {LARGEST_FILE}")
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except RecursionError as error:
        raise ConfigError(f"{source}: is nested too deeply for a configuration") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{source}:{line}: the character {chr(error.character)!r} is not allowed in YAML") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        raise ConfigError(f"{where}: {' '.join(str(error.problem or error).split())}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: {' '.join(str(error).split())}") from error
