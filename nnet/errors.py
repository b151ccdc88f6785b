"""The error that the nnet programs show as one line, without a traceback."""

from __future__ import annotations

from common.errors import for_a_message


class NnetError(Exception):
    """Bad input or state; the message says where, what was found, what was expected and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(for_a_message(text))
