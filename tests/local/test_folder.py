"""local/make_folder.py on small trees: every file is an utterance or a line of `dropped`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from common.errors import KaldiError
from local.audio_files import AudioFile, inspect, without_extension
from minikaldi.feat.audio import load_audio
from minikaldi.io import WAVE, read_object
from minikaldi.io.wave import UNKNOWN_SIZES


@pytest.fixture
def tree(tmp_path: Path, write_audio) -> Path:
    root = tmp_path / "corpus"
    write_audio(root / "s1" / "a.wav")
    write_audio(root / "s1" / "deep" / "b c.wav")
    write_audio(root / "s2" / "it's.flac")
    write_audio(root / "s2" / "stereo.wav", channels=2)
    write_audio(root / "s2" / "fast.wav", rate=44100)
    write_audio(root / "s2" / "wide.wav", subtype="PCM_24")
    return root


def test_ids_are_speaker_and_relative_path_and_only_plain_wav_goes_by_path(
    tree: Path, tmp_path: Path, script, validate, read_pairs
) -> None:
    data = tmp_path / "data"
    result = script("make_folder.py", "--root", tree, data)
    validate(data)
    wav = read_pairs(data / "wav.scp")
    assert list(wav) == ["s1-a", "s1-deep-b_c", "s2-fast", "s2-it's", "s2-stereo", "s2-wide"]
    assert wav["s1-a"] == f"{tree}/s1/a.wav"
    assert wav["s1-deep-b_c"] == f"{tree}/s1/deep/b c.wav"
    for utt_id, name in (("s2-fast", "fast.wav"), ("s2-it's", "it's.flac"), ("s2-stereo", "stereo.wav")):
        assert shlex.split(wav[utt_id]) == ["utils/to_wav.py", f"{tree}/s2/{name}", "16000", "|"]
    assert read_pairs(data / "utt2dur")["s2-fast"] == "0.1000"
    assert "1 FLAC PCM_16 16000 Hz mono" in result.stderr and "1 WAV PCM_16 44100 Hz mono" in result.stderr
    assert "make_folder.py: 6 files in, 6 out, 0 dropped" in result.stderr


def test_unusable_files_are_counted_drops_with_reasons(
    tree: Path, tmp_path: Path, write_audio, script, validate
) -> None:
    (tree / "s1" / "empty.wav").touch()
    (tree / "s1" / "junk.wav").write_bytes(b"this is no audio at all" * 10)
    (tree / "s1" / "notes.txt").write_text("a transcript")
    (tree / "s1" / "._a.wav").write_bytes(b"resource fork")
    (tree / "loose.wav").write_bytes(b"x")
    whole = write_audio(tree / "s1" / "cut.wav", seconds=1.0)
    os.truncate(whole, 20000)
    cut = write_audio(tree / "s1" / "cutf.flac", seconds=1.0)
    os.truncate(cut, cut.stat().st_size // 2)
    write_audio(tree / "s1" / "none.wav", seconds=0.0)
    write_audio(tree / "s1" / "a.flac")
    data = tmp_path / "data"
    result = script("make_folder.py", "--root", tree, "--max-loss", 0.6, data)
    validate(data)
    dropped = dict(line.split(" ", 1) for line in (data / "dropped").read_text().splitlines())
    assert dropped["s1-empty"].startswith("empty file")
    assert dropped["s1-junk"].startswith("not audio")
    assert dropped["s1-notes.txt"].startswith("no audio file (.txt)")
    assert dropped["s1-._a.wav"] == "hidden file"
    assert dropped["loose.wav"] == "not in a speaker's folder"
    assert "promises 12044 more bytes" in dropped["s1-cut"]
    assert "the end does not decode" in dropped["s1-cutf"]
    assert dropped["s1-none"].startswith("a header and no samples")
    assert dropped["s1-a"] == "s1/a.wav has the id of s1/a.flac"
    assert f"15 files in, 6 out, 9 dropped (see {data}/dropped)" in result.stderr


def test_losing_more_than_the_share_is_an_error_that_names_the_first(tree: Path, tmp_path: Path, script) -> None:
    (tree / "s1" / "empty.wav").touch()
    result = script("make_folder.py", "--root", tree, tmp_path / "data", code=1)
    assert "1 of 7 audio files are lost, more than 1 %: s1-empty (empty file: s1/empty.wav)" in result.stderr
    assert "--max-loss" in result.stderr


def test_m4a_without_ffmpeg_is_an_error_before_anything_is_written(
    tree: Path, tmp_path: Path, script, command_env: dict[str, str]
) -> None:
    (tree / "s1" / "x.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")
    command_env_path = command_env["PATH"]
    try:
        command_env["PATH"] = str(tmp_path)
        result = script("make_folder.py", "--root", tree, tmp_path / "data", code=1)
    finally:
        command_env["PATH"] = command_env_path
    assert "1 files need ffmpeg" in result.stderr and "apt-get install ffmpeg" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("has_ffmpeg", [True, False])
def test_a_file_named_m4a_is_what_its_bytes_are(
    tree: Path, tmp_path: Path, script, read_pairs, root: Path, command_env: dict[str, str], has_ffmpeg: bool
) -> None:
    for folder, name in (("s1", "wave.m4a"), ("s2", "wave.amr")):
        (tree / folder / name).write_bytes((tree / "s1" / "a.wav").read_bytes())
    (tree / "s1" / "flac.mp4").write_bytes((tree / "s2" / "it's.flac").read_bytes())
    (tree / "s1" / "page.m4a").write_text("<!DOCTYPE html><html><title>404 Not Found</title></html>")
    (tree / "s1" / "zeros.aac").write_bytes(bytes(1000))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    env = {**command_env, "PATH": f"{Path(sys.executable).parent}{f':{tmp_path}/bin' if has_ffmpeg else ''}"}
    script("make_folder.py", "--root", tree, "--max-loss", 0.5, tmp_path / "data", env=env)
    wav = read_pairs(tmp_path / "data" / "wav.scp")
    assert wav["s1-wave"] == f"{tree}/s1/wave.m4a" and wav["s2-wave"] == f"{tree}/s2/wave.amr"
    assert wav["s1-flac"] == f"utils/to_wav.py {tree}/s1/flac.mp4 16000 |"
    dropped = read_pairs(tmp_path / "data" / "dropped")
    assert dropped["s1-page"].startswith("not audio: ") and dropped["s1-zeros"].startswith("not audio: ")


@pytest.mark.parametrize(
    "start",
    [b"\0\0\0\x14ftypqt  ", b"\0\0\0\x08wide\0\0\1\0mdat", b"\xff\xf1\x50\x80", b"\xff\xf0\x50\x80",
     b"#!AMR\n", b"#!AMR-WB\n", b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"],
    ids=["MP4", "QuickTime", "AAC", "AAC with CRC", "AMR", "AMR-WB", "Matroska", "WMA"],
)  # fmt: skip
def test_containers_that_ffmpeg_reads_go_to_it_whatever_their_extension(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.m4a"
    path.write_bytes(start + bytes(200))
    assert inspect(str(path), 16000) == AudioFile(str(path), "m4a", False, None, by_ffmpeg=True)
    with pytest.raises(KaldiError, match=r"x\.m4a: .*ffmpeg"):
        load_audio(path, 16000)


def test_genders_beside_the_root_are_used_and_an_unknown_speaker_is_said(
    tree: Path, tmp_path: Path, script, validate, read_pairs
) -> None:
    data = tmp_path / "data"
    beside = tmp_path / "corpus.spk2gender"
    beside.write_text("s1 F\r\ns2 m\r\ns9 m\r\n")
    script("make_folder.py", "--root", tree, data)
    assert read_pairs(data / "spk2gender") == {"s1": "f", "s2": "m"}
    validate(data)
    beside.write_text("s1 f\n")
    result = script("make_folder.py", "--root", tree, data)
    assert "the gender of 1 of 2 speakers is unknown (s2)" in result.stderr
    assert not (data / "spk2gender").exists()
    validate(data)


def test_a_failed_run_leaves_the_earlier_data_directory(tree: Path, tmp_path: Path, script, read_pairs) -> None:
    data = tmp_path / "data"
    script("make_folder.py", "--root", tree, data)
    before = read_pairs(data / "wav.scp")
    (tree / "s1" / "new\nline.wav").touch()
    result = script("make_folder.py", "--root", tree, data, code=1)
    assert "new\\nline.wav" in result.stderr
    assert read_pairs(data / "wav.scp") == before


def test_an_empty_or_missing_root_says_what_was_expected(tmp_path: Path, script) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "nowhere"):
        assert "<root>/<speaker>/**/<audio>" in script("make_folder.py", "--root", root, tmp_path / "d", code=1).stderr


def test_links_from_one_root_to_files_of_another_are_taken_once(
    tree: Path, tmp_path: Path, script, read_pairs, write_audio
) -> None:
    other = tmp_path / "other"
    write_audio(other / "x" / "own.wav")
    (other / "x" / "again.wav").symlink_to(tree / "s1" / "a.wav")
    (other / "s2").symlink_to(tree / "s2")
    for first, second in ((tree, other), (other, tree)):
        done = script("make_folder.py", "--root", first, "--root", second, tmp_path / "data")
        audio = list(read_pairs(tmp_path / "data" / "wav.scp").values())
        assert len(audio) == 7 and not any("again.wav" in one or "other/s2" in one for one in audio)
        assert "5 files are links to files of another root, and are taken once" in done.stderr
        reasons = read_pairs(tmp_path / "data" / "dropped")
        assert reasons["x-again.wav"] == f"a link to a file that is there already, {tree}/s1/a.wav"


def test_links_that_lead_in_a_circle_are_entered_once(tree: Path, tmp_path: Path, script) -> None:
    (tree / "s1" / "circle").symlink_to(tree)
    script("make_folder.py", "--root", tree, tmp_path / "data")
    assert len((tmp_path / "data" / "wav.scp").read_text().splitlines()) == 6


def test_only_audio_extensions_are_cut() -> None:
    assert without_extension("a/take.2.WAV") == "a/take.2"
    assert without_extension("a/take.2") == "a/take.2"


@pytest.mark.parametrize("size", UNKNOWN_SIZES)
def test_a_streamed_wav_header_goes_through_to_wav(tmp_path: Path, write_audio, size: int) -> None:
    path = write_audio(tmp_path / "s.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    found = inspect(str(path), 16000)
    assert isinstance(found, AudioFile) and not found.plain and found.seconds == 0.1
    assert len(load_audio(path, 16000)) == read_object(str(path), WAVE).samples.shape[1] == 1600
