"""MUSAN and lists of room impulse responses, real and small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from local.make_musan import ids_of
from local.rir_lists import ListedRir, write_rir_lists


@pytest.fixture
def musan(tmp_path: Path, write_audio) -> Path:
    root = tmp_path / "musan"
    for name in ("music/fma/music-fma-0000", "music/fma/music-fma-0001", "noise/free/noise-free-0000"):
        write_audio(root / f"{name}.wav", seconds=0.5)
    (root / "music/fma/ANNOTATIONS").write_text("music-fma-0000 rock Y someone\nmusic-fma-0001 jazz,pop N nobody\n")
    return root


def test_musan_classes_become_data_directories_with_durations(
    musan: Path, tmp_path: Path, script, validate, read_pairs
) -> None:
    result = script("make_musan.py", "--root", musan, tmp_path / "data" / "musan")
    validate(tmp_path / "data" / "musan_music")
    validate(tmp_path / "data" / "musan_noise")
    durations = read_pairs(tmp_path / "data/musan_music/reco2dur")
    assert durations == {"music-fma-0000": "0.5000", "music-fma-0001": "0.5000"}
    assert f"{musan}/speech is not there" in result.stderr
    assert not (tmp_path / "data" / "musan_speech").exists()


def test_sounds_of_every_audio_extension_are_taken(
    musan: Path, tmp_path: Path, script, read_pairs, write_audio, root: Path, command_env: dict[str, str]
) -> None:
    for name in ("b.flac", "e.aiff"):
        write_audio(musan / "noise" / "free" / name, seconds=0.5)
    for name, form, subtype in (("c.mp3", "MP3", "MPEG_LAYER_III"), ("d.ogg", "OGG", "VORBIS")):
        soundfile.write(musan / "noise" / "free" / name, np.full(8000, 0.1), 16000, format=form, subtype=subtype)
    (musan / "noise" / "free" / "f.m4a").write_bytes(b"\0\0\0\x14ftypM4A " + bytes(100))
    env = {**command_env, "PATH": f"{Path(sys.executable).parent}:{tmp_path}/bin:/usr/bin:/bin"}
    if not shutil.which("ffmpeg", path=env["PATH"]):
        result = script("make_musan.py", "--root", musan, tmp_path / "m", env=env, code=1)
        assert "1 files need ffmpeg" in result.stderr and not (tmp_path / "m_noise").exists()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").write_text(f'#!/bin/sh\ncat "{musan}/noise/free/noise-free-0000.wav"\n')
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    script("make_musan.py", "--root", musan, tmp_path / "m", env=env)
    durations = read_pairs(tmp_path / "m_noise" / "reco2dur")
    assert durations == dict.fromkeys(["b", "c", "d", "e", "f", "noise-free-0000"], "0.5000")


def test_music_with_vocals_is_left_out_on_request(musan: Path, tmp_path: Path, script, read_pairs) -> None:
    script("make_musan.py", "--root", musan, "--use-vocals", "false", tmp_path / "m")
    assert list(read_pairs(tmp_path / "m_music" / "wav.scp")) == ["music-fma-0001"]
    assert read_pairs(tmp_path / "m_music" / "dropped") == {"music-fma-0000": "has vocals"}


def test_a_class_without_a_file_is_refused_by_its_folder(musan: Path, tmp_path: Path, script) -> None:
    (musan / "music/fma/cover.jpg").touch()
    for path in (musan / "music/fma").glob("*.wav"):
        path.unlink()
    result = script("make_musan.py", "--root", musan, tmp_path / "m", code=1)
    assert f"{musan}/music: has no file with an audio extension (.wav, .flac, .mp3, …); fetch" in result.stderr
    assert not (tmp_path / "m_music").exists()


def test_a_vocals_filter_that_leaves_no_music_is_refused_with_the_reasons(musan: Path, tmp_path: Path, script) -> None:
    (musan / "music/fma/ANNOTATIONS").write_text("music-fma-0000 rock Y someone\n")
    result = script("make_musan.py", "--root", musan, "--use-vocals", "false", tmp_path / "m", code=1)
    said = f"{musan}/music: --use-vocals false leaves none of 2 files: 1 has vocals, 1 ANNOTATIONS does not say"
    assert said in result.stderr and not (tmp_path / "m_music").exists()


def test_sounds_of_one_id_are_numbered_and_one_sound_in_two_formats_is_taken_once(
    tmp_path: Path, write_audio, script, read_pairs
) -> None:
    names = ("a/b.wav", "a-b.wav", "a/x/b.wav", "a-b-2.wav", "c d.wav", "c_d.wav", "e/f.wav", "e/f.flac")
    for name in names:
        write_audio(tmp_path / "musan" / "noise" / name)
    ids = ids_of(sorted(names))
    assert ids["e/f.wav"] == ids["e/f.flac"] and len(set(ids.values())) == len(names) - 1
    assert ids["a-b.wav"] == "a-b" and ids["a-b-2.wav"] == "a-b-2" and ids["a/b.wav"] == "a-b-3"
    (tmp_path / "musan/noise/c d.wav").unlink()  # commands cannot carry it
    script("make_musan.py", "--root", tmp_path / "musan", tmp_path / "m")
    assert len(read_pairs(tmp_path / "m_noise" / "wav.scp")) == len(names) - 2
    assert list(read_pairs(tmp_path / "m_noise" / "dropped").values()) == ["e/f.wav has the id of another file"]


def test_the_share_that_may_be_lost_reaches_musan_and_the_rooms(
    tmp_path: Path, write_audio, root: Path, command_env: dict[str, str]
) -> None:
    musan, rirs = tmp_path / "musan", tmp_path / "rirs"
    for name in ("music", "noise"):
        write_audio(musan / name / "a.wav")
        (musan / name / "b.wav").write_bytes(b"no audio")
    write_audio(rirs / "a.wav")
    (rirs / "rir_list").write_text("--rir-id a --room-id r rirs/a.wav\n--rir-id b --room-id r rirs/b.wav\n")
    command = ["local/prepare_augmentation.sh", "--data", tmp_path / "d", "--musan-root", musan, "--rirs-root", rirs]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        arguments = [*map(str, command), *more]
        return subprocess.run(arguments, cwd=root, env=command_env, capture_output=True, text=True, check=False)

    done = run("--max-loss", "0.5")
    assert done.returncode == 0, done.stderr
    done = run()
    assert done.returncode == 1 and "allow it with --max-loss" in done.stderr
    for corpus in ("folder", "mini", "voxceleb"):
        calls = (root / "local" / f"prepare_{corpus}.sh").read_text().splitlines()
        assert any("prepare_augmentation.sh" in line and '--max-loss "$max_loss"' in line for line in calls)


def test_an_earlier_class_that_is_gone_is_removed(musan: Path, tmp_path: Path, script, write_audio) -> None:
    write_audio(musan / "speech/x/speech-x-0000.wav")
    script("make_musan.py", "--root", musan, tmp_path / "m")
    assert (tmp_path / "m_speech" / "wav.scp").is_file()
    (musan / "speech").rename(tmp_path / "away")
    script("make_musan.py", "--root", musan, tmp_path / "m")
    assert not (tmp_path / "m_speech").exists()


def test_a_root_that_commands_cannot_carry_is_refused(tmp_path: Path, write_audio, script) -> None:
    write_audio(tmp_path / "my musan" / "noise" / "x" / "n.wav")
    result = script("make_musan.py", "--root", tmp_path / "my musan", tmp_path / "m", code=1)
    assert "a link with a plain name" in result.stderr


def test_small_and_medium_rooms_become_two_sets_of_half_weight(tmp_path: Path, write_audio, script) -> None:
    root = tmp_path / "renamed"
    for size in ("smallroom", "mediumroom"):
        folder = root / "simulated_rirs" / size
        write_audio(folder / "Room001" / "Room001-00001.wav", rate=8000 if size == "smallroom" else 16000)
        line = f"--rir-id {size}-1 --room-id {size}-Room001 RIRS_NOISES/simulated_rirs/{size}/Room001/Room001-00001.wav"
        (folder / "rir_list").write_text(line + "\n")
    target = tmp_path / "data" / "rir_list"
    result = script("make_rirs.py", "--root", root, target)
    assert (tmp_path / "data" / "rir_sets").read_text().splitlines() == [
        f"0.5, {target}_smallroom",
        f"0.5, {target}_mediumroom",
    ]
    small, medium = target.read_text().splitlines()
    wav = f"{root}/simulated_rirs/smallroom/Room001/Room001-00001.wav"
    assert small == f"--rir-id smallroom-1 --room-id smallroom-Room001 'utils/to_wav.py {wav} 16000 |'"
    assert medium.endswith(f" {root}/simulated_rirs/mediumroom/Room001/Room001-00001.wav")
    assert "1 impulse responses of 1 rooms in, 1 out, 0 dropped" in result.stderr


def test_of_a_response_of_several_microphones_the_first_is_taken(tmp_path: Path, write_audio, script) -> None:
    write_audio(tmp_path / "rirs" / "array.wav", channels=8)
    (tmp_path / "rirs" / "rir_list").write_text("--rir-id a --room-id b rirs/array.wav\n")
    script("make_rirs.py", "--root", tmp_path / "rirs", tmp_path / "rir_list")
    pipe = f"utils/to_wav.py --channel 0 {tmp_path}/rirs/array.wav 16000 |"
    assert (tmp_path / "rir_list").read_text() == f"--rir-id a --room-id b '{pipe}'\n"


def test_missing_impulse_responses_are_named(tmp_path: Path, script) -> None:
    (tmp_path / "rir_list").write_text("--rir-id a --room-id b rirs/none.wav\n")
    result = script("make_rirs.py", "--root", tmp_path, tmp_path / "out", code=1)
    assert f"1 of 1 files are missing: line 1: {tmp_path}/none.wav is not there" in result.stderr


def test_paths_of_a_rir_list_may_be_absolute_or_begin_at_the_root(
    tmp_path: Path, root: Path, write_audio, script
) -> None:
    own = tmp_path / "own"
    for name in ("a", "b", "c", "d"):
        write_audio(own / "rooms" / f"{name}.wav")
    paths = [f"{own}/rooms/a.wav", "rooms/b.wav", "own/rooms/c.wav", f"{os.path.relpath(own, root)}/rooms/d.wav"]
    gone = [f"{own}/rooms/gone.wav", "rooms/gone.wav"]
    lines = [f"--rir-id {number} --room-id r {path}\n" for number, path in enumerate(paths + gone, 1)]
    (own / "rir_list").write_text("".join(lines))
    script("make_rirs.py", "--root", own, "--max-loss", 0.5, tmp_path / "out")
    written = [line.split()[-1] for line in (tmp_path / "out").read_text().splitlines()]
    assert written[:3] == [f"{own}/rooms/{name}.wav" for name in "abc"]
    assert (root / written[3]).samefile(own / "rooms" / "d.wav")
    assert (tmp_path / "out.dropped").read_text() == (
        f"5 line 5: {own}/rooms/gone.wav is not there\n6 line 6: {own}/gone.wav is not there\n"
    )


def test_a_rir_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 rir-ids appear more than once \(a\)"):
        write_rir_lists(tmp_path / "rir_list", {"x": [ListedRir("a", "r", "1.wav"), ListedRir("a", "r", "2.wav")]})


def test_the_shared_corpora_are_read(shared: Path, tmp_path: Path, script, validate) -> None:
    script("make_musan.py", "--root", shared / "corpora" / "musan", tmp_path / "musan")
    script("make_rirs.py", "--root", shared / "corpora" / "rirs", tmp_path / "rir_list")
    validate(tmp_path / "musan_noise")
    validate(tmp_path / "musan_music")
    assert len((tmp_path / "musan_noise" / "reco2dur").read_text().splitlines()) == 96
    assert len((tmp_path / "musan_music" / "reco2dur").read_text().splitlines()) == 11
    assert len((tmp_path / "rir_list").read_text().splitlines()) == 25


def test_rir_ids_that_are_not_utf8_pass_unchanged(tmp_path: Path, write_audio, script) -> None:
    write_audio(tmp_path / "rirs" / "a.wav")
    lines = [b"--rir-id \xe9%d --room-id \xe9 rirs/%s.wav\n" % (n, name) for n, name in ((1, b"a"), (2, b"none"))]
    (tmp_path / "rirs" / "rir_list").write_bytes(b"".join(lines))
    script("make_rirs.py", "--root", tmp_path / "rirs", "--max-loss", 0.6, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"--rir-id \xe91 --room-id \xe9 %s/rirs/a.wav\n" % bytes(tmp_path)
    assert (tmp_path / "out.dropped").read_bytes().startswith(rb"\udce92 ")  # readable in a terminal
