"""What a program says when it refuses its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from common.errors import InputError


def refusal(main: Callable[[Sequence[str]], int | None], argv: Sequence[str]) -> str:
    """Run a program's `main`, which must raise InputError or OSError; returns the message."""
    with pytest.raises((InputError, OSError)) as caught:
        main(argv)
    return str(caught.value)
