"""Changes of an experiment's YAML, `section.key=value`, each with the user's own words for messages."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METAVAR = "SECTION.KEY=VALUE"


@dataclass(frozen=True)
class Override:
    """One change.

    Attributes:
        text: `section.key=value`, the value in YAML.
        given: what the user typed, for messages.
    """

    text: str
    given: str


def as_override(override: str | Override) -> Override:
    """A plain text is an argument of `--set`."""
    return override if isinstance(override, Override) else Override(override, f"--set {override}")


def blamed(key: str, origins: Mapping[str, str]) -> str | None:
    """What set a key, its section, or a list that it is in, among `origins` (key -> override); None: the file did."""
    named = origins.get(key) or origins.get(f"{key}.name")
    within = [origin for setting, origin in origins.items() if key.startswith((f"{setting}.", f"{setting}["))]
    return named or (within[-1] if within else None)


def add_arguments(parser: argparse.ArgumentParser, about: str = "change one option; may be repeated") -> None:
    """The options --set and --set-as of a program; both end in `overrides`, a list of Override, in their order."""
    parser.add_argument("--set", dest="overrides", action=_Append, default=[], metavar=METAVAR, help=about)
    shown = "the same; a message about it says GIVEN, the words of the calling program's user"
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
