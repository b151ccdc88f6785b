"""`python3 -m nnet.config`: check an experiment's YAML, print it whole, one of its keys, or every choice.

    python3 -m nnet.config --config conf/nnet/mini.yaml --set loss.margin=2 --get features.type
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from common.options import option_lines, show
from common.program import Parser
from nnet.augment.schema import list_augment
from nnet.config.experiment import get, load, to_yaml
from nnet.config.overrides import add_arguments
from nnet.config.schema import SECTIONS


def list_choices() -> Iterator[str]:
    """Lines that show each section, its choices, and each option with its type and default."""
    for section, kind in SECTIONS.items():
        if isinstance(kind, Mapping):
            for name in sorted(kind):
                yield f"{section}: {{name: {name}}}"
                yield from option_lines(kind[name], 4)
        else:
            yield f"{section}:"
            yield from option_lines(kind, 4)
    yield from list_augment()


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="python3 -m nnet.config", description="Check and show an experiment's YAML.")
    parser.add_argument("--config", metavar="FILE", help="the experiment, e.g. conf/nnet/mini.yaml")
    add_arguments(parser)
    action = parser.add_mutually_exclusive_group()
    shown = "print a key, features.frame_rate or features.columns; may be repeated"
    action.add_argument("--get", metavar="SECTION.KEY", action="append", help=shown)
    action.add_argument("--print", action="store_true", help="print the whole config with its defaults (the default)")
    action.add_argument("--list", action="store_true", help="print every section, choice and option; needs no --config")
    options = parser.parse_args(argv)
    if not options.list and options.config is None:
        parser.error("--config is required")
    return options


def main(argv: Sequence[str]) -> None:
    """Print what is asked for.

    Raises:
        ConfigError: a config that cannot be used, or an unknown key.
    """
    options = parse_arguments(argv)
    if options.list:
        print("\n".join(list_choices()))
        return
    config = load(options.config, options.overrides)
    print("\n".join(_plain(get(config, key)) for key in options.get or ()) or to_yaml(config).rstrip())


def _plain(value: Any) -> str:
    """A value for a shell: a bare word or number, YAML for a list or a section."""
    if isinstance(value, (dict, list)):
        return yaml.safe_dump(value, default_flow_style=True, sort_keys=False).rstrip()
    return value if isinstance(value, str) else show(value)
