"""A progress line with the time left, every ten seconds and never for short work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from local.program import say

T = TypeVar("T")
REPORT_SECONDS = 10.0


def with_progress(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Pass the items on; say `label: 300/1200, 25 %, left 0:21` by the mean pace so far."""
    started = time.monotonic()
    due = started + REPORT_SECONDS
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now >= due and done < total:
            due = now + REPORT_SECONDS
            left = round((now - started) * (total - done) / done)
            say(f"{label}: {done}/{total}, {100 * done // total} %, left {left // 60}:{left % 60:02d}")
