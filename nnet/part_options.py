"""The base of the option sets that name a part: an encoder, a pooling, a loss, a step of augmentation. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from common.options import OptionSet

Kind = TypeVar("Kind", bound="PartOptions")


@dataclass(frozen=True)
class PartOptions(OptionSet):
    """Options of a part.

    Attributes:
        implementation: the part's class, `package.module:Class`; it is imported when the part is made.
    """

    implementation: ClassVar[str]

    @classmethod
    def without_options(cls: type[Kind], implementation: str, about: str) -> type[Kind]:
        """The option set of a part that has no options of its own.

        Args:
            implementation: `package.module:Class`.
            about: what the part is, in a sentence.
        """
        name = implementation.rpartition(":")[2] + "Options"
        return type(name, (cls,), {"__doc__": about, "implementation": implementation})
