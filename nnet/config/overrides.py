"""What is changed of an experiment's YAML: `section.key=value`, each with the words in which the user gave it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METAVAR = "SECTION.KEY=VALUE"


@dataclass(frozen=True)
class Override:
    """One change. text: `section.key=value`, the value in YAML. given: what the user typed, for messages."""

    text: str
    given: str


def as_override(override: str | Override) -> Override:
    """A bare text is what stands after `--set`."""
    return override if isinstance(override, Override) else Override(override, f"--set {override}")


def blamed(key: str, origins: Mapping[str, str]) -> str | None:
    """The origin of a key's value, among those of keys (or sections, or lists that the key is in); None: the file."""
    named = origins.get(key) or origins.get(f"{key}.name")
    within = [origin for setting, origin in origins.items() if key.startswith((f"{setting}.", f"{setting}["))]
    return named or (within[-1] if within else None)


def add_arguments(parser: argparse.ArgumentParser, about: str = "change one option; may be repeated") -> None:
    """The options --set and --set-as of a program; both end in `overrides`, a list of Override, in their order."""
    parser.add_argument("--set", dest="overrides", action=_Append, default=[], metavar=METAVAR, help=about)
    shown = "the same; a message about it says GIVEN, as the user of the calling program typed it"
    parser.add_argument(
        "--set-as", dest="overrides", action=_Append, nargs=2, default=[], metavar=("GIVEN", METAVAR), help=shown
    )


class _Append(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add an Override to the list."""
        given, text = values if isinstance(values, list) else (f"--set {values}", str(values))
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), Override(text, given)])
