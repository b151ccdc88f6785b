"""Rooms and noises that are kept for the next call: which, for how long, and that nothing else changes."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import KaldiError
from minikaldi.feat.wave_cache import SHARED_WAVES, WaveCache
from minikaldi.feat.wave_sources import wave_source
from minikaldi.featbin import to_wav
from minikaldi.io import WAVE, Wave, read_object, sequential, write_object
from tests.minikaldi.helpers.running import run

RNG = np.random.default_rng(0)


class CountingReader:
    """Reads, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, rxfilename: str) -> Wave:
        self.calls += 1
        return read_object(rxfilename, WAVE)


def noise(seconds: float) -> np.ndarray:
    """Whole numbers (1, N) at 16 kHz."""
    return np.rint(1000 * RNG.standard_normal((1, int(16000 * seconds)))).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str], root: Path) -> Path:
    """A folder with x.wav, x.flac, `my noise.flac` at 22.05 kHz and all.ark; our commands on PATH."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(tmp_path)
    Path("utils").symlink_to(root / "utils")
    write_object("x.wav", WAVE, Wave(16000.0, noise(0.1)))
    soundfile.write("x.flac", noise(0.1)[0] / 32768, 16000)
    soundfile.write("my noise.flac", noise(0.1).repeat(2, axis=0).T / 32768, 22050)
    Path("all.ark").write_bytes(b"a " + Path("x.wav").read_bytes() + b"b " + Path("x.wav").read_bytes())
    return tmp_path


KEPT = [
    "x.wav",
    "cat x.wav |",
    "all.ark:2",
    "wav-copy all.ark:2 - |",
    "to_wav.py x.flac |",
    "utils/to_wav.py x.flac 16000 |",
    "utils/to_wav.py 'my noise.flac' 16000 |",
    "utils/to_wav.py --rate 16000 my\\ noise.flac | utils/to_wav.py --rate 8000 - |",
    "cat x.flac | utils/to_wav.py --speed 1.1 - 16000 | wav-copy - - |",
]


@pytest.mark.parametrize("name", KEPT)
def test_files_and_pipes_of_one_file_are_read_once_as_long_as_it_stays(name: str) -> None:
    cache, read = WaveCache(), CountingReader()
    first = cache.get(name, read)
    assert cache.get(name, read) is first and read.calls == 1
    np.testing.assert_array_equal(first.samples, read_object(name, WAVE).samples)
    with pytest.raises(ValueError, match="read-only"):
        first.samples[0, 0] = 1.0
    assert cache.held_bytes == first.samples.nbytes


NOT_KEPT = [
    "cat x.wav; true |",
    "cat x.wav | sed '' |",
    "wav-reverberate --duration=0.2 x.wav - |",
    "cat x.wav | wav-reverberate --impulse-response=x.wav - - |",
    "to_wav.py --config=rate.conf x.flac |",
]


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_depends_on_more_than_one_file_is_read_each_time(name: str) -> None:
    Path("rate.conf").write_text("--rate=8000\n")
    cache, read = WaveCache(), CountingReader()
    assert wave_source(name) is None
    cache.get(name, read), cache.get(name, read)
    assert (read.calls, cache.held_bytes) == (2, 0)


@pytest.mark.parametrize(
    "name", ["-", "", "absent.wav", "cat absent.wav |", "to_wav.py - |", "cat fifo |", "fifo", "."]
)
def test_what_is_no_file_has_no_source(name: str) -> None:
    os.mkfifo("fifo")
    assert wave_source(name) is None


def test_the_file_of_a_pipe_is_named_literally_and_that_of_an_argument_may_have_an_offset() -> None:
    """`cat x:2` opens the file x:2; `wav-copy x:2` goes to byte 2 of x."""
    Path("all.ark:2").write_bytes(Path("x.wav").read_bytes())
    sources = [wave_source(name) for name in ("cat all.ark:2 |", "all.ark:2")]
    assert sources[0] and sources[1]
    assert [each.inode for each in sources if each] == [Path(p).stat().st_ino for p in ("all.ark:2", "all.ark")]
    assert [each.offset for each in sources if each] == [0, 2]


def test_a_program_that_path_finds_first_is_run_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/wav-copy").write_text("#!/bin/sh\nexec cat x.wav\n")
    (folder / "bin/wav-copy").chmod(0o755)
    assert wave_source("wav-copy x.wav - |") is not None
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    assert wave_source("wav-copy x.wav - |") is None


@pytest.mark.parametrize("name", ["x.wav", "cat x.wav |", "utils/to_wav.py x.wav |"])
def test_a_file_that_changes_is_read_again(name: str) -> None:
    """Even if size and name stay: the time of the change and the inode show it."""
    cache, read = WaveCache(), CountingReader()
    cache.get(name, read)
    write_object("other.wav", WAVE, Wave(16000.0, noise(0.1)))
    Path("other.wav").replace("x.wav")
    np.testing.assert_array_equal(cache.get(name, read).samples, read_object("x.wav", WAVE).samples)
    os.utime("x.wav", ns=(0, 0))
    cache.get(name, read)
    assert read.calls == 3


def test_a_file_that_changes_while_it_is_read_is_not_kept() -> None:
    cache = WaveCache()

    def read(name: str) -> Wave:
        wave = read_object(name, WAVE)
        write_object("x.wav", WAVE, Wave(16000.0, noise(0.2)))
        return wave

    assert cache.get("x.wav", read).samples.shape == (1, 1600)
    assert cache.held_bytes == 0
    assert cache.get("x.wav", CountingReader()).samples.shape == (1, 3200)


def test_the_least_recently_used_goes_beyond_the_bound() -> None:
    for letter in "abc":
        write_object(f"{letter}.wav", WAVE, Wave(16000.0, noise(0.1)))  # 6,400 bytes of samples each
    names = ["a.wav", "utils/to_wav.py b.wav |", "cat c.wav |"]
    cache, read = WaveCache(max_bytes=13000), CountingReader()
    cache.get(names[0], read), cache.get(names[1], read), cache.get(names[0], read), cache.get(names[2], read)
    assert (read.calls, cache.held_bytes) == (3, 12800)
    cache.get(names[0], read)
    assert read.calls == 3
    cache.get(names[1], read)
    assert (read.calls, cache.held_bytes) == (4, 12800)


def test_a_wave_larger_than_the_bound_is_given_and_not_kept() -> None:
    cache, read = WaveCache(max_bytes=6399), CountingReader()
    assert cache.get("x.wav", read).samples.any() and cache.get("x.wav", read).samples.any()
    assert (read.calls, cache.held_bytes) == (2, 0)


def test_threads_that_ask_for_the_same_wave_at_once_read_it_once() -> None:
    cache, calls, names = WaveCache(), [], ["utils/to_wav.py x.flac |", "x.wav"]

    def read(name: str) -> Wave:
        calls.append(name)
        time.sleep(0.05)  # so that the others come while it is read
        return read_object(name, WAVE)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: cache.get(names[n % 2], read), range(40)))
    assert sorted(calls) == sorted(names)
    assert {id(wave) for wave in found} == {id(found[0]), id(found[1])}


def test_a_thread_that_waited_for_a_reading_that_failed_reads_itself() -> None:
    cache, may_fail, calls = WaveCache(), threading.Event(), []

    def read(name: str) -> Wave:
        calls.append(name)
        if len(calls) == 1:
            may_fail.wait(5)
            raise KaldiError("the disk is away")
        return read_object(name, WAVE)

    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(cache.get, "x.wav", read) for _ in range(2)]
        may_fail.set()
        outcomes = [each.exception() for each in asked]
    assert sorted(map(str, outcomes)) == ["None", "the disk is away"]
    assert cache.held_bytes == 6400


def test_pipes_that_are_refused_are_so_where_their_wave_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--additive-signals=utils/to_wav.py x.flac |", "--snrs=5", "--start-times=0"]
    assert run("wav-reverberate", *options, "x.wav", "o.wav")[0] == 0
    assert run("wav-reverberate", "--no-pipes", *options, "x.wav", "o.wav")[0] == 255
    assert "refused to run the pipe 'utils/to_wav.py x.flac" in capfd.readouterr().err


def test_copies_of_one_process_decode_each_flac_noise_and_room_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of reverberate_data_dir.py and augment_data_dir.py, in their three forms."""
    decoded: list[str] = []
    read_audio = to_wav.read_audio

    def counting(source: str) -> tuple[np.ndarray, int]:
        decoded.append(str(source))
        return read_audio(source)

    monkeypatch.setattr(to_wav, "read_audio", counting)
    for name in ("room", "fg", "bg"):
        soundfile.write(f"{name}.flac", noise(0.3)[0] / 32768, 16000)
    forms = [
        'cat x.wav | wav-reverberate --impulse-response="utils/to_wav.py --rate 16000 room.flac |" - - |',
        "wav-reverberate --additive-signals='utils/to_wav.py fg.flac 16000 |' --start-times='0' --snrs='5' x.wav - |",
        "wav-reverberate --additive-signals='wav-reverberate --duration=0.1 \"utils/to_wav.py bg.flac 16000 |\" - |' "
        "--start-times='0' --snrs='5' x.wav - |",
    ]
    Path("wav.scp").write_text("".join(f"{n:02d} {forms[n % 3]}\n" for n in range(12)))
    with sequential("scp:wav.scp", WAVE) as waves:
        assert len(dict(waves)) == 12
    assert sorted(decoded) == ["bg.flac", "fg.flac", "room.flac"]
    assert SHARED_WAVES.held_bytes <= SHARED_WAVES.max_bytes
