"""Augmented and reverberated copies: what is drawn, what is refused, and that the lines can be played."""

from __future__ import annotations

import math
import re
import shlex
import struct
import subprocess
import wave
from pathlib import Path

import pytest

from common.errors import InputError
from minikaldi.copies.rooms import smoothed
from minikaldi.data_dir.wav_lines import mono_at_rate, to_wav_pipe, without_quotes

from .conftest import Run, content, table

AUGMENT, REVERBERATE = "steps/data/augment_data_dir.py", "steps/data/reverberate_data_dir.py"
BABBLE = ["--utt-suffix", "babble", "--bg-snrs", "20:15", "--num-bg-noises", "2:3"]
PLAIN_ROOMS = ["--pointsource-noise-addition-probability", "0", "--isotropic-noise-addition-probability", "0"]


@pytest.fixture
def noise(data: Path) -> Path:
    """Noises n1, n2, n3 of 1, 2 and 3 seconds."""
    folder = data.parent / "noise"
    table(folder, "wav.scp", *(f"n{number} wav/n{number}.wav" for number in (1, 2, 3)))
    table(folder, "reco2dur", *(f"n{number} {number}" for number in (1, 2, 3)))
    return folder


def audio_lines(folder: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in (folder / "wav.scp").read_text().splitlines())


def test_foreground_noises_follow_one_another_to_the_end(data: Path, noise: Path, run: Run) -> None:
    done = run(AUGMENT, "--fg-snrs", "5", "--fg-interval", "0.5", "--fg-noise-dir", "noise", "data", "c")
    assert done.returncode == 0, done.stderr
    for utt, line in audio_lines(data.parent / "c").items():
        noises = [int(number) for number in re.findall(r"wav/n(\d)\.wav", line)]
        starts = [float(start) for start in re.search(r"--start-times='([^']*)'", line)[1].split(",")]
        expected = [sum(noises[:place]) + 0.5 * place for place in range(len(noises))]
        seconds = {"a-1": 2.5, "a-2": 3.5, "b-1": 4.5, "b-2": 5.5}[utt.removesuffix("-aug")]
        assert starts == expected
        assert starts[-1] < seconds <= starts[-1] + noises[-1] + 0.5


def test_draws_do_not_depend_on_the_other_utterances(data: Path, noise: Path, run: Run) -> None:
    run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "c")
    run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "again")
    assert content(data.parent / "again") == content(data.parent / "c")
    run("utils/subset_data_dir.sh", "--last", "data", "2", "half")
    run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "half", "d")
    whole, part = audio_lines(data.parent / "c"), audio_lines(data.parent / "d")
    assert part == {utt: whole[utt] for utt in part}
    run(AUGMENT, *BABBLE, "--random-seed", "7", "--bg-noise-dir", "noise", "data", "e")
    assert audio_lines(data.parent / "e") != whole


def test_copies_keep_vad_and_source_recording(data: Path, noise: Path, run: Run) -> None:
    run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "c")
    found = content(data.parent / "c")
    assert found["vad.scp"].splitlines()[0] == "a-1-babble ark/vad.ark:0"
    assert found["utt2rec"].splitlines()[0] == "a-1-babble session-a"
    assert found["utt2uniq"].splitlines()[0] == "a-1-babble a-1"


def test_babble_never_has_the_speakers_own_voice(data: Path, run: Run) -> None:
    done = run(AUGMENT, *BABBLE, "--bg-noise-dir", "data", "--exclude-same-speaker", "true", "data", "c")
    assert (done.returncode, "2 speakers" in done.stderr) == (0, True)
    for utt, line in audio_lines(data.parent / "c").items():
        voices = set(re.findall(r'"wav/([ab])-\d\.wav"', line))
        assert voices == {"b" if utt.startswith("a") else "a"}


def test_babble_voices_differ_while_there_are_enough(data: Path, noise: Path, run: Run) -> None:
    run(AUGMENT, "--num-bg-noises", "3", "--bg-snrs", "10", "--bg-noise-dir", "noise", "data", "c")
    for line in audio_lines(data.parent / "c").values():
        assert sorted(re.findall(r"wav/(n\d)\.wav", line)) == ["n1", "n2", "n3"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("1", None),
        ("2", "data has 2 speakers, 1 besides an utterance's own, --num-bg-noises asks for up to 2: some speakers"),
        ("3:1", "asks for up to 3: some speakers occur more than once in an utterance"),
    ],
)
def test_babble_of_too_many_voices_is_reported(data: Path, run: Run, wanted: str, said: str | None) -> None:
    done = run(AUGMENT, "--num-bg-noises", wanted, "--bg-snrs", "10", "--bg-noise-dir", "data", "data", "c")
    assert done.returncode == 0
    assert (said in done.stderr) if said else ("speakers" not in done.stderr)


def test_voices_of_other_people_are_all_there_is_to_count(data: Path, noise: Path, run: Run) -> None:
    done = run(AUGMENT, "--num-bg-noises", "3", "--bg-snrs", "10", "--bg-noise-dir", "noise", "data", "c")
    assert (done.returncode, "speakers" in done.stderr) == (0, False)
    done = run(AUGMENT, "--num-bg-noises", "4", "--bg-snrs", "10", "--bg-noise-dir", "noise", "data", "c")
    assert "noise has 3 speakers, --num-bg-noises asks for up to 4: some speakers occur more than once" in done.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (["--bg-snrs", ""], '--bg-snrs is "", expected numbers separated by colons'),
        (["--bg-snrs", "5::3"], '--bg-snrs is "5::3", expected numbers'),
        (["--bg-snrs", "5,3"], '--bg-snrs is "5,3", expected numbers'),
        (["--fg-snrs", "nan"], '--fg-snrs is "nan", expected numbers'),
        (["--num-bg-noises", "0"], '--num-bg-noises is "0", expected integers >= 1'),
        (["--num-bg-noises", ""], '--num-bg-noises is "", expected integers >= 1'),
    ],
)
def test_bad_lists_of_levels_and_numbers_are_refused(
    data: Path, noise: Path, run: Run, option: list[str], text: str
) -> None:
    done = run(AUGMENT, *option, "--bg-noise-dir", "noise", "data", "c")
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert not (data.parent / "c").exists()


def test_bad_levels_of_noises_in_rooms_are_refused(data: Path, run: Run) -> None:
    table(data.parent, "rooms", "--rir-id 1 --room-id A x.wav")
    for name in ("foreground-snrs", "background-snrs"):
        done = run(REVERBERATE, f"--{name}", "", "--rir-set-parameters", "rooms", *PLAIN_ROOMS, "data", "c")
        assert (done.returncode, f'--{name} is "", expected numbers' in done.stderr) == (1, True), done.stderr


def test_a_list_of_rooms_or_noises_without_a_line_is_refused(data: Path, run: Run) -> None:
    table(data.parent, "rooms", "--rir-id 1 --room-id A x.wav")
    table(data.parent, "none")
    for sets in (["--rir-set-parameters", "none"], ["--rir-set-parameters", "rooms", "--noise-set-parameters", "none"]):
        done = run(REVERBERATE, *sets, "data", "c")
        assert (done.returncode, "none: is empty, expected lines" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda noise: (noise / "wav.scp").write_text(""), "noise/wav.scp: is empty"),
        (lambda noise: (noise / "wav.scp").unlink(), "noise/wav.scp"),
        (lambda noise: (noise / "reco2dur").unlink(), "utils/data/get_reco2dur.sh noise"),
        (lambda noise: (noise / "reco2dur").write_text("n1 1\nn2 0\nn3 1\n"), "noise/reco2dur:2"),
        (lambda noise: (noise / "reco2dur").write_text("n1 1\n"), '"n2"'),
        (lambda noise: (noise / "wav.scp").write_text("n1 a,b.wav\n"), "the character ,"),
        (lambda noise: (noise / "utt2spk").write_text("n1 a\nn2 a\nn3 a\n"), "every noise is by a"),
    ],
)
def test_bad_noise_directories_are_refused_by_name(data: Path, noise: Path, run: Run, change, text: str) -> None:
    change(noise)
    done = run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "c")
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert not (data.parent / "c").exists()


def test_a_noise_whose_name_cannot_be_quoted_is_left_out_and_reported(data: Path, noise: Path, run: Run) -> None:
    table(noise, "wav.scp", "n1 wav/n1.wav", "n2 it's.wav", "n3 wav/n3.wav")
    done = run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "c")
    assert (done.returncode, "1 of 3 noises are left out" in done.stderr) == (0, True), done.stderr
    assert "it's" not in (data.parent / "c/wav.scp").read_text()


def test_pipes_stay_pipes(data: Path, noise: Path, run: Run) -> None:
    table(noise, "wav.scp", "n1 utils/to_wav.py 'my noise.flac' 16000 |")
    table(data, "wav.scp", *(f"{utt} utils/to_wav.py {utt}.flac 16000 |" for utt in ("a-1", "a-2", "b-1", "b-2")))
    run(AUGMENT, "--num-bg-noises", "1", "--bg-snrs", "3", "--bg-noise-dir", "noise", "data", "c")
    assert audio_lines(data.parent / "c")["a-1-aug"] == (
        "utils/to_wav.py a-1.flac 16000 | wav-reverberate --shift-output=true --additive-signals='wav-reverberate "
        "--duration=2.5 \"utils/to_wav.py my\\ noise.flac 16000 |\" - |' --start-times='0' --snrs='3' - - |"
    )


def test_rooms_are_drawn_by_weight(data: Path, run: Run) -> None:
    table(data.parent, "near", "--rir-id 1 --room-id A near.wav")
    table(data.parent, "far", "--rir-id 2 --room-id B far.wav")
    sets = ["--rir-set-parameters", "0.9, near", "--rir-set-parameters", "0.1, far"]
    options = [*sets, *PLAIN_ROOMS, "--prefix", "rev", "--num-replications", "100", "data", "c"]
    assert run(REVERBERATE, *options).returncode == 0
    lines = (data.parent / "c/wav.scp").read_text()
    assert 330 < lines.count("near.wav") < 390  # 360 of 400 on average, standard deviation 6: five of these


def test_noises_are_put_into_the_room(data: Path, run: Run) -> None:
    table(data.parent, "rooms", "--rir-id 1 --room-id A room.wav")
    point = "--noise-id 1 --noise-type point-source"
    table(
        data.parent, "noises",
        f"{point} --bg-fg-type foreground p.wav", f"{point} --bg-fg-type background q.wav",
        "--noise-id 3 --noise-type isotropic --room-linkage A iso.wav",
    )  # fmt: skip
    sets = ["--rir-set-parameters", "rooms", "--noise-set-parameters", "noises", "--max-noises-per-minute", "60"]
    assert run(REVERBERATE, *sets, "--foreground-snrs", "5", "--background-snrs", "9", "data", "c").returncode == 0
    for line in audio_lines(data.parent / "c").values():
        signals = re.search(r"--additive-signals='([^']*)' --snrs='([^']*)' --start-times='([^']*)'", line)
        names, snrs, starts = (text.split(",") for text in signals.groups())
        assert re.fullmatch(r"wav-reverberate --duration=\S+ iso.wav - \|", names[0])
        assert len(names) == len(snrs) == len(starts) >= 2
        for name, snr, start in zip(names, snrs, starts, strict=True):
            assert snr == ("5" if "p.wav" in name else "9")
            assert start == "0" or "p.wav" in name


def test_a_noise_with_a_blank_in_its_name_stays_one_word(data: Path, run: Run) -> None:
    table(data.parent, "rooms", "--rir-id 1 --room-id A my room.wav")
    table(
        data.parent, "noises",
        "--noise-id 1 --noise-type point-source my point.wav",
        "--noise-id 2 --noise-type isotropic --room-linkage A my hall.wav",
    )  # fmt: skip
    sets = ["--rir-set-parameters", "rooms", "--noise-set-parameters", "noises", "--max-noises-per-minute", "60"]
    assert run(REVERBERATE, *sets, "data", "c").returncode == 0
    for line in audio_lines(data.parent / "c").values():
        signals = next(word for word in shlex.split(line) if word.startswith("--additive-signals="))
        for signal in signals.partition("=")[2].split(","):
            assert {"my hall.wav", "my point.wav"} & set(shlex.split(signal)), signal


def test_a_pipe_that_is_quoted_as_one_word_of_the_list_is_heard(data: Path, run: Run) -> None:
    table(data.parent, "rooms", "--rir-id 1 --room-id A 'utils/to_wav.py --rate 16000 room.flac |'")
    done = run(REVERBERATE, "--rir-set-parameters", "rooms", *PLAIN_ROOMS, "data", "c")
    assert done.returncode == 0, done.stderr
    for line in audio_lines(data.parent / "c").values():
        assert '--impulse-response="utils/to_wav.py --rate 16000 room.flac |"' in line


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--rir-id 1 --room-id A 'x.flac |", "rooms:1: found 'x.flac |: No closing quotation; quote the pipe"),
        ("--rir-id 1 --room-id A 'a b' c", "rooms:1: found 2 words in 'a b' c, expected one"),
        ("--rir-id 1 x.wav", "rooms:1: an impulse response needs"),
        ("--rir-id 1 --room-id A", "rooms:1: found"),
        ("--rir 1 --room-id A x.wav", "--rir is unknown; choose from: rir-id"),
    ],
)
def test_bad_room_lists_are_refused_by_line(data: Path, run: Run, line: str, text: str) -> None:
    table(data.parent, "rooms", line)
    done = run(REVERBERATE, "--rir-set-parameters", "rooms", *PLAIN_ROOMS, "data", "c")
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert run(REVERBERATE, "--rir-set-parameters", "rooms", "--num-replications", "2", "data", "c").returncode == 1


def test_probabilities_are_smoothed_towards_equality() -> None:
    # By hand: 0.6 given, 0.4 shared by two; a quarter of the way to a third each.
    found = smoothed([0.6, None, None], 0.25, "x")
    assert found == pytest.approx([0.75 * 0.6 + 0.25 / 3, 0.75 * 0.2 + 0.25 / 3, 0.75 * 0.2 + 0.25 / 3], abs=1e-12)
    assert sum(found) == pytest.approx(1.0, abs=1e-12)


def test_audio_behind_any_name_can_be_resampled_and_put_into_quotes() -> None:
    assert to_wav_pipe("a b.wav", "--rate 8000") == "utils/to_wav.py --rate 8000 'a b.wav' |"
    assert to_wav_pipe("x |", "--rate 8000") == "x | utils/to_wav.py --rate 8000 - |"
    assert without_quotes("cat 'a b' | x \"c|d\" |", "here") == "cat a\\ b | x c\\|d |"
    with pytest.raises(InputError, match="here"):
        without_quotes("it's.wav", "here")


@pytest.mark.parametrize(
    ("audio", "is_so"),
    [
        ("utils/to_wav.py a.flac 16000 |", True),
        ("utils/to_wav.py --channel 0 'a b.flac' 16000 |", True),
        ("sox a.mp3 -t wav - | /opt/x/utils/to_wav.py --rate=16000 --speed 1.1 - |", True),
        ("utils/to_wav.py a\\ |b.flac --rate 16000 | ", False),  # three words after the bar
        ("utils/to_wav.py a.flac 8000 |", False),
        ("utils/to_wav.py a.flac |", False),
        ("utils/to_wav.py a.flac 16000 | sox -t wav - -r 8000 -t wav - |", False),
        ("utils/to_wav.py a.flac 16000 > x; cat y |", False),
        ("utils/to_wav.py 'a.flac 16000 |", False),
        ("to_wav.py.txt", False),
    ],
)
def test_a_pipe_that_ends_in_to_wav_at_the_rate_gets_no_second_one(audio: str, is_so: bool) -> None:
    for first_channel in (True, False):
        assert (mono_at_rate(audio, 16000, first_channel) == audio) == is_so


def write_silence(path: Path, rate: int = 16000, channels: int = 1, width: int = 2) -> None:
    """A tenth of a second."""
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((channels, width, rate, rate // 10, "NONE", ""))
        stream.writeframes(bytes(rate // 10 * channels * width))


def write_waves(folder: Path) -> dict[str, str]:
    """Files of several forms, and how each must be read at 16 kHz (`@` stands for its path)."""
    write_silence(folder / "plain.wav")
    write_silence(folder / "with blank.wav")
    write_silence(folder / "8k.wav", rate=8000)
    write_silence(folder / "stereo.wav", channels=2)
    write_silence(folder / "24bit.wav", width=3)
    data = (folder / "plain.wav").read_bytes()
    (folder / "cut.wav").write_bytes(data[:-100])
    (folder / "streamed.wav").write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    (folder / "header.wav").write_bytes(data[:40] + bytes(4))
    (folder / "empty.wav").touch()
    piped = ("8k.wav", "24bit.wav", "cut.wav", "streamed.wav", "header.wav", "empty.wav", "absent.wav")
    found = dict.fromkeys(piped, "utils/to_wav.py --rate 16000 @ |")
    return {**found, "plain.wav": "@", "stereo.wav": "utils/to_wav.py --rate 16000{} @ |", "with blank.wav": "@"}


def test_a_room_that_kaldi_reads_is_named_as_it_is_and_any_other_goes_to_wav_pipe(data: Path, run: Run) -> None:
    """A Python start for each utterance costs real Kaldi eight times the time."""
    expected = write_waves(data.parent / "waves")
    for name, audio in expected.items():
        table(data.parent, "rooms", f"--rir-id 1 --room-id A waves/{name}")
        table(data.parent, "noises", f"--noise-id 1 --noise-type isotropic --room-linkage A waves/{name}")
        options = [*PLAIN_ROOMS, "--rir-set-parameters", "rooms", "--source-sampling-rate", "16000"]
        assert run(REVERBERATE, *options, "data", "c").returncode == 0
        room = audio.format(" --channel 0").replace("@", f"waves/{name}")
        assert all(f'--impulse-response="{room}"' in line for line in audio_lines(data.parent / "c").values())
        options += ["--noise-set-parameters", "noises", "--isotropic-noise-addition-probability", "1"]
        assert run(REVERBERATE, *options, "data", "c").returncode == 0
        for line in audio_lines(data.parent / "c").values():
            signal = next(word for word in shlex.split(line) if word.startswith("--additive-signals="))
            assert ("to_wav.py" in signal) == ("to_wav.py" in audio), name


def test_recordings_that_have_the_rate_are_not_resampled(data: Path, run: Run) -> None:
    expected = write_waves(data.parent / "waves")
    names = {f"r{i}": name for i, name in enumerate(sorted(expected)) if " " not in name}
    table(data, "wav.scp", *(f"{recording} waves/{name}" for recording, name in names.items()))
    assert run("utils/data/resample_data_dir.sh", "16000", "data").returncode == 0
    found = audio_lines(data)
    for recording, name in names.items():
        assert found[recording] == expected[name].format("").replace("@", f"waves/{name}")


def write_tone(path: Path, hertz: float, seconds: float) -> None:
    """A 16 kHz tone."""
    path.parent.mkdir(exist_ok=True)
    samples = [int(8000 * math.sin(2 * math.pi * hertz * n / 16000)) for n in range(int(16000 * seconds))]
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, 16000, len(samples), "NONE", ""))
        stream.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def test_the_lines_can_be_heard(data: Path, noise: Path, run: Run, command_env: dict[str, str], root: Path) -> None:
    for number, utt in enumerate(("a-1", "a-2", "b-1", "b-2")):
        write_tone(data.parent / f"wav/{utt}.wav", 200 + 50 * number, number + 2.5)
    for number in (1, 2, 3):
        write_tone(data.parent / f"wav/n{number}.wav", 1000 + 100 * number, number)
    table(data.parent, "rooms", "--rir-id 1 --room-id A wav/n1.wav")
    (data.parent / "utils").symlink_to(root / "utils")
    assert run(AUGMENT, *BABBLE, "--bg-noise-dir", "noise", "data", "c").returncode == 0
    rooms = [*PLAIN_ROOMS, "--rir-set-parameters", "rooms", "--source-sampling-rate", "16000"]
    assert run(REVERBERATE, *rooms, "data", "d").returncode == 0
    for folder in ("c", "d"):
        command = ["wav-to-duration", f"scp:{folder}/wav.scp", "ark,t:-"]
        done = subprocess.run(command, cwd=data.parent, env=command_env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert [float(line.split()[1]) for line in done.stdout.splitlines()] == [2.5, 3.5, 4.5, 5.5]


def test_durations_are_made_from_the_audio(data: Path, run: Run, root: Path) -> None:
    for number, utt in enumerate(("a-1", "a-2", "b-1", "b-2")):
        write_tone(data.parent / f"wav/{utt}.wav", 200, 1 + number / 4)
    (data / "reco2dur").unlink()
    done = run("utils/data/get_reco2dur.sh", "--nj", "2", "data")
    assert done.returncode == 0, done.stderr
    assert (data / "reco2dur").read_text() == "a-1 1\na-2 1.25\nb-1 1.5\nb-2 1.75\n"
    assert run("utils/data/get_utt2num_frames.sh", "data").returncode == 0
    assert (data / "utt2num_frames").read_text() == "a-1 98\na-2 123\nb-1 148\nb-2 173\n"


def test_a_segment_that_ends_at_minus_one_lasts_to_the_recordings_end(data: Path, run: Run) -> None:
    table(data, "segments", "a-1 r 0.5 -1", "a-2 r 0.5 1.25", "b-1 s 1 -1", "b-2 s 0 1")
    table(data, "reco2dur", "r 2", "s 3.5")
    assert run("utils/data/get_utt2dur.sh", "data").returncode == 0
    assert (data / "utt2dur").read_text() == "a-1 1.5\na-2 0.75\nb-1 2.5\nb-2 1\n"
