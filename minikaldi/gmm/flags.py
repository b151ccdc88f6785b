"""Which parameters of a mixture are updated: a subset of m (means), v (variances) and w (weights).

Source: Kaldi gmm/model-common.cc (StringToGmmFlags, AugmentGmmFlags).
"""

from __future__ import annotations

from enum import IntFlag

from common.errors import KaldiError
from common.log import warning


class GmmFlags(IntFlag):
    """The parameters, with the numbers of Kaldi's files."""

    MEANS = 1
    VARIANCES = 2
    WEIGHTS = 4
    TRANSITIONS = 8
    ALL = 15


_LETTERS = {
    "m": GmmFlags.MEANS,
    "v": GmmFlags.VARIANCES,
    "w": GmmFlags.WEIGHTS,
    "t": GmmFlags.TRANSITIONS,
    "a": GmmFlags.ALL,
}


def parse_flags(letters: str) -> GmmFlags:
    """The flags of a string such as ``mvw``.

    Raises:
        KaldiError: another letter.
    """
    flags = GmmFlags(0)
    for letter in letters:
        if letter not in _LETTERS:
            raise KaldiError(f"--update-flags={letters}: found {letter!r}, expected letters of mvw")
        flags |= _LETTERS[letter]
    return flags


def needed_flags(flags: GmmFlags) -> GmmFlags:
    """The statistics that an update of `flags` needs: variances need means, and everything needs the weights."""
    if flags & GmmFlags.VARIANCES:
        flags |= GmmFlags.MEANS
    if flags & GmmFlags.MEANS:
        flags |= GmmFlags.WEIGHTS
    if not flags & GmmFlags.WEIGHTS:
        warning('Adding in "w" to empty flags.')
        flags |= GmmFlags.WEIGHTS
    return flags


def check_flags(flags: GmmFlags, has: GmmFlags) -> None:
    """Check that the statistics suffice for the update.

    Raises:
        KaldiError: they were accumulated for fewer parameters.
    """
    if flags & ~has:
        raise KaldiError(
            f"the update needs statistics of {flag_letters(flags)}, but they were accumulated for "
            f"{flag_letters(has)}; give the same --update-flags to both commands"
        )


def flag_letters(flags: GmmFlags) -> str:
    """The flags as a string such as ``mvw``."""
    return "".join(letter for letter, flag in _LETTERS.items() if letter != "a" and flags & flag)
