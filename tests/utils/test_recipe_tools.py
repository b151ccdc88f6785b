"""apply_map.pl, filter_scps.pl and the data-directory tools for speakers, texts, volume, rate, segments and frames."""

from __future__ import annotations

import random
import subprocess
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from minikaldi.data_dir.change_audio import drawn_volumes
from minikaldi.data_dir.modify_speakers import groups_of, numbered_speakers
from minikaldi.data_dir.repeated_texts import evenly

from .conftest import Run, content, table

ALLOW = ["--no-text", "--no-feats"]


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    """A 16-bit mono RIFF wave."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, rate, len(samples), "NONE", ""))
        stream.writeframes(samples.astype("<i2").tobytes())


def heard(rxfilename: str, folder: Path, env: dict[str, str]) -> tuple[np.ndarray, int]:
    """Samples and rate (Hz) of what stands in a wav.scp line."""
    subprocess.run(["wav-copy", rxfilename, "heard.wav"], cwd=folder, env=env, check=True, capture_output=True)
    with wave.open(str(folder / "heard.wav")) as stream:
        return np.frombuffer(stream.readframes(stream.getnframes()), "<i2"), stream.getframerate()


@pytest.fixture
def spoken(data: Path) -> Path:
    """The directory `data` with real audio, 0.5 s at 8 kHz, of each utterance; the tests run beside it."""
    for number, utt in enumerate(("a-1", "a-2", "b-1", "b-2")):
        write_wav(data.parent / f"wav/{utt}.wav", np.arange(4000) % 200 * (number + 1))
    (data / "reco2dur").unlink()
    return data


# --- apply_map.pl


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ([], "A B\n", "a1 a2 b\n"),
        (["-f", "1"], "A B\n", "a1 a2 B\n"),
        (["-f", "2-3"], "x A B y\n", "x a1 a2 b y\n"),
        (["-f", "2:3"], "x A B y\n", "x a1 a2 b y\n"),
        (["-f", "2-"], "x A B\n", "x a1 a2 b\n"),
        (["-f", "-1"], "A y\n", "a1 a2 y\n"),
        (["-f", "3"], "x y\n", "x y\n"),
        (["--permissive"], "A  x\tB\n", "a1 a2 x b\n"),
        ([], "A N B\n", "a1 a2 b\n"),
        ([], "", ""),
    ],
)
def test_fields_are_replaced_by_what_the_map_says(
    data: Path, run: Run, options: list[str], text: str, expected: str
) -> None:
    table(data, "map", "A a1  a2", "B b", "N")
    done = run("utils/apply_map.pl", *options, "data/map", stdin=text)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def test_a_field_that_is_not_in_the_map_is_reported(data: Path, run: Run) -> None:
    table(data, "map", "A a")
    done = run("utils/apply_map.pl", "data/map", stdin="A A\nA x\n")
    assert (done.returncode, 'line 2: "x" is not in the map' in done.stderr) == (1, True)
    done = run("utils/apply_map.pl", "--permissive", "data/map", stdin="A A\nA x\nx y\n")
    assert (done.returncode, done.stdout) == (0, "a a\na x\nx y\n")
    assert "2 words are not in the map" in done.stderr


@pytest.mark.parametrize("fields", ["0", "x", "3-2", "-", "0-2", "1-2-3"])
def test_fields_that_are_none_are_refused(data: Path, run: Run, fields: str) -> None:
    done = run("utils/apply_map.pl", "-f", fields, "data/utt2spk", stdin="a\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "-f" in done.stderr


def test_a_map_with_two_meanings_is_refused(data: Path, run: Run) -> None:
    table(data, "map", "A a", "A  a", "A b")
    done = run("utils/apply_map.pl", "data/map", stdin="A\n")
    assert (done.returncode, "data/map:3" in done.stderr) == (1, True)


# --- filter_scps.pl


def test_the_lists_of_a_split_cut_a_table_as_split_data_does(data: Path, run: Run) -> None:
    assert run("utils/split_data.sh", "--per-utt", "data", "3").returncode == 0
    done = run("utils/filter_scps.pl", "JOB=1:3", "data/split3utt/JOB/utt2spk", "data/wav.scp", "out.JOB.scp")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (1, 2, 3):
        expected = (data / f"split3utt/{part}/wav.scp").read_text()
        assert (data.parent / f"out.{part}.scp").read_text() == expected


def test_lines_in_none_or_several_of_the_lists_are_reported(data: Path, run: Run) -> None:
    table(data, "l1", "a-1 x", "b-1")
    table(data, "l2", "b-1", "zz")
    words = ["JOB=1:2", "data/lJOB", "data/wav.scp", "oJOB"]
    done = run("utils/filter_scps.pl", *words)
    assert done.returncode == 0
    assert (data.parent / "o1").read_text() == "a-1 wav/a-1.wav\nb-1 wav/b-1.wav\n"
    assert (data.parent / "o2").read_text() == "b-1 wav/b-1.wav\n"
    assert "2 lines of data/wav.scp are in none" in done.stderr
    assert "1 lines of data/wav.scp are in several" in done.stderr
    assert run("utils/filter_scps.pl", "--no-warn", *words).stderr == ""
    table(data, "l1", "a")
    done = run("utils/filter_scps.pl", "-f", "2", "JOB=1:1", "data/lJOB", "data/utt2spk", "oJOB")
    assert (data.parent / "o1").read_text() == "a-1 a\na-2 a\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["JOB=2:1", "data/JOB", "data/wav.scp", "oJOB"], "JOB=1:8"),
        (["1:2", "data/JOB", "data/wav.scp", "oJOB"], "JOB=1:8"),
        (["JOB=1:2", "data/list", "data/wav.scp", "oJOB"], "data/list does not hold JOB"),
        (["JOB=1:2", "data/JOB", "data/wav.scp", "out"], "out does not hold JOB"),
        (["JOB=1:2", "data/JOB", "data/wav.scp", "oJOB"], "data/1: No such file"),
    ],
)
def test_jobs_without_files_of_their_own_are_refused(data: Path, run: Run, words: list[str], text: str) -> None:
    done = run("utils/filter_scps.pl", *words)
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert [path.name for path in data.parent.iterdir()] == ["data"]


# --- modify_speaker_info.sh


def test_speakers_are_cut_by_number_of_utterances(tmp_path: Path, run: Run) -> None:
    utts = [f"a-{number:02d}" for number in range(21)] + ["b-1"]
    table(tmp_path / "data", "utt2spk", *(f"{utt} {utt[0]}" for utt in utts))
    table(tmp_path / "data", "wav.scp", *(f"{utt} x" for utt in utts))
    table(tmp_path / "data", "spk2gender", "a f", "b m")
    table(tmp_path / "data", "cmvn.scp", "a x", "b x")
    assert run("utils/data/modify_speaker_info.sh", "--utts-per-spk-max", "2", "data", "c").returncode == 0
    found = content(tmp_path / "c")
    assert sorted(found) == ["spk2gender", "spk2utt", "utt2spk", "wav.scp"]
    lines = found["spk2utt"].splitlines()
    assert lines[0] == "a-01 a-00 a-01"
    assert lines[-2:] == ["a-11 a-20", "b-1 b-1"]
    assert found["spk2gender"].splitlines()[-2:] == ["a-11 f", "b-1 m"]
    assert found["wav.scp"] == (tmp_path / "data/wav.scp").read_text()
    assert run("utils/validate_data_dir.sh", *ALLOW, "c").returncode == 0


def test_speakers_are_cut_by_seconds(data: Path, run: Run) -> None:
    table(data, "utt2dur", "a-1 2", "a-2 3", "b-1 9", "b-2 1")
    arguments = ["--seconds-per-spk-max", "5", "data", "c"]
    assert run("utils/data/modify_speaker_info.sh", *arguments).returncode == 0
    assert content(data.parent / "c")["spk2utt"] == "a-1 a-1 a-2\nb-1 b-1\nb-2 b-2\n"
    assert content(data.parent / "c")["vad.scp"] == content(data)["vad.scp"]


def test_speakers_may_be_made_up(data: Path, run: Run) -> None:
    script = "utils/data/modify_speaker_info.sh"
    made_up = ["--utts-per-spk-max", "3", "--respect-speaker-info", "false"]
    assert run(script, *made_up, "--respect-recording-info", "false", "data", "c").returncode == 0
    assert content(data.parent / "c")["spk2utt"] == "speaker-1 a-1 a-2 b-1\nspeaker-2 b-2\n"
    table(data, "segments", "a-1 r 0 1", "a-2 r 1 2", "b-1 s 0 1", "b-2 s 1 2")
    table(data, "wav.scp", "r x", "s x")
    table(data, "reco2dur", "r 2", "s 2")
    assert run(script, *made_up, "data", "d").returncode == 0
    assert content(data.parent / "d")["spk2utt"] == "r-1 a-1 a-2\ns-1 b-1 b-2\n"


def test_no_limit_and_the_same_directory_are_refused(data: Path, run: Run) -> None:
    done = run("utils/data/modify_speaker_info.sh", "data", "c")
    assert (done.returncode, "--utts-per-spk-max" in done.stderr) == (1, True)
    assert run("utils/data/modify_speaker_info.sh", "--utts-per-spk-max", "2", "data", "data").returncode == 1
    table(data, "utt2spk", "a-1 a", "a-2 a", "b-1 b", "b-2 b", "c-1 c")
    done = run("utils/data/modify_speaker_info.sh", "--seconds-per-spk-max", "2", "data", "c")
    assert done.returncode == 1
    assert not (data.parent / "c").exists()


@pytest.mark.parametrize(("most", "most_seconds"), [(3, -1), (-1, 7.0), (4, 7.0), (1, 100.0)])
def test_groups_are_as_long_as_they_may_be_and_no_longer(most: int, most_seconds: float) -> None:
    rng = random.Random(3)
    utts = [f"u{number:03d}" for number in range(200)]
    seconds = {utt: rng.uniform(0.5, 9) for utt in utts}
    groups = groups_of(utts, most, seconds, most_seconds)
    assert [utt for group in groups for utt in group] == utts
    for group, following in zip(groups, [*groups[1:], []], strict=True):
        assert len(group) <= most or most < 0
        assert sum(map(seconds.get, group)) <= most_seconds or most_seconds < 0 or len(group) == 1
        longer = [*group, *following[:1]]
        full = len(longer) > most > 0 or sum(map(seconds.get, longer)) > most_seconds > 0
        assert full or not following


def test_numbers_of_speakers_sort() -> None:
    names = [spk for _, spk in numbered_speakers("a", [[str(number)] for number in range(120)])]
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("a-001", "a-120")


# --- remove_dup_utts.sh


def test_each_text_stays_as_often_as_it_may(tmp_path: Path, run: Run) -> None:
    texts = {f"a-{number:02d}": ("yes" if number % 3 else f"words {number}") for number in range(30)}
    table(tmp_path / "data", "utt2spk", *(f"{utt} a" for utt in texts))
    table(tmp_path / "data", "text", *(f"{utt}  {text}" for utt, text in texts.items()))
    table(tmp_path / "data", "wav.scp", *(f"{utt} x" for utt in texts))
    for script in ("utils/data/remove_dup_utts.sh", "utils/remove_dup_utts.sh"):
        assert run(script, "4", "data", "c").returncode == 0
        kept = [line.split()[0] for line in (tmp_path / "c/text").read_text().splitlines()]
        counts = Counter(texts[utt] for utt in kept)
        assert counts.pop("yes") == 4
        assert set(counts.values()) == {1}
        assert len(counts) == 10
        assert run("utils/validate_data_dir.sh", "--no-feats", "c").returncode == 0


def test_utterances_without_a_text_go_and_a_directory_without_texts_is_refused(data: Path, run: Run) -> None:
    done = run("utils/data/remove_dup_utts.sh", "2", "data", "c")
    assert (done.returncode, "data/text" in done.stderr) == (1, True)
    table(data, "text", "a-1 hello", "a-2", "zz hello")
    assert run("utils/data/remove_dup_utts.sh", "2", "data", "c").returncode == 0
    assert (data.parent / "c/utt2spk").read_text() == "a-1 a\na-2 a\n"
    assert run("utils/data/remove_dup_utts.sh", "0", "data", "d").returncode == 1


def test_what_stays_is_spread() -> None:
    assert evenly(list("abcdefgh"), 4) == ["a", "c", "e", "g"]
    assert evenly(list("ab"), 4) == ["a", "b"]


# --- perturb_data_dir_volume.sh, resample_data_dir.sh


def test_volume_scales_the_samples(spoken: Path, run: Run, command_env: dict[str, str]) -> None:
    here = spoken.parent
    table(here, "vols", "a-1 0.5", "a-2 2", "b-1 0.25", "b-2 1")
    table(spoken, "feats.scp", "a-1 x", "a-2 x", "b-1 x", "b-2 x")
    before = (spoken / "wav.scp").read_text()
    done = run("utils/data/perturb_data_dir_volume.sh", "--reco2vol", "vols", "data")
    assert done.returncode == 0, done.stderr
    for line, factor in zip((spoken / "wav.scp").read_text().splitlines(), (0.5, 2, 0.25, 1), strict=True):
        utt, rxfilename = line.split(None, 1)
        assert rxfilename == f"wav-reverberate --volume={factor:g} wav/{utt}.wav - |"
        was, _ = heard(f"wav/{utt}.wav", here, command_env)
        now, rate = heard(rxfilename, here, command_env)
        assert rate == 8000
        # The samples are whole numbers: half a step is lost in rounding, one where the fraction is cut off.
        np.testing.assert_allclose(now, was * factor, atol=1)
    assert not (spoken / "feats.scp").exists()
    assert (spoken / ".backup/feats.scp").is_file()
    assert (spoken / ".backup/wav.scp").read_text() == before


def test_volumes_are_drawn_in_range_seeded_and_once(data: Path, run: Run) -> None:
    script, before = "utils/data/perturb_data_dir_volume.sh", (data / "wav.scp").read_text()
    drawn = []
    for seed in ("1", "1", "2"):
        (data / "wav.scp").write_text(before)
        arguments = ["--scale-low", "0.5", "--scale-high", "0.75", "--write-reco2vol", "v", "--seed", seed, "data"]
        assert run(script, *arguments).returncode == 0
        drawn.append((data.parent / "v").read_text())
    assert drawn[0] == drawn[1] != drawn[2]
    factors = [float(line.split()[1]) for line in drawn[0].splitlines()]
    assert len(set(factors)) == 4
    assert 0.5 <= min(factors) < max(factors) <= 0.75
    after = (data / "wav.scp").read_text()
    done = run(script, "data")
    assert (done.returncode, "changed before" in done.stderr) == (0, True)
    assert (data / "wav.scp").read_text() == after
    assert run(script, "--force", "true", "data").returncode == 0
    assert (data / "wav.scp").read_text().count("wav-reverberate --volume=") == 8


def test_a_recording_without_a_factor_and_factors_that_are_none_are_refused(data: Path, run: Run) -> None:
    before = content(data)
    table(data.parent, "vols", "a-1 0.5")
    script = "utils/data/perturb_data_dir_volume.sh"
    done = run(script, "--reco2vol", "vols", "data")
    assert (done.returncode, '"a-2"' in done.stderr) == (1, True)
    for options in (["--scale-low", "3"], ["--scale-low", "0"], ["--scale-high", "nan"]):
        assert run(script, *options, "data").returncode == 1
    table(data.parent, "vols", "a-1 -1")
    done = run(script, "--reco2vol", "vols", "data")
    assert (done.returncode, "vols:1" in done.stderr) == (1, True)
    assert content(data) == before


def test_resampled_audio_has_the_rate(spoken: Path, run: Run, command_env: dict[str, str], root: Path) -> None:
    table(spoken, "wav.scp", "a-1 wav/a-1.wav", "a-2 cat wav/a-2.wav |", "b-1 wav/b-1.wav", "b-2 wav/b-2.wav")
    assert run("utils/data/resample_data_dir.sh", "16000", "data").returncode == 0
    assert (spoken / "wav.scp").read_text().splitlines()[:2] == [
        "a-1 utils/to_wav.py --rate 16000 wav/a-1.wav |",
        "a-2 cat wav/a-2.wav | utils/to_wav.py --rate 16000 - |",
    ]
    (spoken.parent / "utils").symlink_to(root / "utils")
    for line in (spoken / "wav.scp").read_text().splitlines()[:2]:
        samples, rate = heard(line.split(None, 1)[1], spoken.parent, command_env)
        assert (rate, len(samples)) == (16000, 8000)
    assert run("utils/data/resample_data_dir.sh", "0", "data").returncode == 1
    (spoken / "wav.scp").unlink()
    done = run("utils/data/resample_data_dir.sh", "16000", "data")
    assert (done.returncode, "data/wav.scp" in done.stderr) == (1, True)


# --- extract_wav_segments_data_dir.sh


@pytest.fixture
def segmented(data: Path) -> Path:
    """Four segments of two recordings, 1 s each at 8 kHz."""
    for number, recording in enumerate("rs"):
        samples = np.random.default_rng(number).integers(-20000, 20000, 8000)
        write_wav(data.parent / f"wav/{recording}.wav", samples)
    table(data, "segments", "a-1 r 0 0.5", "a-2 r 0.25 -1", "b-1 s 0.1 0.3", "b-2 s 0.5 1.0")
    table(data, "wav.scp", "r wav/r.wav", "s cat wav/s.wav |")
    table(data, "reco2dur", "r 1", "s 1")
    table(data, "reco2file_and_channel", "r r A", "s s A")
    return data


def test_segments_become_audio_of_their_own(segmented: Path, run: Run, command_env: dict[str, str]) -> None:
    here = segmented.parent
    done = run("utils/data/extract_wav_segments_data_dir.sh", "--nj", "2", "data", "c")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (here / "c").iterdir() if path.is_file()}
    assert names == {"utt2spk", "spk2utt", "wav.scp", "vad.scp", "utt2rec"}
    spans = {"a-1": ("r", 0, 4000), "a-2": ("r", 2000, 8000), "b-1": ("s", 800, 2400), "b-2": ("s", 4000, 8000)}
    lines = dict(line.split(None, 1) for line in (here / "c/wav.scp").read_text().splitlines())
    assert lines.keys() == spans.keys()
    for utt, (recording, start, stop) in spans.items():
        assert lines[utt].startswith("wav-copy c/data/wav_segments.")
        samples, _ = heard(lines[utt], here, command_env)
        whole, _ = heard(f"wav/{recording}.wav", here, command_env)
        np.testing.assert_array_equal(samples, whole[start:stop])
    assert run("utils/validate_data_dir.sh", *ALLOW, "c").returncode == 0
    before = (here / "c/wav.scp").read_text()
    assert run("utils/data/extract_wav_segments_data_dir.sh", "--nj", "2", "data", "c").returncode == 0
    assert (here / "c/wav.scp").read_text() == before


def test_segments_that_cannot_be_extracted_are_reported_and_left_out(segmented: Path, run: Run) -> None:
    (segmented.parent / "wav/s.wav").unlink()
    done = run("utils/data/extract_wav_segments_data_dir.sh", "--nj", "1", "data", "c")
    assert done.returncode == 0, done.stderr
    assert "2 utterances of data have no audio; see c/log" in done.stderr
    assert "kept 2 utterances out of 4" in done.stderr
    (segmented.parent / "wav/r.wav").unlink()
    done = run("utils/data/extract_wav_segments_data_dir.sh", "--nj", "1", "data", "d")
    assert done.returncode == 1
    assert "data/segments" in done.stderr
    assert not (segmented.parent / "d/wav.scp").exists()
    assert not (segmented.parent / "d/data").exists()


def test_a_directory_without_segments_has_nothing_to_extract(data: Path, run: Run) -> None:
    done = run("utils/data/extract_wav_segments_data_dir.sh", "data", "c")
    assert (done.returncode, "data/segments: no such file" in done.stderr) == (1, True)
    assert not (data.parent / "c").exists()


# --- get_num_frames.sh, get_frame_shift.sh


def test_frames_are_the_sum_of_utt2num_frames(data: Path, run: Run) -> None:
    table(data, "utt2num_frames", "a-1 100", "a-2 20", "b-1 3", "b-2 4000")
    assert run("utils/data/get_num_frames.sh", "data").stdout == "4123\n"


def test_without_features_frames_are_a_hundredth_of_a_second(data: Path, run: Run) -> None:
    table(data, "utt2dur", "a-1 1.5", "a-2 2", "b-1 3.004", "b-2 1")
    assert run("utils/data/get_num_frames.sh", "data").stdout == "750\n"
    table(data, "frame_shift", "0.03")
    assert run("utils/data/get_frame_shift.sh", "data").stdout == "0.03\n"
    assert run("utils/data/get_num_frames.sh", "data").stdout == "250\n"


@pytest.mark.parametrize(("frames", "shift"), [(99, "0.01"), (33, "0.030303"), (100, "0.01"), (98, "0.0102041")])
def test_the_shift_is_seconds_by_frames(data: Path, run: Run, frames: int, shift: str) -> None:
    table(data, "utt2dur", *(f"{utt} 1" for utt in ("a-1", "a-2", "b-1", "b-2")))
    table(data, "utt2num_frames", *(f"{utt} {frames}" for utt in ("a-1", "a-2", "b-1", "b-2")))
    assert run("utils/data/get_frame_shift.sh", "data").stdout == f"{shift}\n"


def test_shift_and_frames_are_those_of_features_and_audio(
    spoken: Path, run: Run, command_env: dict[str, str], root: Path
) -> None:
    here = spoken.parent
    options = ["--sample-frequency=8000", "--frame-shift=20", "--dither=0"]
    command = ["compute-mfcc-feats", *options, "scp:data/wav.scp", "ark,scp:f.ark,data/feats.scp"]
    subprocess.run(command, cwd=here, env=command_env, check=True, capture_output=True)
    # 0.5 s, windows of 25 ms every 20 ms: 24 frames of each
    assert run("utils/data/get_frame_shift.sh", "data").stdout == "0.0208333\n"
    assert run("utils/data/get_num_frames.sh", "data").stdout == "96\n"
    assert (spoken / "utt2dur").read_text().startswith("a-1 0.5\n")
    (spoken / "feats.scp").unlink()
    done = run("utils/data/get_frame_shift.sh", "data")
    assert (done.returncode, done.stdout, "feats.scp" in done.stderr) == (1, "", True)
    table(spoken, "frame_shift", "ten")
    done = run("utils/data/get_frame_shift.sh", "data")
    assert (done.returncode, "data/frame_shift" in done.stderr) == (1, True)


def test_volumes_are_spread_evenly_over_their_range(tmp_path: Path) -> None:
    table(tmp_path, "wav.scp", *(f"r{number} x" for number in range(2000)))
    factors = [float(text) for _, text in drawn_volumes(tmp_path, 1.0, 2.0, seed=0)]
    # Uniform: mean 1.5, deviation 0.2887; over 2000 draws they vary by 0.0065 and 0.003. Four times these are allowed.
    assert abs(np.mean(factors) - 1.5) < 0.026
    assert abs(np.std(factors) - 12**-0.5) < 0.012
