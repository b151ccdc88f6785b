"""minikaldi's commands, from their declarations: how each is called, its options, how well it agrees with Kaldi."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from minikaldi import command_table
from minikaldi.commands import MODULES, load_command
from minikaldi.options import OptionSpec, option_specs
from recipe.reference.markdown import LINE_LENGTH, table_text, wrapped_text


def commands_text() -> str:
    """One line per command."""
    return command_table.sections()["commands"]


def differences_text() -> str:
    """One item per command that differs from Kaldi on purpose."""
    found = {name: command_table.difference_of(name) for name in sorted(MODULES)}
    return "\n".join(wrapped_text(f"- `{name}`: {text}", indent="  ") for name, text in found.items() if text)


def agreement_text() -> str:
    """One line per command that a golden case calls."""
    return command_table.sections()["agreement"]


def options_text() -> str:
    """Each command: what it does, its arguments, its own options."""
    return "\n\n".join(_command_lines())


def _command_lines() -> Iterator[str]:
    for name in sorted(MODULES):
        command = load_command(name)
        yield f"## {name}"
        yield wrapped_text(command.about)
        forms = "\n".join(_shell_lines(f"{name} [options] {form}") for form in command_table.forms_of(name))
        yield f"```\n{forms}\n```"
        specs = option_specs(command.options).values()
        if specs:
            yield table_text(["option", "type", "default", "meaning"], [_option_row(spec) for spec in specs])


def _shell_lines(call: str) -> str:
    """A call in lines of at most 120 characters, each but the last with a backslash at its end."""
    width = LINE_LENGTH - len(" \\")
    return " \\\n".join(textwrap.wrap(call, width, subsequent_indent="    ", break_long_words=False))


def _option_row(spec: OptionSpec) -> list[str]:
    default = str(spec.default).lower() if spec.type is bool else str(spec.default)
    kind = "string" if spec.type is str else spec.type.__name__
    return [f"`--{spec.name}`", kind, f"`{default}`" if default else "empty", spec.help]
