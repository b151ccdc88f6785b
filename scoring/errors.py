"""The error that the scoring programs show as one line, without a traceback."""

from __future__ import annotations

from common.errors import for_a_message


class ScoringError(ValueError):
    """Bad input; the text says where, what was found, what was expected and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(for_a_message(text))
