"""Computing the parts of something in several threads; numpy's products leave the other threads free to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_threads(compute: Callable[[Part], Result], parts: Sequence[Part], num_threads: int) -> Iterator[Result]:
    """The results in the order of the parts; at most `num_threads` are computed, or wait to be used, at once."""
    if num_threads <= 1 or len(parts) <= 1:
        yield from map(compute, parts)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        for start in range(0, len(parts), num_threads):
            yield from pool.map(compute, parts[start : start + num_threads])
