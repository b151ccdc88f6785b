"""A bounded memory: what was used least recently goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Values by key, up to `max_bytes` of them; a value larger than that is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.held_bytes = max_bytes, 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Value | None:
        """The value, None if it is not (or no longer) kept."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Value, num_bytes: int) -> None:
        """Keep a value under a key that has none."""
        if num_bytes > self.max_bytes:
            return
        self._values[key] = (value, num_bytes)
        self.held_bytes += num_bytes
        while self.held_bytes > self.max_bytes:
            self.held_bytes -= self._values.popitem(last=False)[1][1]
