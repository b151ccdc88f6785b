"""Parts of audio files: only the samples that are needed are read, if the file allows it.

16-bit RIFF waves, alone or in an archive, are read at their place. `utils/to_wav.py <file> <rate> |`, by which the
recipe names other mono or stereo files, is read through soundfile by seeking if the file has the rate and is long,
and else decoded whole. Any other pipe is run and decoded whole. What was decoded whole is kept, up to a bound.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from common.errors import InputError, KaldiError
from minikaldi.feat.audio import changed_rate, one_channel, read_audio
from minikaldi.feat.audio_info import audio_info, with_soundfile
from minikaldi.featbin.to_wav import ToWavOptions
from minikaldi.io import WAVE, read_object
from minikaldi.io.inner import parse_pipeline
from minikaldi.io.opening import open_file
from minikaldi.io.specifiers import parse_rxfilename
from minikaldi.io.wave import is_unknown_size, read_wave_header
from minikaldi.options import parse
from nnet.augment.cache import BoundedCache
from nnet.augment.signal import FloatArray

if TYPE_CHECKING:
    import soundfile

SEEKABLE = frozenset(("FLAC", "WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64"))  # soundfile seeks to the sample
LONG = 2.5  # a file so many times longer than the part that is wanted is not decoded whole: seeking costs 0.5 ms
_KEPT_HEADERS = 20000
_FULL_SCALE = np.float32(32768)


class Audio(Protocol):
    """One channel of a recording."""

    @property
    def num_samples(self) -> int:
        """N."""

    @property
    def sample_rate(self) -> float:
        """Hz."""

    def read(self, start: int, stop: int) -> FloatArray:
        """Samples start … stop - 1, 0 <= start <= stop <= N, in 16-bit scale: float32 (stop - start,)."""


@dataclass(frozen=True)
class RiffAudio:
    """16-bit samples at byte `begin` of a file."""

    path: str
    begin: int
    channels: int
    channel: int
    num_samples: int
    sample_rate: float

    def read(self, start: int, stop: int) -> FloatArray:
        """See Audio."""
        width = 2 * self.channels
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, width * (stop - start), self.begin + width * start)
        finally:
            os.close(descriptor)
        if len(data) < width * (stop - start):
            raise InputError(f"{self.path}: has become shorter since it was opened; start again")
        samples = np.frombuffer(data, "<i2")
        return (samples if self.channels == 1 else samples[self.channel :: self.channels]).astype(np.float32)


@dataclass(frozen=True)
class SoundFileAudio:
    """A file that soundfile reads from any place; several channels are averaged, as to_wav.py does."""

    path: str
    num_samples: int
    sample_rate: float

    def read(self, start: int, stop: int) -> FloatArray:
        """See Audio."""
        try:
            with Path(self.path).open("rb", buffering=0) as stream:
                samples = with_soundfile(stream.fileno(), lambda audio: _samples(audio, start, stop))
        except KaldiError as error:
            what = f"samples {start} to {stop - 1} do not decode ({error})"
            raise InputError(f"{self.path}: {what}; fetch the file again") from error
        if len(samples) < stop - start or not np.isfinite(samples).all():
            raise InputError(f"{self.path}: samples {start} to {stop - 1} do not decode; fetch the file again")
        mono: FloatArray = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
        return np.clip(np.rint(mono * _FULL_SCALE), -32768, 32767)


def _samples(audio: soundfile.SoundFile, start: int, stop: int) -> FloatArray:
    """float32 (stop - start, channels), or fewer if they end before."""
    audio.seek(start)
    samples: FloatArray = audio.read(stop - start, dtype="float32", always_2d=True)
    return samples


@dataclass(frozen=True)
class DecodedAudio:
    """Samples in memory."""

    samples: npt.NDArray[np.int16]
    sample_rate: float

    @property
    def num_samples(self) -> int:
        """N."""
        return len(self.samples)

    def read(self, start: int, stop: int) -> FloatArray:
        """See Audio."""
        return self.samples[start:stop].astype(np.float32)


class AudioReader:
    """Opens recordings as wav.scp names them, and keeps headers and decoded audio, least recently used dropped first.

    Args:
        sample_rate: Hz that all audio must have.
        max_bytes: bound on the decoded audio.
    """

    def __init__(self, sample_rate: float, max_bytes: int) -> None:
        self.sample_rate = sample_rate
        self._headers: BoundedCache[Audio] = BoundedCache(_KEPT_HEADERS)
        self._decoded: BoundedCache[Audio] = BoundedCache(max_bytes)

    def open(self, rxfilename: str, name: str, channel: int = 0, wanted: int = 0) -> Audio:
        """A recording.

        Args:
            rxfilename: a file, an offset into an archive, or a pipe, as in wav.scp.
            name: what an error calls it.
            channel: of a file with several.
            wanted: samples that will be read, about; a file of many times that length is not decoded whole.

        Raises:
            InputError: it cannot be read, or its sampling rate is another; says what to do.
        """
        key = (rxfilename, channel)
        audio = self._decoded.get(key) or self._headers.get(key)
        if audio is not None:
            return audio
        try:
            audio = self._opened(rxfilename, channel, wanted)
        except (KaldiError, OSError) as error:
            raise InputError(f"{name}: cannot read {rxfilename}: {error}") from error
        if audio.sample_rate != self.sample_rate:
            raise InputError(
                f"{name}: {rxfilename} is {audio.sample_rate:g} Hz, --sample-frequency of the features is"
                f" {self.sample_rate:g}; name it as `utils/to_wav.py <file> {self.sample_rate:g} |`"
            )
        if audio.num_samples == 0:
            raise InputError(f"{name}: {rxfilename} holds no samples; remove it from the list")
        if isinstance(audio, DecodedAudio):
            self._decoded.put(key, audio, audio.samples.nbytes)
        else:
            self._headers.put(key, audio, 1)
        return audio

    def _opened(self, rxfilename: str, channel: int, wanted: int) -> Audio:
        name = parse_rxfilename(rxfilename)
        if name.kind == "file":
            return _riff(name.target, name.offset, channel)
        conversion = _conversion(name.target)
        if conversion is None:
            wave = read_object(rxfilename, WAVE)
            _check_channel(channel, len(wave.samples))
            return DecodedAudio(wave.samples[channel].astype(np.int16), wave.sample_rate)
        # A short file is decoded once and kept: a small corpus is then in memory after its first pass.
        found = conversion.seekable()
        if found is None:
            return conversion.decoded()
        worthwhile = 0 < LONG * wanted < found.num_samples or 2 * found.num_samples > self._decoded.max_bytes
        return found if worthwhile else conversion.decoded()


@dataclass(frozen=True)
class Conversion:
    """A call of utils/to_wav.py on a file.

    Attributes:
        path: of the file.
        rate: Hz, 0 for the file's own.
        options: of to_wav.py.
    """

    path: str
    rate: int
    options: ToWavOptions

    def seekable(self) -> SoundFileAudio | None:
        """The file, if soundfile reads it from any place and only the averaging of channels must be done."""
        try:
            found = audio_info(self.path)
        except (KaldiError, OSError):
            return None  # it needs ffmpeg, or `decoded` reports what is wrong with it
        as_it_is = self.rate in (0, found.rate) and self.options.speed == 1.0 and self.options.channel < 0
        if found.format not in SEEKABLE or not (found.as_it_stands and as_it_is):
            return None
        return SoundFileAudio(self.path, found.num_samples, float(found.rate))

    def decoded(self) -> DecodedAudio:
        """What to_wav.py writes, without its lines on stderr."""
        channels, own_rate = read_audio(self.path)
        mono = one_channel(channels, "mean" if self.options.channel < 0 else self.options.channel, self.path)
        rate = self.rate or own_rate
        samples = np.rint(changed_rate(mono, own_rate, rate, self.options.speed))
        return DecodedAudio(np.clip(samples, -32768, 32767).astype(np.int16), float(rate))


def _conversion(command: str) -> Conversion | None:
    """What a pipe asks for that is nothing but our own to_wav.py on a file."""
    stages = parse_pipeline(command)
    if stages is None or len(stages) != 1 or Path(stages[0][0]).name != "to_wav.py":
        return None
    options, _, words = parse(stages[0][1:], ToWavOptions)
    if len(words) not in (1, 2) or words[0] == "-" or not (words[1:] or ["0"])[0].isdecimal():
        return None  # to_wav.py itself reports what is wrong
    return Conversion(words[0], int(words[1]) if len(words) == 2 else options.rate, options)


def _check_channel(channel: int, channels: int) -> None:
    if not 0 <= channel < channels:
        raise KaldiError(f"there is no channel {channel}, its channels are 0 to {channels - 1}")


def _riff(path: str, offset: int, channel: int) -> RiffAudio:
    with open_file(path, offset) as stream:
        header = read_wave_header(stream)
        begin = stream.tell()
        there = os.fstat(stream.fileno()).st_size - begin
    _check_channel(channel, header.channels)
    missing = 0 if header.data_bytes is None else max(0, header.data_bytes - there)
    if missing and not is_unknown_size(header.data_bytes or 0):
        raise KaldiError(f"truncated: its header promises {missing} bytes more than there are; fetch it again")
    num_bytes = there if missing or header.data_bytes is None else header.data_bytes
    num_samples = num_bytes // (2 * header.channels)
    return RiffAudio(path, begin, header.channels, channel, num_samples, float(header.sample_rate))
