"""Decoded impulse responses and noises, kept for the next call.

One process runs thousands of `wav-reverberate … |` of a wav.scp, and they share a few hundred rooms and noises.
"""

from __future__ import annotations

import stat
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from minikaldi.io import Wave
from minikaldi.io.specifiers import parse_rxfilename

MAX_BYTES = 256 * 2**20

_Key = tuple[int, int, int, int]  # device, number of the file on it, time of its last change, size


class WaveCache:
    """Waves by file, least recently used dropped first, safe to share between the threads of inner pipes.

    Args:
        max_bytes: bound on the samples kept; a wave larger than that is not kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._waves: OrderedDict[_Key, Wave] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, rxfilename: str, read: Callable[[str], Wave]) -> Wave:
        """The wave of a plain file, read at most once as long as the file does not change.

        Args:
            rxfilename: pipes, `-` and archive offsets are not files, and are read each time.
            read: reads the wave.

        Returns:
            the wave; its samples are shared, so they must not be written to.
        """
        key = _file_key(rxfilename)
        if key is None:
            return read(rxfilename)
        with self._lock:
            if key in self._waves:
                self._waves.move_to_end(key)
                return self._waves[key]
        wave = read(rxfilename)  # outside the lock: two threads may read the same file, none waits for the other
        self._keep(key, wave)
        return wave

    def _keep(self, key: _Key, wave: Wave) -> None:
        wave.samples.flags.writeable = False
        with self._lock:
            if key in self._waves or wave.samples.nbytes > self.max_bytes:
                return
            self._waves[key] = wave
            self.held_bytes += wave.samples.nbytes
            while self.held_bytes > self.max_bytes:
                _, dropped = self._waves.popitem(last=False)
                self.held_bytes -= dropped.samples.nbytes


def _file_key(rxfilename: str) -> _Key | None:
    """What tells a plain file from all others, and from itself before a change; None: not a plain file."""
    name = parse_rxfilename(rxfilename)
    if name.kind != "file" or name.offset:
        return None
    try:
        found = Path(name.target).stat()
    except OSError:
        return None  # reading it will tell
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


SHARED_WAVES = WaveCache()
"""The process's cache."""
