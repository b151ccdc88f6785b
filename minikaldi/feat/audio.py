"""Audio files of any kind as one float32 channel at one rate.

libsndfile (through soundfile) reads WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF, AU and PCM SPHERE; MP4/M4A, AAC, WMA,
Matroska and AMR go through an ffmpeg on PATH.
"""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from minikaldi.feat.audio_info import DAMAGED, end_decodes, foreign_container, require_alike, with_soundfile
from minikaldi.feat.audio_lengths import reader_of
from minikaldi.feat.audio_parts import AudioPart, BytesFile, audio_parts
from minikaldi.feat.resample import wideband_resample

if TYPE_CHECKING:
    import soundfile

FULL_SCALE = 32768.0
"""A float sample of 1.0, in Kaldi's 16-bit scale."""

_MEND = "fetch it again or convert it, or remove it from the list"
_BLOCK_SAMPLES = 1 << 22


def load_audio(
    source: str | Path | BinaryIO, sample_rate: int, speed: float = 1.0, channel: Literal["mean"] | int = "mean"
) -> NDArray[np.float32]:
    """One channel of an audio file at the wanted rate and speed.

    Args:
        source: a file's name, or a stream of a whole file's bytes.
        sample_rate: Hz of the result.
        speed: tempo and pitch factor, as `sox speed`: 1.1 is a tenth faster, higher and shorter.
        channel: an index, or "mean" for the mean of the channels.

    Returns:
        float32 (N,) in 16-bit scale, N >= 1; not rounded, and a resampled peak may exceed the 16-bit range.

    Raises:
        KaldiError: empty, truncated or no audio, samples that are not finite, no such channel; ffmpeg is needed and
            absent.
    """
    channels, rate = read_audio(source)
    return changed_rate(one_channel(channels, channel, source_name(source)), rate, sample_rate, speed)


def one_channel(channels: NDArray[np.float32], channel: Literal["mean"] | int, name: str) -> NDArray[np.float32]:
    """One channel, or the mean of all, (channels, N) -> (N,); `name` is the name of the file in errors.

    Raises:
        KaldiError: there is no such channel.
    """
    if channel == "mean":
        mean: NDArray[np.float32] = channels.mean(axis=0)
        return mean
    if not 0 <= channel < len(channels):
        raise KaldiError(f"{name}: has {len(channels)} channels, so there is no channel {channel} (counted from 0)")
    samples: NDArray[np.float32] = channels[channel]
    return samples


def changed_rate(samples: NDArray[np.float32], rate: int, sample_rate: int, speed: float) -> NDArray[np.float32]:
    """The samples (N,) at another rate in Hz and another speed, (ceil(N sample_rate / (rate speed)),).

    Raises:
        KaldiError: a rate below 1 Hz, or a speed outside 0.1 … 10.
    """
    if sample_rate < 1 or not 0.1 <= speed <= 10:
        raise KaldiError(f"rate {sample_rate} Hz and speed {speed:g}: the rate must be 1 or more, the speed 0.1 to 10")
    # To play faster means to treat the samples as samples of a higher rate.
    played_rate = rate * Fraction(speed).limit_denominator(1000)
    return wideband_resample(samples, played_rate.numerator, sample_rate * played_rate.denominator)


def read_audio(source: str | Path | BinaryIO) -> tuple[NDArray[np.float32], int]:
    """All channels of an audio file.

    Args:
        source: a file's name, or a stream of a whole file's bytes.

    Returns:
        float32 (channels, N) in 16-bit scale, N >= 1, and the sampling rate in Hz.

    Raises:
        KaldiError: as `load_audio`.
    """
    name, data = source_name(source), _contents(source)
    if not data:
        raise KaldiError(f"{name}: the file is empty; remove it from the list, or fetch it again")
    container = foreign_container(reader_of(data))
    if container:
        data = _through_ffmpeg(name, data, container, None if _is_stream(source) else str(source))
    return _decoded(name, data)


def source_name(source: str | Path | BinaryIO) -> str:
    """The name of the source in messages."""
    return str(source) if isinstance(source, (str, Path)) else "standard input"


def _is_stream(source: str | Path | BinaryIO) -> bool:
    return not isinstance(source, (str, Path))


def _contents(source: str | Path | BinaryIO) -> bytes:
    if not isinstance(source, (str, Path)):
        return source.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise KaldiError(f"{source}: cannot read: {error.strerror}") from error


def _through_ffmpeg(name: str, data: bytes, container: str, path: str | None) -> bytes:
    """The file as WAV bytes, float samples, all channels, own rate."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise KaldiError(f"{name}: is {container}, which needs ffmpeg, and there is none on PATH; install ffmpeg")
    given = ["-i", f"file:{path}"] if path is not None else ["-i", "pipe:0"]
    command = [ffmpeg, "-nostdin", "-v", "error", "-xerror", *given, "-vn", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"]
    result = subprocess.run(command, input=None if path is not None else data, capture_output=True, check=False)
    said = result.stderr.decode(errors="replace").strip()[-400:]
    if result.returncode != 0 or not result.stdout or said:  # with a partial file it exits 0
        raise KaldiError(
            f"{name}: ffmpeg did not decode all of this {container} file (exit {result.returncode}): "
            f"{said or 'it printed nothing'}; {_MEND}"
        )
    return result.stdout


def _decoded(name: str, data: bytes) -> tuple[NDArray[np.float32], int]:
    try:
        decoded = [_decoded_part(part) for part in audio_parts(data)]
        require_alike([(rate, len(samples)) for samples, rate in decoded])
    except KaldiError as error:
        mend = "" if "; " in str(error) else f"; {_MEND}"  # some faults name their own repair
        raise KaldiError(f"{name}: {error}{mend}") from error
    samples, rate = np.concatenate([samples for samples, _ in decoded], axis=1), decoded[0][1]
    if samples.shape[1] == 0:
        raise KaldiError(f"{name}: holds a header and no samples; remove it from the list")
    if rate < 1:
        raise KaldiError(f"{name}: its header says {rate} samples a second; convert it again from its source")
    largest = float(np.abs(samples).max())
    if not largest * FULL_SCALE <= float(np.finfo(np.float32).max):  # also where it is NaN
        raise KaldiError(f"{name}: holds samples that are not finite numbers; convert it again from its source")
    return np.ascontiguousarray(samples * np.float32(FULL_SCALE)), rate


def _decoded_part(part: AudioPart) -> tuple[NDArray[np.float32], int]:
    """All samples (channels, N) of a stream, -1 … 1, and its rate in Hz.

    Raises:
        KaldiError: libsndfile does not decode it to its end; without the file's name.
    """

    def work(audio: soundfile.SoundFile) -> tuple[NDArray[np.float32], int, int]:
        """The samples, their rate, and how many are expected."""
        expected = audio.frames if part.num_samples is None else part.num_samples
        return _read_samples(audio, expected), audio.samplerate, expected

    try:
        samples, rate, expected = with_soundfile(BytesFile(part.data), work)
    except KaldiError as error:
        if part.data[:4] == b"fLaC" and not with_soundfile(BytesFile(part.data), end_decodes):
            raise KaldiError(str(error).replace(DAMAGED, "truncated: ", 1)) from error
        raise
    if samples.shape[1] < expected:
        raise KaldiError(f"{DAMAGED}{samples.shape[1]} of {expected} samples decode")
    return samples, rate


def _read_samples(audio: soundfile.SoundFile, wanted: int) -> NDArray[np.float32]:
    """The first `wanted` samples (channels, N), or fewer, read in blocks: a forged length allocates nothing."""
    block_frames = max(1, _BLOCK_SAMPLES // max(1, audio.channels))
    blocks: list[NDArray[np.float32]] = []
    while not blocks or (len(blocks[-1]) == block_frames and wanted > 0):
        blocks.append(audio.read(max(0, min(wanted, block_frames)), dtype="float32", always_2d=True))
        wanted -= len(blocks[-1])
    samples: NDArray[np.float32] = np.concatenate(blocks).T
    return samples
