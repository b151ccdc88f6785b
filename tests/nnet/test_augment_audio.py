"""Parts of audio files: the same samples as the whole gives, whatever the file, and what cannot be read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from minikaldi.feat.audio import load_audio
from minikaldi.io import WAVE, Wave, read_object, write_object
from nnet.augment.audio import AudioReader, DecodedAudio, RiffAudio, SoundFileAudio

RNG = np.random.default_rng(0)
SAMPLES = np.rint(2000 * RNG.standard_normal((2, 5000))).astype(np.float32)
PARTS = [(0, 5000), (0, 0), (17, 18), (4000, 5000), (123, 4321)]


@pytest.fixture(autouse=True)
def commands(command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """to_wav.py is found on PATH, and as utils/to_wav.py from the checkout."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(root)


def wav(path: Path, samples: np.ndarray = SAMPLES[:1], rate: int = 16000) -> str:
    write_object(str(path), WAVE, Wave(rate, samples))
    return str(path)


def reader(max_bytes: int = 10**6) -> AudioReader:
    return AudioReader(16000, max_bytes)


def test_parts_of_a_wave_file_are_those_of_the_whole(tmp_path: Path) -> None:
    audio = reader().open(wav(tmp_path / "a.wav"), "a")
    assert isinstance(audio, RiffAudio) and audio.num_samples == 5000
    for start, stop in PARTS:
        found = audio.read(start, stop)
        assert found.dtype == np.float32 and np.array_equal(found, SAMPLES[0, start:stop])


def test_a_channel_of_several_is_chosen(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", SAMPLES)
    for channel in (0, 1):
        audio = reader().open(path, "a", channel)
        assert np.array_equal(audio.read(100, 200), SAMPLES[channel, 100:200])
    with pytest.raises(InputError, match=r"a: cannot read .*no channel 2, its channels are 0 to 1"):
        reader().open(path, "a", 2)


def test_a_wave_within_an_archive_is_read_at_its_place(tmp_path: Path) -> None:
    single = Path(wav(tmp_path / "a.wav")).read_bytes()
    (tmp_path / "all.ark").write_bytes(b"first " + single + b"second " + single)
    audio = reader().open(f"{tmp_path}/all.ark:{6 + len(single) + 7}", "second")
    assert np.array_equal(audio.read(40, 90), SAMPLES[0, 40:90])


def test_a_streamed_wave_of_unknown_length_goes_to_the_end(tmp_path: Path) -> None:
    data = bytearray(Path(wav(tmp_path / "a.wav")).read_bytes())
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)
    (tmp_path / "b.wav").write_bytes(data)
    audio = reader().open(f"{tmp_path}/b.wav", "b")
    assert audio.num_samples == 5000 and np.array_equal(audio.read(4990, 5000), SAMPLES[0, 4990:])


@pytest.mark.parametrize("wanted", [0, 100, 4000])
def test_flac_through_to_wav_is_read_by_seeking_or_whole_with_the_same_samples(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "a b.flac"
    soundfile.write(path, SAMPLES.T / 32768, 16000, subtype="PCM_24")
    audio = reader().open(f"utils/to_wav.py '{path}' 16000 |", "a", 0, wanted)
    assert isinstance(audio, SoundFileAudio if wanted == 100 else DecodedAudio)
    expected = np.clip(np.rint(load_audio(path, 16000)), -32768, 32767)
    for start, stop in PARTS:
        assert np.array_equal(audio.read(start, stop), expected[start:stop])


def test_a_file_that_the_cache_cannot_hold_is_read_by_seeking(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", SAMPLES[0] / 32768, 16000)
    audio = reader(max_bytes=9999).open(f"utils/to_wav.py {tmp_path}/a.flac |", "a", 0, 4000)
    assert isinstance(audio, SoundFileAudio)


@pytest.mark.parametrize(
    "options", ["--rate 16000 {} |", "{} 16000 |", "--speed 1.1 {} 16000 |", "--channel 1 {} 16000 |"]
)
def test_what_to_wav_changes_is_decoded_whole_and_equals_its_output(tmp_path: Path, options: str) -> None:
    soundfile.write(tmp_path / "a.flac", SAMPLES.T / 32768, 22050)
    command = f"utils/to_wav.py {options.format(tmp_path / 'a.flac')}"
    audio = reader().open(command, "a", 0, 10)
    assert isinstance(audio, DecodedAudio)
    assert np.array_equal(audio.samples, read_object(command, WAVE).samples[0])


def test_any_other_pipe_is_run(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav")
    for command in (f"cat {path} |", f"cat {path}; true |", f"utils/to_wav.py {path} | wav-copy - - |"):
        audio = reader().open(command, "a")
        assert isinstance(audio, DecodedAudio) and np.array_equal(audio.read(7, 70), SAMPLES[0, 7:70])


def test_what_was_decoded_is_kept_up_to_the_bound(tmp_path: Path) -> None:
    kept = reader(max_bytes=20000)
    commands = [f"cat {wav(tmp_path / f'{n}.wav')} |" for n in range(3)]
    first = kept.open(commands[0], "0")
    assert kept.open(commands[0], "0") is first
    for command in commands[1:]:
        kept.open(command, "x")
    assert kept.open(commands[0], "0") is not first  # two of 10,000 bytes fit, the first was dropped


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "cannot read"),
        (b"no audio at all, but some bytes", "to_wav"),
    ],
)
def test_files_that_are_no_audio_are_reported_with_the_mend(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(InputError, match=message):
        reader().open(f"{tmp_path}/a.wav", "utt")
    with pytest.raises(InputError, match=r"utt: cannot read utils/to_wav\.py"):
        reader().open(f"utils/to_wav.py {tmp_path}/a.wav 16000 |", "utt")


@pytest.mark.parametrize("offset", [10**6, 2**63, 2**64])
def test_an_offset_beyond_the_end_of_the_file_is_refused(tmp_path: Path, offset: int) -> None:
    with pytest.raises(InputError, match=f"utt: cannot read .*byte {offset}: the file has only"):
        reader().open(f"{wav(tmp_path / 'a.wav')}:{offset}", "utt")


def test_missing_files_failing_pipes_and_empty_waves_are_reported(tmp_path: Path) -> None:
    for rxfilename in (f"{tmp_path}/none.wav", f"utils/to_wav.py {tmp_path}/none.flac 16000 |", "exit 3 |"):
        with pytest.raises(InputError, match="utt: cannot read"):
            reader().open(rxfilename, "utt")
    data = bytearray(Path(wav(tmp_path / "a.wav")).read_bytes()[:44])
    struct.pack_into("<I", data, 40, 0)
    struct.pack_into("<I", data, 4, 36)
    (tmp_path / "b.wav").write_bytes(data + b"")
    with pytest.raises(InputError, match=r"utt: .*b\.wav"):
        reader().open(f"{tmp_path}/b.wav", "utt")


def test_another_rate_and_a_truncated_file_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is 8000 Hz.* is 16000; name it as `utils/to_wav\.py <file> 16000 \|`"):
        reader().open(wav(tmp_path / "a.wav", rate=8000), "utt")
    path = Path(wav(tmp_path / "b.wav"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="10 bytes more than there are; fetch it again"):
        reader().open(str(path), "utt")


def test_a_file_that_becomes_shorter_while_it_is_used_is_reported(tmp_path: Path) -> None:
    path = Path(wav(tmp_path / "a.wav"))
    audio = reader().open(str(path), "utt")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="has become shorter"):
        audio.read(4000, 5000)


def test_a_cut_flac_is_reported_where_it_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    long = np.tile(SAMPLES[0], 20)
    soundfile.write(buffer, long / 32768, 16000, format="FLAC")
    (tmp_path / "a.flac").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    command = f"utils/to_wav.py {tmp_path}/a.flac 16000 |"
    with pytest.raises(InputError, match=r"a\.flac"):
        reader().open(command, "utt", 0, 100).read(90000, 90100)
    with pytest.raises(InputError, match=r"utt: .*a\.flac"):
        reader().open(command, "utt")
