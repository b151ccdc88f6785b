"""Decoded impulse responses and noises, kept for the next call.

One process runs thousands of `wav-reverberate … |` of a wav.scp, and they share a few hundred rooms and noises, as
files or as pipes such as `utils/to_wav.py noise.flac 16000 |` (`minikaldi.feat.wave_sources` decides which).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from minikaldi.feat.wave_sources import WaveSource, wave_source
from minikaldi.io import Wave

MAX_BYTES = 256 * 2**20


class WaveCache:
    """Waves by their source; the least recently used is dropped first. Threads may share it.

    A file that changes, or is replaced, is read again; a file that changes while it is being read is not kept.

    Args:
        max_bytes: bound on the samples kept; a wave larger than that is not kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._waves: OrderedDict[WaveSource, Wave] = OrderedDict()
        self._being_read: dict[WaveSource, threading.Event] = {}
        self._lock = threading.Lock()

    def get(self, rxfilename: str, read: Callable[[str], Wave]) -> Wave:
        """The wave of a file, or of a pipe on one file that this process runs itself.

        It is read at most once as long as the file does not change; if another thread is reading it, this one waits.

        Args:
            rxfilename: the wave; any other pipe, and `-`, is read each time.
            read: reads a wave.

        Returns:
            The wave; its samples are shared, so they must not be changed.
        """
        source = wave_source(rxfilename)
        if source is None:
            return read(rxfilename)
        kept = self._kept_or_ours_to_read(source)
        if kept is not None:
            return kept
        try:
            wave = read(rxfilename)
            if wave_source(rxfilename) == source:
                self._keep(source, wave)
            return wave
        finally:
            with self._lock:
                self._being_read.pop(source).set()

    def _kept_or_ours_to_read(self, source: WaveSource) -> Wave | None:
        """The wave, or None if this thread must read it; the others then wait."""
        while True:
            with self._lock:
                if source in self._waves:
                    self._waves.move_to_end(source)
                    return self._waves[source]
                reader = self._being_read.get(source)
                if reader is None:
                    self._being_read[source] = threading.Event()
                    return None
            reader.wait()

    def _keep(self, source: WaveSource, wave: Wave) -> None:
        wave.samples.flags.writeable = False
        with self._lock:
            if wave.samples.nbytes > self.max_bytes:
                return
            self._waves[source] = wave
            self.held_bytes += wave.samples.nbytes
            while self.held_bytes > self.max_bytes:
                _, dropped = self._waves.popitem(last=False)
                self.held_bytes -= dropped.samples.nbytes


SHARED_WAVES = WaveCache()
"""The process's cache."""
