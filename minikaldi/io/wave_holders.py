"""The form of waves in a table or file.

Source: Kaldi feat/wave-reader.h (WaveHolder, WaveInfoHolder).
"""

from __future__ import annotations

from common.errors import KaldiError
from minikaldi.io.primitives import Reader, Writer
from minikaldi.io.wave import Wave, WaveHeader, read_wave, read_wave_header, write_wave


class WaveHolder:
    """RIFF waves; an archive holds the same bytes as a file."""

    what = "wave"

    def read(self, stream: Reader) -> Wave:
        """The recording."""
        return read_wave(stream)

    def write(self, stream: Writer, value: Wave, binary: bool) -> None:
        """The recording as 16-bit PCM."""
        if not binary:
            raise KaldiError("waves cannot be written as text; drop the 't' from the wspecifier")
        write_wave(stream, value)


class WaveHeaderHolder:
    """The header of a wave that is a file of its own: no samples are read."""

    what = "wave header"

    def read(self, stream: Reader) -> WaveHeader:
        """Rate, channels and size."""
        return read_wave_header(stream)

    def write(self, stream: Writer, value: WaveHeader, binary: bool) -> None:
        """Refuse: a header without samples is not a file."""
        raise KaldiError("a wave header cannot be written alone")


WAVE = WaveHolder()
WAVE_HEADER = WaveHeaderHolder()
