"""The option `bg` of a table: a thread reads the next object while the caller works on one.

Source: Kaldi util/kaldi-table-inl.h (SequentialTableReaderBackgroundImpl). It saves time if reading waits: for the
commands of a script's lines, or for a slow disk.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """The mark after the last item, with the error that stopped the reading, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """An iterator over `items` with one item ready and one in work.

    Args:
        items: from now on only the thread uses them.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._ready: queue.Queue[T | _End] = queue.Queue(maxsize=1)
        self._stopped = threading.Event()
        # Messages carry the name of the command that reads.
        work = contextvars.copy_context().run
        self._thread = threading.Thread(target=work, args=(self._fill,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._ready.get()
        if not isinstance(item, _End):
            return item
        self._ready.put(_End(None))  # the next call must end again
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """End the thread, after the object that it is reading; items that are ready are dropped."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._ready.get_nowait()
            except queue.Empty:
                self._thread.join(timeout=0.01)
        self._ready = queue.Queue()
        self._ready.put(_End(None))

    def _fill(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._ready.put(item)
                if self._stopped.is_set():
                    return
        except Exception as exc:  # any error is raised in the caller's thread
            error = exc
        self._ready.put(_End(error))
