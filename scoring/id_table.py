"""Numbers for ids: a hash table that looks up many ids at once.

A dictionary waits for memory several times for each id, since a list in random order touches its entries in random
order. Here the lookups of a block of lines are a few operations on arrays, which wait for many ids at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import WORD, Fields, decoded

LONGEST = 256  # bytes of an id in the table; longer ones are kept in a dictionary
FIRST_ROWS = 1 << 12
MOST_FILLED = 4  # a table has at least so many places for each id
_ODD = np.array(0x9E3779B97F4A7C15, np.uint64)  # 2^64 divided by the golden ratio: multiples of it are spread evenly
_HALF = np.uint64(32)


class IdTable:
    """The number of each id, from 0, in the order in which they were first looked up."""

    def __init__(self) -> None:
        self._known = Fields(np.zeros((FIRST_ROWS, 1), np.uint64), np.zeros(FIRST_ROWS, np.int64))  # some are free
        self._hashes = np.zeros(FIRST_ROWS, np.uint64)
        self._count = 0
        self._places = np.full(1 << 16, -1, np.int32)  # hash -> number
        self._long: dict[bytes, int] = {}

    def numbers(self, fields: Fields) -> NDArray[np.int32]:
        """The number of each field, int32 (N,); new ones get the next numbers."""
        if fields.words.shape[1] * WORD > LONGEST:
            return self._with_long_ones(fields)
        self._make_room(0, fields.words.shape[1])
        hashes = _hashes(fields)
        found = self._find(fields, hashes)
        new = np.flatnonzero(found < 0)
        if len(new):
            first_of = dict(zip(fields[new].texts()[::-1], new[::-1].tolist(), strict=True))
            chosen = np.array(sorted(first_of.values()))
            self._add(fields[chosen], hashes[chosen])
            found[new] = self._find(fields[new], hashes[new])
        return found

    def ids(self) -> list[str]:
        """The ids by their numbers."""
        texts = self._known[: self._count].texts()
        for text, number in self._long.items():
            texts[number] = text
        return decoded(texts)

    def _with_long_ones(self, fields: Fields) -> NDArray[np.int32]:
        is_long = fields.lengths > LONGEST
        found = np.empty(len(fields), np.int32)
        found[~is_long] = self.numbers(Fields(fields.words[~is_long, : LONGEST // WORD], fields.lengths[~is_long]))
        for place in np.flatnonzero(is_long):
            text = fields[place : place + 1].texts()[0]
            if text not in self._long:
                self._long[text] = self._count
                self._make_room(1, 1)
                self._known.lengths[self._count] = -1  # which no field has
                self._count += 1
            found[place] = self._long[text]
        return found

    def _find(self, fields: Fields, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The numbers of known fields, −1 for others."""
        mask = len(self._places) - 1
        place = (hashes & np.uint64(mask)).astype(np.intp)
        number = self._places.take(place)
        found = np.where(self._are(number, fields), number, np.int32(-1))
        searched = np.flatnonzero((number >= 0) & (found < 0))
        place = place[searched]
        while len(searched):  # their places are taken by other ids: the next ones may be theirs
            place = (place + 1) & mask
            number = self._places.take(place)
            same = self._are(number, fields[searched])
            found[searched[same]] = number[same]
            left = (number >= 0) & ~same
            searched, place = searched[left], place[left]
        return found

    def _are(self, numbers: NDArray[np.int32], fields: Fields) -> NDArray[np.bool_]:
        """Whether each field is the id of a number; it is not that of −1."""
        rows = numbers.astype(np.intp)
        same: NDArray[np.bool_] = self._known.lengths.take(rows, mode="wrap") == fields.lengths
        words = self._known.words.take(rows, axis=0, mode="wrap")
        for column in range(fields.words.shape[1]):
            same &= words[:, column] == fields.words[:, column]
        same &= numbers >= 0
        return same

    def _add(self, fields: Fields, hashes: NDArray[np.uint64]) -> None:
        """Add new fields, all different."""
        self._make_room(len(fields), fields.words.shape[1])
        rows = slice(self._count, self._count + len(fields))
        self._known.words[rows, : fields.words.shape[1]] = fields.words
        self._known.lengths[rows] = fields.lengths
        self._hashes[rows] = hashes
        numbers = np.arange(rows.start, rows.stop, dtype=np.int32)
        self._count = rows.stop
        size = len(self._places)
        while self._count * MOST_FILLED > size:
            size *= 4
        if size > len(self._places):
            self._places = np.full(size, -1, np.int32)
            numbers = np.flatnonzero(self._known.lengths[: self._count] >= 0).astype(np.int32)
        self._enter(numbers)

    def _enter(self, numbers: NDArray[np.int32]) -> None:
        """Give each of these ids the first free place from that of its hash on."""
        mask = len(self._places) - 1
        place = (self._hashes[numbers] & np.uint64(mask)).astype(np.intp)
        while len(numbers):
            free = self._places[place] < 0
            self._places[place[free]] = numbers[free]  # of several for one place, one is entered
            left = self._places[place] != numbers
            numbers, place = numbers[left], (place[left] + 1) & mask

    def _make_room(self, count: int, width: int) -> None:
        """Room for so many more ids of so many words."""
        rows, columns = self._known.words.shape
        needed = self._count + count
        if needed <= rows and width <= columns:
            return
        more, wider = 2 * needed if needed > rows else rows, max(width, columns)
        words = np.zeros((more, wider), np.uint64)
        words[:rows, :columns] = self._known.words
        lengths, hashes = np.zeros(more, np.int64), np.zeros(more, np.uint64)
        lengths[:rows], hashes[:rows] = self._known.lengths, self._hashes
        self._known, self._hashes = Fields(words, lengths), hashes


def _hashes(fields: Fields) -> NDArray[np.uint64]:
    """A hash of each field, uint64 (N,); it does not depend on how many zeros follow."""
    mixed = fields.lengths.astype(np.uint64)
    for column in range(fields.words.shape[1]):
        word = fields.words[:, column] * (_ODD * np.uint64(2 * column + 1))
        word ^= word >> _HALF
        mixed += word * _ODD
    mixed ^= mixed >> _HALF
    mixed *= _ODD
    return mixed ^ (mixed >> _HALF)
