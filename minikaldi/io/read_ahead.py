"""The option `bg` of a table: the next object is read in a thread while the caller works on one.

Source: Kaldi util/kaldi-table-inl.h (SequentialTableReaderBackgroundImpl). It gains where reading waits: for the
commands of a script's lines, for a slow disk.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """What follows the last item: the error that stopped the reading, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """An iterator over `items`, of which one waits ready and another is being made.

    Args:
        items: used by the thread alone, from now on.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._ready: queue.Queue[T | _End] = queue.Queue(maxsize=1)
        self._stopped = threading.Event()
        # Messages go out under the name of the command that reads.
        work = contextvars.copy_context().run
        self._thread = threading.Thread(target=work, args=(self._fill,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._ready.get()
        if not isinstance(item, _End):
            return item
        self._ready.put(_End(None))  # asked again, it ends again
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """Let the thread end, after the object that it is reading; what is ready is dropped."""
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
        except Exception as exc:  # whatever it is, it belongs to the caller
            error = exc
        self._ready.put(_End(error))
