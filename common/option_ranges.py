"""An option as a dataclass field that carries its sentence and its range."""

from __future__ import annotations

import dataclasses
from typing import Any

from common.option_errors import require

REQUIRED: Any = dataclasses.MISSING
"""The default of an option that must be given."""


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that are allowed for a number; a bound of None is not checked."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        bounds = ((">=", self.least), (">", self.above), ("<=", self.most), ("<", self.below))
        return " and ".join(f"{sign} {bound}" for sign, bound in bounds if bound is not None)


ANY = Range()
"""Every value is allowed."""


def option(
    default: Any,
    sentence: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field that is an option: ``components: int = option(32, "entries of the dictionary", least=1)``.

    Args:
        default: its value if none is given; `REQUIRED` if one must be given.
        sentence: what it is, with its unit; ``--help``, ``--list`` and the reference print it.
        least: smallest allowed value.
        most: largest allowed value.
        above: allowed values are larger.
        below: allowed values are smaller.
    """
    metadata = {"help": sentence, "range": Range(least, most, above, below)}
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def sentence_of(field: dataclasses.Field[Any]) -> str:
    """What an option is, as its declaration says; "" if it was not made by `option`."""
    sentence: str = field.metadata.get("help", "")
    return sentence


def range_of(field: dataclasses.Field[Any]) -> Range:
    """The allowed values of an option; without bounds if it was not made by `option`."""
    allowed: Range = field.metadata.get("range", ANY)
    return allowed


def check_ranges(options: Any) -> None:
    """Raise OptionError for the first option whose value is out of its range; a list is checked item by item."""
    for field in dataclasses.fields(options):
        allowed, value = range_of(field), getattr(options, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
            require(not is_number or number in allowed, field.name, value, str(allowed))
