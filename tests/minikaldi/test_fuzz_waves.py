"""RIFF files with every field forged, in minikaldi's own reader, in the decoder of all formats and in stage 0."""

from __future__ import annotations

import io
import logging
import os
import random
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from local.audio_files import AudioFile, inspect
from minikaldi.feat.audio import read_audio
from minikaldi.io import WAVE, StreamContext, Wave, read_object, sequential
from minikaldi.io.wave import UNKNOWN_SIZES, samples_place
from tests.minikaldi.helpers.fuzzing import (
    EXTREMES,
    Refusal,
    cuts,
    damaged,
    flips,
    memory_limit,
    mixtures,
    refusal_or_value,
)

pytestmark = pytest.mark.filterwarnings("error")

PLACE = r"^standard input: byte \d+: "
SAMPLES = np.arange(-40, 40, dtype="<i2")
PCM_ID = bytes.fromhex("0100000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, size: int | None = None, padded: bool = True) -> bytes:
    padding = b"\0" * (len(body) % 2 if padded else 0)
    return name + struct.pack("<I", len(body) if size is None else size) + body + padding


def fmt(
    code: int = 1, channels: int = 1, rate: int = 16000, bits: int = 16, extra: bytes = b"", consistent: bool = True
) -> bytes:
    frame = channels * bits // 8 if consistent else 5
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, (frame * rate) % 2**32, frame, bits) + extra)


EXTENSIBLE = struct.pack("<HHI", 22, 16, 4) + PCM_ID


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


DATA = chunk(b"data", SAMPLES.tobytes())
INFO = chunk(b"LIST", b"INFOISFT\5\0\0\0sox \0")
GOOD = {
    "plain": riff(fmt(), DATA),
    "two channels": riff(fmt(channels=2), DATA),
    "extensible": riff(fmt(code=0xFFFE, extra=EXTENSIBLE), DATA),
    "chunks before": riff(chunk(b"JUNK", bytes(27)), fmt(extra=b"\0\0"), chunk(b"fact", bytes(4)), INFO, DATA),
    "chunk after": riff(fmt(), DATA, INFO),
    "streamed": riff(fmt(), chunk(b"data", SAMPLES.tobytes(), size=0xFFFFFFFF), size=0xFFFFFFFF),
    "streamed by sox": riff(fmt(), chunk(b"data", SAMPLES.tobytes(), size=0x7FFFF000), size=0x7FFFF024),
    "no sizes": riff(fmt(), chunk(b"data", SAMPLES.tobytes(), size=0), size=0),
    "no data size": riff(fmt(), chunk(b"data", SAMPLES.tobytes(), size=0)),
    "no riff size": riff(fmt(), DATA, size=0),
}
BAD = {
    "no fmt": riff(DATA),
    "fmt after": riff(DATA, fmt()),
    "short fmt": riff(chunk(b"fmt ", bytes(15)), DATA),
    "short extensible": riff(fmt(code=0xFFFE, extra=EXTENSIBLE[:-1]), DATA),
    "other sub-format": riff(fmt(code=0xFFFE, extra=EXTENSIBLE[:-1] + b"\0"), DATA),
    "float": riff(fmt(code=3, bits=32), DATA),
    "mu-law": riff(fmt(code=7, bits=8), DATA),
    "rate 0": riff(fmt(rate=0), DATA),
    "no channels": riff(fmt(channels=0), DATA),
    "7 bits": riff(fmt(bits=7), DATA),
    "24 bits": riff(fmt(bits=24), DATA),
    "sizes that do not fit together": riff(fmt(consistent=False), DATA),
    "empty data": riff(fmt(), chunk(b"data", b"")),
    "half a sample": riff(fmt(), chunk(b"data", b"\1")),
    "half a sample of all channels": riff(fmt(channels=9), chunk(b"data", bytes(16))),
    "chunk of 4 GB": riff(chunk(b"JUNK", b"", size=0xFFFFFFFE), fmt(), DATA),
    "big-endian": riff(fmt(), DATA).replace(b"RIFF", b"RIFX"),
    "64-bit sizes": riff(fmt(), DATA).replace(b"RIFF", b"RF64"),
    "no wave": riff(fmt(), DATA).replace(b"WAVE", b"AVI "),
    "no data": riff(fmt(), INFO),
    "nothing": b"",
}


def forged() -> Iterator[bytes]:
    """The header fields of a wave, one after the other, set to what they should not be."""
    for good in GOOD.values():
        for at in (4, *(found.start() + 4 for found in re.finditer(rb"fmt |data|LIST|JUNK|fact", good))):
            for size in (*EXTREMES, 7, 0x7FFFF000, 0x7FFFFFFE):
                yield good[:at] + (size % 2**32).to_bytes(4, "little") + good[at + 4 :]
        fields = good.index(b"fmt ") + 8
        for at in range(fields, fields + 16, 2):
            for value in (0, 1, 7, 0x7FFF, 0xFFFE, 0xFFFF):
                yield good[:at] + value.to_bytes(2, "little") + good[at + 2 :]


def read(data: bytes) -> Wave | Refusal:
    return refusal_or_value(lambda: read_object("-", WAVE, StreamContext(io.BytesIO(data))), (KaldiError,), PLACE, data)


@pytest.mark.parametrize("name", GOOD)
def test_good_waves_are_read_alike_by_all_three(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(GOOD[name])
    wave = read(GOOD[name])
    assert isinstance(wave, Wave)
    # Kaldi too reads the bytes after samples of unknown length as samples.
    assert np.array_equal(wave.samples.T.ravel(), SAMPLES)
    decoded, rate = read_audio(path)
    assert rate == wave.sample_rate and np.array_equal(decoded, wave.samples)
    found = inspect(str(path), 16000)
    assert isinstance(found, AudioFile)
    assert found.seconds == wave.duration
    assert not found.plain or len(wave.samples) == 1


def test_a_chunk_of_odd_size_may_lack_its_padding() -> None:
    wave = read(riff(chunk(b"JUNK", b"odd", padded=False), fmt(), DATA))
    assert isinstance(wave, Wave) and np.array_equal(wave.samples[0], SAMPLES)


@pytest.mark.parametrize("name", BAD)
def test_bad_waves_are_refused_with_their_place(name: str) -> None:
    outcome = read(BAD[name])
    assert isinstance(outcome, Refusal)


@pytest.mark.parametrize("size", [*UNKNOWN_SIZES, 160])
def test_samples_of_unknown_size_have_none_missing(size: int) -> None:
    data = riff(fmt(), chunk(b"data", SAMPLES.tobytes()[:100], size=size))
    place = samples_place(io.BufferedReader(io.BytesIO(data)), len(data))  # type: ignore[arg-type]
    assert place is not None
    assert (place.offset, place.present, place.missing) == (44, 100, None if size != 160 else 60)


def test_forged_waves_are_values_or_one_error() -> None:
    with memory_limit():
        outcomes = [read(data) for data in forged()]
    waves = [outcome for outcome in outcomes if isinstance(outcome, Wave)]
    assert 0 < len(waves) < len(outcomes)
    assert all(wave.samples.size and wave.sample_rate > 0 for wave in waves)


@pytest.mark.parametrize("name", GOOD)
def test_a_cut_wave_gives_its_first_samples_with_a_warning_or_an_error(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = GOOD[name]
    begin = good.index(b"data") + 8
    for data in cuts(good):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "minikaldi"):
            wave = read(data)
        if isinstance(wave, Refusal):
            assert len(data) < begin + 4
        else:
            present = (len(data) - begin) // 2 * 2
            assert wave.samples.T.astype("<i2").tobytes() == SAMPLES.tobytes()[:present][: wave.samples.size * 2]
            warned = "Truncated file?" in caplog.text or "partial sample" in caplog.text
            assert warned or wave.samples.size == min(present // 2, SAMPLES.size), len(data)


def test_damaged_waves_are_values_or_one_error() -> None:
    with memory_limit():
        for good in GOOD.values():
            for data in damaged(good, seed=4, mixed=60, header=48, places=1):
                read(data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=80), st.sampled_from([0, 12, 20, 36, 44]))
def test_any_bytes_in_a_wave_are_a_value_or_one_error(data: bytes, kept: int) -> None:
    read(GOOD["plain"][:kept] + data)


def test_an_archive_of_waves_that_is_cut_warns_or_ends_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    archive = b"".join(f"utt{number} ".encode() + GOOD["plain"] for number in range(2))
    ends = [len(archive) // 2, len(archive)]
    for cut in range(len(archive)):
        entries: list[Wave] = []

        def read_all(data: bytes = archive[:cut], entries: list[Wave] = entries) -> None:
            with sequential("ark:-", WAVE, StreamContext(io.BytesIO(data))) as table:
                entries.extend(wave for _, wave in table)

        caplog.clear()
        with caplog.at_level(logging.WARNING, "minikaldi"):
            outcome = refusal_or_value(read_all, (KaldiError,), r"^standard input: (key \S+: )?byte \d+: ", cut)
        whole = [wave for wave in entries if wave.samples.size == SAMPLES.size]
        assert len(whole) == sum(cut >= end for end in ends)
        assert isinstance(outcome, Refusal) or "Truncated file?" in caplog.text or cut in (0, *ends)


def test_a_file_of_zeros_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(riff(fmt())[:36])
    os.truncate(path, 1 << 31)  # sparse: 2 GB, as a broken download leaves them
    with pytest.raises(KaldiError, match="byte 8028: the wave has more than 1000 chunks and no samples"):
        read_object(str(path), WAVE)


def test_a_wave_without_a_length_takes_the_rest_of_its_archive_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    data = b"utt0 " + GOOD["no sizes"] + b"utt1 " + GOOD["plain"]
    with sequential("ark:-", WAVE, StreamContext(io.BytesIO(data))) as table:
        entries = list(table)
    assert [key for key, _ in entries] == ["utt0"]
    assert "byte 5: a wave without a length in its header is read to the end of the archive" in caplog.text
    caplog.clear()
    read(GOOD["no sizes"])
    assert not caplog.text


def encoded(suffix: str, subtype: str, format_name: str) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, (700, 2))
    soundfile.write(stream, noise, 16000, subtype=subtype, format=format_name)
    return stream.getvalue()


FORMATS = [
    ("wav", "PCM_16", "WAV"),
    ("wav", "FLOAT", "WAV"),
    ("wav", "IMA_ADPCM", "WAV"),
    ("w64", "PCM_16", "W64"),
    ("rf64", "PCM_16", "RF64"),
    ("flac", "PCM_16", "FLAC"),
    ("ogg", "VORBIS", "OGG"),
    ("opus", "OPUS", "OGG"),
    ("mp3", "MPEG_LAYER_III", "MP3"),
    ("aiff", "PCM_16", "AIFF"),
    ("au", "PCM_16", "AU"),
    ("caf", "PCM_16", "CAF"),
    ("sph", "PCM_16", "NIST"),
]


def decode_all(inputs: Iterator[bytes]) -> None:
    with memory_limit():
        for data in inputs:
            read_audio_once = lambda data=data: read_audio(io.BytesIO(data))  # noqa: E731
            outcome = refusal_or_value(read_audio_once, (KaldiError,), "^standard input: ", data)
            if not isinstance(outcome, Refusal):
                assert outcome[0].size and np.isfinite(outcome[0]).all() and outcome[1] > 0


@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: f"{one[0]} {one[1]}")
def test_damaged_audio_decodes_or_is_refused_in_one_line(format_: tuple[str, str, str]) -> None:
    data = encoded(*format_)
    rng = random.Random(5)
    decode_all(iter([*list(flips(data, 40))[::4], *mixtures(data, rng, 30), *cuts(data, 15)]))


@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: f"{one[0]} {one[1]}")
def test_audio_that_was_cut_short_is_refused(format_: tuple[str, str, str]) -> None:
    data = encoded(*format_)
    for share in (0.5, 0.97):
        with pytest.raises(KaldiError, match=r"truncated|no audio that libsndfile can read"):
            read_audio(io.BytesIO(data[: int(len(data) * share)]))


@pytest.mark.parametrize(
    "data",
    [
        encoded("au", "PCM_16", "AU")[:8] + b"\xff" * 4 + encoded("au", "PCM_16", "AU")[12:],
        GOOD["no sizes"],
    ],
    ids=["au", "wav"],
)
def test_audio_of_unknown_length_is_read(data: bytes) -> None:
    assert read_audio(io.BytesIO(data))[0].size


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: f"{one[0]} {one[1]}")
def test_audio_damaged_in_many_places_decodes_or_is_refused(format_: tuple[str, str, str]) -> None:
    decode_all(damaged(encoded(*format_), seed=6, mixed=700, header=120, places=1))


@pytest.mark.slow
def test_waves_damaged_in_many_places_are_values_or_one_error() -> None:
    with memory_limit():
        for good in GOOD.values():
            for data in damaged(good, seed=7, mixed=3000, header=200, places=5):
                read(data)
