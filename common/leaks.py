"""What a training set may share with a test set only if it is allowed by name: options of stage 0 and of the recipe."""

from __future__ import annotations

LEAKS = {
    "shared-speakers": "speakers of a test set in training",
    "copies": "augmented copies of a training utterance in a test set",
    "equal-audio": "the same audio in training and in a test set",
    "repeated-audio": "the same audio under two ids of one set, which are then both kept",
}


def leaks_named(text: str) -> frozenset[str]:
    """The names in a list between commas.

    Raises:
        ValueError: a name is unknown; the text lists the known ones.
    """
    names = [] if text == "-" else text.split(",")
    unknown = [name for name in names if name not in LEAKS]
    if unknown:
        raise ValueError(f'"{unknown[0]}" is unknown; expected names of {", ".join(LEAKS)}, between commas')
    return frozenset(names)
