"""Pairs of ids as numbers: ten million of them need 80 MB, and are compared with other lists by sorting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]
IdNumbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PairList(Sequence[Pair]):
    """N pairs (enroll_id, test_id). As a sequence it has a tuple for each; for many pairs use the arrays.

    Attributes:
        ids: the different ids; each is in a pair.
        enroll: int32 (N,), place of each pair's enrolment id in `ids`.
        test: int32 (N,), the same of the test id.
    """

    ids: Sequence[str]
    enroll: IdNumbers
    test: IdNumbers

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> PairList:
        """The list of these pairs."""
        columns = list(pairs)
        numbers = {trial_id: number for number, trial_id in enumerate(dict.fromkeys(chain.from_iterable(columns)))}
        enroll = np.array([numbers[enroll_id] for enroll_id, _ in columns], dtype=np.int32)
        test = np.array([numbers[test_id] for _, test_id in columns], dtype=np.int32)
        return cls(list(numbers), enroll, test)

    def __len__(self) -> int:
        return len(self.enroll)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return list(self._tuples(self.enroll[place], self.test[place]))
        return self.ids[self.enroll[place]], self.ids[self.test[place]]

    def __iter__(self) -> Iterator[Pair]:
        return self._tuples(self.enroll, self.test)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(pair == another for pair, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _tuples(self, enroll: IdNumbers, test: IdNumbers) -> Iterator[Pair]:
        of_number = self.ids.__getitem__
        for start in range(0, len(enroll), 4096):
            some = slice(start, start + 4096)
            yield from zip(map(of_number, enroll[some].tolist()), map(of_number, test[some].tolist()), strict=True)


def pair_keys(enroll: IdNumbers, test: IdNumbers, num_ids: int) -> NDArray[np.int64]:
    """A number for each pair of id numbers, which no other pair has: int64 (N,)."""
    keys = enroll.astype(np.int64)
    keys *= num_ids
    keys += test
    return keys


def places_in(among: PairList, wanted: PairList) -> NDArray[np.intp]:
    """Place of each wanted pair in a list in which each pair appears once; −1 if it is not there: int (N,)."""
    number_of = {trial_id: number for number, trial_id in enumerate(wanted.ids)}
    numbers = np.array([number_of.get(trial_id, -1) for trial_id in among.ids], dtype=np.int32)
    enroll, test = numbers[among.enroll], numbers[among.test]
    if np.array_equal(enroll, wanted.enroll) and np.array_equal(test, wanted.test):
        return np.arange(len(wanted))
    keys = pair_keys(enroll, test, len(wanted.ids))
    keys[(enroll < 0) | (test < 0)] = -1
    order = np.argsort(keys)
    keys = keys[order]
    wanted_keys = pair_keys(wanted.enroll, wanted.test, len(wanted.ids))
    wanted_order = np.argsort(wanted_keys)  # neighbours are then looked up one after another, which the cache likes
    wanted_keys = wanted_keys[wanted_order]
    found = np.searchsorted(keys, wanted_keys)
    found[found == len(keys)] = 0
    places = np.where(keys[found] == wanted_keys, order[found], -1) if len(keys) else np.full(len(wanted), -1)
    result = np.empty(len(wanted), dtype=np.intp)
    result[wanted_order] = places
    return result


def first_repeated(pairs: PairList) -> tuple[int, int] | None:
    """(the first place of a pair that an earlier place has, that earlier place); None if all pairs differ."""
    keys = pair_keys(pairs.enroll, pairs.test, len(pairs.ids))
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    again = int(order[same + 1].min())
    return again, int(np.flatnonzero(keys == keys[again])[0])
