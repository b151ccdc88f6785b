"""Whole files that a header belies are decoded to their end by every reader; what lacks something is refused by all."""

from __future__ import annotations

import io
import random
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import InputError, KaldiError
from local.audio_files import AudioFile, Unreadable, inspect
from minikaldi.feat.audio import read_audio
from minikaldi.feat.audio_info import audio_info
from minikaldi.io import WAVE, StreamContext, read_object
from minikaldi.running import run_command
from nnet.augment.audio import AudioReader
from tests.local.helpers.odd_audio import (
    LONG,
    MP3,
    MP3_SHORT,
    OPUS,
    OPUS_SHORT,
    RATE,
    REFUSED,
    SHORT,
    VORBIS,
    VORBIS_SHORT,
    WAV,
    WHOLE,
    noise,
    of_pipe,
)


class RefusedError(Exception):
    """A reader's word for what it does not take."""


def stage_0(path: Path) -> float:
    """The corpus scripts' look at a file."""
    found = inspect(str(path), RATE)
    if isinstance(found, Unreadable):
        raise RefusedError(found.reason)
    if found.plain:  # Kaldi itself would read it
        assert read_object(str(path), WAVE).samples.shape[1] == round((found.seconds or 0) * RATE)
    return (found.seconds or 0) * RATE


def stage_1(path: Path) -> float:
    """The command that wav.scp names."""
    written = io.BytesIO()
    if run_command(["to_wav.py", str(path), str(RATE)], io.BytesIO(), written) != 0:
        read_audio(path)
        raise AssertionError("to_wav.py and read_audio do not agree")
    return read_object("-", WAVE, StreamContext(io.BytesIO(written.getvalue()))).samples.shape[1]


def stream(path: Path) -> float:
    """A file that comes through a pipe."""
    return read_audio(io.BytesIO(path.read_bytes()))[0].shape[1]


def training(path: Path, wanted: int = 0) -> float:
    """The reader of online augmentation; the first and the last samples are read."""
    audio = AudioReader(RATE, 10**7).open(f"utils/to_wav.py {shlex.quote(str(path))} {RATE} |", "utt", 0, wanted)
    assert len(audio.read(0, 10)) == len(audio.read(audio.num_samples - 10, audio.num_samples)) == 10
    return audio.num_samples


def training_by_parts(path: Path) -> float:
    """The same, but only a small part is read, so that the file is not decoded whole."""
    return training(path, 100)


READERS: tuple[Callable[[Path], float], ...] = (stage_0, stage_1, stream, training, training_by_parts)
readers = pytest.mark.parametrize("reader", READERS, ids=lambda one: one.__name__)


@pytest.fixture(autouse=True)
def commands(command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, root: Path, tmp_path: Path) -> None:
    """to_wav.py is found as utils/to_wav.py from the checkout; there is no ffmpeg."""
    monkeypatch.setenv("PATH", f"{root}/minikaldi/bin:{root}/utils:{tmp_path}")
    monkeypatch.chdir(root)


@readers
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_taken_to_its_last_sample(reader: Callable[[Path], float], name: str, tmp_path: Path) -> None:
    extension, content, samples = WHOLE[name]
    path = tmp_path / f"x{extension}"
    path.write_bytes(content)
    assert reader(path) == pytest.approx(samples, abs=1e-6)


@readers
@pytest.mark.parametrize("name", REFUSED)
def test_what_lacks_something_is_refused_with_the_reason(
    reader: Callable[[Path], float], name: str, tmp_path: Path
) -> None:
    extension, content, said = REFUSED[name]
    path = tmp_path / f"x{extension}"
    path.write_bytes(content)
    with pytest.raises((RefusedError, KaldiError, InputError), match=said):
        reader(path)


def judgement(judge: Callable[[Path], float], path: Path) -> float | str:
    """What is said of a file: its samples, or why it has none."""
    try:
        return judge(path)
    except (RefusedError, KaldiError) as error:
        return str(error)


def judgements_differ(path: Path) -> bool:
    """Whether stage 0 and decoding give two answers; that a file decodes only in part, stage 0 need not see."""
    at_first, later = judgement(stage_0, path), judgement(decoded, path)
    if isinstance(at_first, str):
        return not isinstance(later, str)
    return ("truncated" in later) if isinstance(later, str) else round(at_first * 1e3) != round(later * 1e3)


def decoded(path: Path) -> float:
    """Samples at the rate of the tests, as stage 0 counts them."""
    samples, rate = read_audio(path)
    return samples.shape[1] / rate * RATE


FUZZED = [name for name in WHOLE if "size 0x" not in name or "0x7fffefff" in name]


@pytest.mark.parametrize("name", FUZZED)
@pytest.mark.parametrize("many", [pytest.param(1, id="few"), pytest.param(12, id="many", marks=pytest.mark.slow)])
def test_stage_0_and_decoding_judge_damaged_files_alike(name: str, many: int, tmp_path: Path) -> None:
    extension, content, _ = WHOLE[name]
    rng, path = random.Random(f"{name} {many}"), tmp_path / f"x{extension}"
    for _ in range(many * 8):
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(min(len(data), rng.choice((64, 400, len(data)))))
            data[at] = rng.choice((0, 255, rng.randrange(256)))
        path.write_bytes(data[: rng.choice((len(data), len(data), rng.randrange(1, len(data))))])
        assert not judgements_differ(path), bytes(data[:200])


@pytest.mark.parametrize("second", [0, 1, 2])
def test_long_flac_that_is_joined_is_decoded_whole(tmp_path: Path, second: int) -> None:
    def long_flac(seed: int, samples: int) -> bytes:
        stream = io.BytesIO()
        soundfile.write(stream, np.random.default_rng(seed).normal(0, 0.1, samples), RATE, format="FLAC")
        return stream.getvalue()

    first, lengths = long_flac(0, 400_000), (400_000, 400_000, 250_000)
    joined = first + long_flac(second, lengths[second])
    for data, samples in ((first * 2, 800_000), (joined, 400_000 + lengths[second])):
        (tmp_path / "x.flac").write_bytes(data)
        found = audio_info(tmp_path / "x.flac")
        assert len(data) > 1 << 20 and (found.num_samples, found.as_it_stands) == (samples, False)
    long = long_flac(3, 700_000)
    (tmp_path / "x.flac").write_bytes(long)
    assert len(long) > 1 << 20 and audio_info(tmp_path / "x.flac").as_it_stands


LOSSLESS = [
    *(f"{kind} of a pipe, size {0x7FFFEFFF:#x}" for kind in ("wav", "24-bit wav")),
    "wav of a pipe, float",
    "rf64 of a pipe, ds64 of 0",
    "w64 of a pipe, sox",
    "aiff of a pipe, sox",
    "au of a pipe, 0",
    "caf of a pipe",
    "sphere with zeros after",
    "flac of a pipe",
    "flac, joined",
    "flac of pipes, joined",
]


@pytest.mark.parametrize("name", LOSSLESS)
def test_the_samples_are_those_that_were_written(name: str) -> None:
    content, samples = WHOLE[name][1:]
    written = noise(LONG)[:, 0] if samples == LONG else np.concatenate([noise(LONG), noise(SHORT)])[:, 0]
    found = read_audio(io.BytesIO(content))[0][0]
    np.testing.assert_allclose(found, 32768 * written, atol=1)  # a step of 16 bits


@pytest.mark.parametrize("name", ["mp3, joined", "ogg vorbis, chained", "ogg opus, chained"])
def test_joined_files_decode_as_each_of_them_does(name: str) -> None:
    extension, content, _ = WHOLE[name]
    parts = {".mp3": (MP3, MP3_SHORT), ".ogg": (VORBIS, VORBIS_SHORT), ".opus": (OPUS, OPUS_SHORT)}[extension]
    decoded = [soundfile.SoundFile(io.BytesIO(part)).read(dtype="float32") for part in parts]
    assert np.array_equal(read_audio(io.BytesIO(content))[0][0], 32768 * np.concatenate(decoded))


def test_parts_of_a_flac_of_a_pipe_are_read_from_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(WHOLE["flac, joined"][1])
    audio = AudioReader(RATE, 10**7).open(f"utils/to_wav.py {path} {RATE} |", "utt", 0, 100)
    written = np.concatenate([noise(LONG), noise(SHORT)])[LONG - 50 : LONG + 50, 0]
    np.testing.assert_allclose(audio.read(LONG - 50, LONG + 50), 32768 * written, atol=1)


@pytest.mark.parametrize(("size", "samples"), [(0x7FFFEFFF, LONG), (0x80000024, LONG), (2000, 1000)])
def test_a_plain_wave_in_wav_scp_goes_on_to_its_end_in_training_too(tmp_path: Path, size: int, samples: int) -> None:
    (tmp_path / "x.wav").write_bytes(of_pipe(WAV, size))
    assert AudioReader(RATE, 10**7).open(str(tmp_path / "x.wav"), "utt").num_samples == samples
    assert read_object(str(tmp_path / "x.wav"), WAVE).samples.shape[1] == samples  # as Kaldi has it


@pytest.mark.parametrize(
    ("name", "least", "most"),  # seconds of speech, and with the encoder's padding
    [("vbr-without-xing.mp3", 2.5, 2.6), ("joined.mp3", 5.0, 5.2), ("mp3-in.wav", 2.5, 2.6)],
)
def test_files_of_an_encoder_are_taken_whole_by_the_pipe_that_wav_scp_has(
    root: Path, command_env: dict[str, str], name: str, least: float, most: float
) -> None:
    path = root / "tests" / "local" / "audio" / name
    line = f"u utils/to_wav.py {shlex.quote(str(path))} {RATE} |\n"
    command = ["wav-to-duration", "--read-entire-file=true", "scp:-", "ark,t:-"]
    done = subprocess.run(command, input=line, cwd=root, env=command_env, capture_output=True, text=True, check=True)
    assert least <= float(done.stdout.split()[1]) <= most
    assert "Warning" not in done.stderr  # of libmpg123
    found = inspect(str(path), RATE)
    assert isinstance(found, AudioFile) and found.seconds == pytest.approx(float(done.stdout.split()[1]), abs=1e-4)


def test_the_corpus_scripts_keep_what_is_whole_and_name_what_is_not(
    tmp_path: Path, script, validate, read_pairs
) -> None:
    speaker = tmp_path / "corpus" / "s1"
    speaker.mkdir(parents=True)
    whole = ["mp3 that nothing counts", "flac of a pipe", "wav of a pipe, GSM", "flac, joined"]
    refused = ["samples without a header", "sphere with shorten", "wav, joined", "m4a named wav, without ffmpeg"]
    for number, name in enumerate(whole):
        (speaker / f"whole{number}{WHOLE[name][0]}").write_bytes(WHOLE[name][1])
    for number, name in enumerate(refused):
        (speaker / f"bad{number}{REFUSED[name][0]}").write_bytes(REFUSED[name][1])
    data = tmp_path / "data"
    result = script("make_folder.py", "--root", tmp_path / "corpus", "--max-loss", 0.6, data)
    validate(data)
    assert "8 files in, 4 out, 4 dropped" in result.stderr
    durations = {f"s1-whole{number}": f"{WHOLE[name][2] / RATE:.4f}" for number, name in enumerate(whole)}
    assert read_pairs(data / "utt2dur") == durations
    dropped = read_pairs(data / "dropped")
    assert dropped["s1-bad0.raw"].startswith("samples without a header (.raw)")
    assert "sph2pipe" in dropped["s1-bad1"] and "another file, joined to it" in dropped["s1-bad2"]
    assert "is MP4/M4A, which needs ffmpeg, and there is none on PATH" in dropped["s1-bad3"]
