"""VoxCeleb1 and VoxCeleb2 in the layouts that people have on disk."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from local.genders import metadata_genders, read_metadata
from local.make_voxceleb2 import find_part

META1 = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
    "id10270\tEartha_Kitt\tf\tUSA\ttest\n"
    "id10300\tErnest_Borgnine\tm\tUSA\ttest\n"
)
META2 = "\ufeffVoxCeleb2 ID,VGGFace2 ID,Gender,Set\r\nid00012 ,n000012 ,m ,dev \r\nid00015 ,n000015 ,f ,dev \r\n"


def tiny_wav(name: str = "") -> bytes:
    """Four samples of the name's own."""
    stream = io.BytesIO()
    samples = np.random.default_rng(zlib.crc32(name.encode())).uniform(-0.5, 0.5, 4)
    soundfile.write(stream, samples, 16000, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def put(root: Path, paths: list[str], content: bytes) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def put_wavs(root: Path, paths: list[str]) -> None:
    """Audio of its own at each path: the same audio in training and test is refused."""
    for path in paths:
        put(root, [path], tiny_wav(f"{root}/{path}"))


@pytest.fixture
def vox1(tmp_path: Path) -> Path:
    """Today's layout, dev and test in one tree."""
    root = tmp_path / "vox1"
    files = ["id10001/vid-a/00001.wav", "id10270/5r0dWxy17C8/00001.wav", "id10270/-x6uYqmx31k/00002.wav"]
    put_wavs(root / "wav", [*files, "id10300/ize_eiCFEg0/00003.wav"])
    (root / "vox1_meta.csv").write_text(META1)
    (root / "veri_test.txt").write_text(
        "1 id10270/5r0dWxy17C8/00001.wav id10270/-x6uYqmx31k/00002.wav\n"
        "0 id10270/5r0dWxy17C8/00001.wav id10300/ize_eiCFEg0/00003.wav"
    )
    return root


def test_todays_voxceleb1_is_parted_by_the_trial_list(vox1: Path, tmp_path: Path, script, validate, read_pairs) -> None:
    test, dev = tmp_path / "test", tmp_path / "dev"
    result = script("make_voxceleb1.py", "--root", vox1, "--part", "test", test)
    script("make_voxceleb1.py", "--root", vox1, "--part", "dev", dev)
    validate(test)
    validate(dev)
    assert read_pairs(dev / "utt2rec") == {"id10001-vid-a-00001": "id10001-vid-a"}
    assert read_pairs(test / "wav.scp")["id10270-5r0dWxy17C8-00001"] == f"{vox1}/wav/id10270/5r0dWxy17C8/00001.wav"
    assert read_pairs(test / "utt2rec")["id10270--x6uYqmx31k-00002"] == "id10270--x6uYqmx31k"
    assert read_pairs(test / "spk2gender") == {"id10270": "f", "id10300": "m"}
    assert (test / "trials").read_text().splitlines() == [
        "id10270-5r0dWxy17C8-00001 id10270--x6uYqmx31k-00002 target",
        "id10270-5r0dWxy17C8-00001 id10300-ize_eiCFEg0-00003 nontarget",
    ]
    assert "make_voxceleb1.py: 3 files in, 3 out, 0 dropped" in result.stderr


def test_a_wav_that_was_cut_short_is_dropped_and_another_rate_is_converted(
    vox1: Path, tmp_path: Path, script, read_pairs
) -> None:
    (vox1 / "veri_test.txt").unlink()
    folder = vox1 / "wav/id10001/vid-a"
    for name, seconds, rate in (("00002", 1, 16000), ("00003", 1, 8000)):
        soundfile.write(folder / f"{name}.wav", np.zeros(seconds * rate), rate, subtype="PCM_16")
    whole = (folder / "00002.wav").read_bytes()
    (folder / "00002.wav").write_bytes(whole[:-100])
    (folder / "00004.wav").write_bytes(b"<html>404</html>" * 9)
    dev = tmp_path / "dev"
    script("make_voxceleb1.py", "--root", vox1, "--part", "dev", "--max-loss", "0.6", dev)
    audio = read_pairs(dev / "wav.scp")
    assert list(audio) == ["id10001-vid-a-00001", "id10001-vid-a-00003"]
    assert audio["id10001-vid-a-00003"] == f"utils/to_wav.py {folder}/00003.wav 16000 |"
    dropped = read_pairs(dev / "dropped")
    assert dropped["id10001-vid-a-00002"].endswith("truncated: the header promises 100 more bytes")
    assert "no RIFF file, it begins b'<html>404" in dropped["id10001-vid-a-00004"]


def test_without_a_trial_list_the_metadata_parts_the_speakers(vox1: Path, tmp_path: Path, script, read_pairs) -> None:
    (vox1 / "veri_test.txt").unlink()
    result = script("make_voxceleb1.py", "--root", vox1, "--part", "dev", tmp_path / "dev")
    assert list(read_pairs(tmp_path / "dev" / "spk2utt")) == ["id10001"]
    result = script("make_voxceleb1.py", "--root", vox1, "--part", "test", tmp_path / "test")
    assert "no trials are written" in result.stderr
    (vox1 / "vox1_meta.csv").unlink()
    result = script("make_voxceleb1.py", "--root", vox1, "--part", "dev", tmp_path / "dev", code=1)
    assert "who is a test speaker?" in result.stderr


def test_dev_and_test_in_folders_of_their_own_are_both_found(vox1: Path, tmp_path: Path, script, read_pairs) -> None:
    for part, speakers in (("dev", ["id10001"]), ("test", ["id10270", "id10300"])):
        (vox1 / f"vox1_{part}_wav" / "wav").mkdir(parents=True)
        for speaker in speakers:
            (vox1 / "wav" / speaker).rename(vox1 / f"vox1_{part}_wav" / "wav" / speaker)
    (vox1 / "wav").rmdir()
    script("make_voxceleb1.py", "--root", vox1, "--part", "test", tmp_path / "test")
    assert len(read_pairs(tmp_path / "test" / "wav.scp")) == 3


def test_an_empty_file_is_dropped_and_its_trial_is_an_error(vox1: Path, tmp_path: Path, script) -> None:
    (vox1 / "wav/id10300/ize_eiCFEg0/00003.wav").write_bytes(b"")
    arguments = ("--root", vox1, "--part", "test", "--max-loss", 0.5, tmp_path / "test")
    result = script("make_voxceleb1.py", *arguments, code=1)
    assert "3 files in, 2 out, 1 dropped" in result.stderr
    assert "1 of 2 trials name an utterance that is not in the data directory: line 2" in result.stderr
    assert "has 0 bytes: no sound" in result.stderr


def test_the_name_based_layout_and_its_list(tmp_path: Path, script, validate, read_pairs) -> None:
    root = tmp_path / "old"
    files = ["Eartha_Kitt/x6uYqmx31kE_0000001.wav", "Ernest_Borgnine/ize_eiCFEg0_0000003.wav"]
    put_wavs(root / "voxceleb1_wav", [*files, "A.J._Buckley/1zcIwhmdeo4_0000001.wav"])
    (root / "voxceleb1_test.txt").write_text(f"0 {files[0]} {files[1]}\n")
    (root / "vox1_meta.csv").write_text(META1)
    script("make_voxceleb1.py", "--root", root, "--part", "test", tmp_path / "test")
    script("make_voxceleb1.py", "--root", root, "--part", "dev", tmp_path / "dev")
    validate(tmp_path / "test")
    assert (tmp_path / "test" / "trials").read_text() == (
        "Eartha_Kitt-x6uYqmx31kE-0000001 Ernest_Borgnine-ize_eiCFEg0-0000003 nontarget\n"
    )
    assert read_pairs(tmp_path / "test" / "utt2rec")["Eartha_Kitt-x6uYqmx31kE-0000001"] == "Eartha_Kitt-x6uYqmx31kE"
    assert read_pairs(tmp_path / "dev" / "spk2gender") == {"A.J._Buckley": "m"}


def test_voxceleb2_m4a_goes_through_to_wav_and_a_converted_twin_wins(
    tmp_path: Path, script, validate, read_pairs, command_env: dict[str, str]
) -> None:
    root, fake = tmp_path / "vox2", tmp_path / "bin"
    put(root / "dev/aac", ["id00012/21Uxsk56VDQ/00001.m4a", "id00015/abcdefghijk/00002.m4a"], b"\0\0\0\x18ftypM4A ")
    put_wavs(root / "dev/wav", ["id00015/abcdefghijk/00002.wav"])
    (root / "vox2_meta.csv").write_bytes(META2.encode())
    result = script("make_voxceleb2.py", "--root", root, "--part", "dev", tmp_path / "data", code=0 if ffmpeg() else 1)
    if not ffmpeg():
        assert "2 files need ffmpeg" in result.stderr or "1 files need ffmpeg" in result.stderr
        put(fake, ["ffmpeg"], b"#!/bin/sh\n")
        (fake / "ffmpeg").chmod(0o755)
        env = {**command_env, "PATH": f"{command_env['PATH']}:{fake}"}
        script("make_voxceleb2.py", "--root", root, "--part", "dev", tmp_path / "data", env=env)
    validate(tmp_path / "data")
    assert read_pairs(tmp_path / "data" / "wav.scp") == {
        "id00012-21Uxsk56VDQ-00001": f"utils/to_wav.py {root}/dev/aac/id00012/21Uxsk56VDQ/00001.m4a 16000 |",
        "id00015-abcdefghijk-00002": f"{root}/dev/wav/id00015/abcdefghijk/00002.wav",
    }
    assert read_pairs(tmp_path / "data" / "spk2gender") == {"id00012": "m", "id00015": "f"}


@pytest.mark.parametrize("has_ffmpeg", [True, False])
@pytest.mark.parametrize("corpus", ["make_voxceleb1.py", "make_voxceleb2.py", "make_folder.py"])
def test_m4a_bytes_named_wav_are_treated_alike_in_every_corpus(
    tmp_path: Path, script, read_pairs, root: Path, command_env: dict[str, str], corpus: str, has_ffmpeg: bool
) -> None:
    options = {
        "make_voxceleb1.py": ("wav", "--part", "dev"),
        "make_voxceleb2.py": ("dev/wav", "--part", "dev"),
        "make_folder.py": (".",),
    }
    folder, *part = options[corpus]
    tree = tmp_path / "corpus" / folder
    put(tree, ["id00012/21Uxsk56VDQ/00001.wav"], b"\0\0\0\x1cftypisom" + bytes(80))
    put_wavs(tree, ["id00012/21Uxsk56VDQ/00002.wav"])
    (tmp_path / "corpus" / "vox1_meta.csv").write_text(META1.replace("id10001", "id00012"))
    put(tmp_path / "bin", ["ffmpeg"], b"#!/bin/sh\n")
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    env = {**command_env, "PATH": f"{Path(sys.executable).parent}{f':{tmp_path}/bin' if has_ffmpeg else ''}"}
    arguments = ("--root", tmp_path / "corpus", *part, "--max-loss", "0.9", tmp_path / "data")
    result = script(corpus, *arguments, env=env)
    audio = read_pairs(tmp_path / "data" / "wav.scp")
    file = f"{tree}/id00012/21Uxsk56VDQ/00001.wav"
    assert audio["id00012-21Uxsk56VDQ-00002"].endswith("00002.wav")
    assert (audio.get("id00012-21Uxsk56VDQ-00001") == f"utils/to_wav.py {file} 16000 |") == has_ffmpeg
    if has_ffmpeg:
        assert "1 misnamed" in result.stderr or "1 files (1 of them misnamed)" in result.stderr
    else:
        reason = read_pairs(tmp_path / "data" / "dropped")["id00012-21Uxsk56VDQ-00001"]
        assert "is MP4/M4A, which needs ffmpeg, and there is none on PATH" in reason


def test_flac_that_is_cut_short_is_dropped_as_wav_is(vox1: Path, tmp_path: Path, script, read_pairs) -> None:
    (vox1 / "veri_test.txt").unlink()
    folder = vox1 / "wav/id10001/vid-a"
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(0).normal(0, 0.1, 9000), 16000, format="FLAC")
    (folder / "00002.flac").write_bytes(stream.getvalue())
    (folder / "00003.flac").write_bytes(stream.getvalue()[:-5000])
    script("make_voxceleb1.py", "--root", vox1, "--part", "dev", "--max-loss", "0.6", tmp_path / "dev")
    assert list(read_pairs(tmp_path / "dev" / "wav.scp")) == ["id10001-vid-a-00001", "id10001-vid-a-00002"]
    dropped = read_pairs(tmp_path / "dev" / "dropped")["id10001-vid-a-00003"]
    assert dropped.endswith("truncated: the end does not decode")


def ffmpeg() -> bool:
    import shutil

    return shutil.which("ffmpeg") is not None


def test_a_tree_that_is_not_there_says_what_was_looked_for(tmp_path: Path, script) -> None:
    result = script("make_voxceleb2.py", "--root", tmp_path, "--part", "dev", tmp_path / "data", code=1)
    assert "dev/wav, dev/aac" in result.stderr


def test_a_part_without_an_utterance_says_why(tmp_path: Path, script) -> None:
    put_wavs(tmp_path / "v", ["dev/wav/id00012/video/deep/1.wav", "dev/wav/id00012/2.wav"])
    done = script("make_voxceleb2.py", "--root", tmp_path / "v", "--part", "dev", tmp_path / "data", code=1)
    assert "no utterance is left to write: id00012-2.wav (neither <spk>/<video>/<segment> nor " in done.stderr


def test_voxceleb1_metadata_without_the_old_names_is_one_clear_error(vox1: Path, tmp_path: Path, script) -> None:
    (vox1 / "vox1_meta.csv").write_text("VoxCeleb1 ID\tGender\tSet\nid10001\tm\tdev\n")
    done = script("make_voxceleb1.py", "--root", vox1, "--part", "test", tmp_path / "test", code=1)
    assert 'vox1_meta.csv:1: there is no column "VGGFace1 ID"; found VoxCeleb1 ID, Gender, Set' in done.stderr


def test_voxceleb1_in_folders_dev_and_test_without_wav(vox1: Path, tmp_path: Path, script, read_pairs) -> None:
    (vox1 / "dev").mkdir()
    (vox1 / "wav/id10001").rename(vox1 / "dev/id10001")
    (vox1 / "wav").rename(vox1 / "test")
    put(vox1, ["dev/aac/id00012/video/00001.m4a"], b"x")     # VoxCeleb2 beside it
    for part, speakers in (("dev", {"id10001"}), ("test", {"id10270", "id10300"})):
        script("make_voxceleb1.py", "--root", vox1, "--part", part, tmp_path / part)
        assert set(read_pairs(tmp_path / part / "utt2spk").values()) == speakers


@pytest.mark.parametrize(
    "folders",
    [
        ("dev/aac", "aac"),
        ("dev/wav", "test"),
        ("vox2_dev_aac", "vox2_test_aac"),
        ("vox2_dev_wav", "vox2_test_wav/wav"),
        ("vox2_dev_aac/aac", "vox2_test_aac/test/aac"),
        ("vox2_dev_aac/dev/aac", "vox2_test_wav/test"),
    ],
)
def test_voxceleb2_as_it_unpacks(tmp_path: Path, folders: tuple[str, str]) -> None:
    put_wavs(tmp_path, [f"{folders[0]}/id00012/video/00001.wav", f"{folders[1]}/id00017/video/00001.wav"])
    rows = [{"VoxCeleb2 ID": "id00012", "Set": "dev"}, {"VoxCeleb2 ID": "id00017", "Set": "test"}]
    for part, speakers in (("dev", ["id00012"]), ("test", ["id00017"]), ("both", ["id00012", "id00017"])):
        assert sorted(one.speaker for one in find_part(tmp_path, part, rows).segments) == speakers


Prepare = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def prepare(tmp_path: Path, write_audio, root: Path, command_env: dict[str, str]) -> Prepare:
    """prepare(voxceleb1, voxceleb2, *options): stage 0 into tmp_path/data, with a noise and a room."""
    for name in ("musan/music/a.wav", "musan/noise/a.wav", "rirs/a.wav"):
        write_audio(tmp_path / name)
    (tmp_path / "rirs/rir_list").write_text("--rir-id a --room-id r rirs/a.wav\n")
    material = ["--musan-root", tmp_path / "musan", "--rirs-root", tmp_path / "rirs"]

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["local/prepare_voxceleb.sh", "--data", tmp_path / "data", *material, *arguments]
        return subprocess.run(
            [*map(str, command)], cwd=root, env=command_env, capture_output=True, text=True, check=False
        )

    return run


def test_the_test_part_beside_the_folder_dev_is_trained_on(vox1: Path, tmp_path: Path, prepare: Prepare) -> None:
    vox2 = tmp_path / "vox2"
    put_wavs(vox2, ["dev/aac/id00012/video/00001.wav", "aac/id00017/video/00001.wav"])
    (vox2 / "vox2_meta.csv").write_text("VoxCeleb2 ID,Gender,Set\nid00012,m,dev\nid00017,f,test\n")
    done = prepare(vox1, vox2)
    assert done.returncode == 0, done.stderr
    speakers = [line.split()[0] for line in (tmp_path / "data/train/spk2utt").read_text().splitlines()]
    assert speakers == ["id00012", "id00017", "id10001"]


def test_a_list_of_all_voxceleb1_speakers_trains_on_voxceleb2_alone(
    vox1: Path, tmp_path: Path, prepare: Prepare
) -> None:
    vox2 = tmp_path / "vox2"
    put_wavs(vox2, ["dev/aac/id00012/video/00001.wav", "dev/aac/id00013/video/00001.wav"])
    with (vox1 / "veri_test.txt").open("a") as stream:
        stream.write("\n0 id10001/vid-a/00001.wav id10300/ize_eiCFEg0/00003.wav\n")
    put(tmp_path, ["data/voxceleb1_dev/wav.scp"], b"an earlier run's\n")
    done = prepare(vox1, vox2)
    assert done.returncode == 0, done.stderr
    assert "all speakers are in the trials" in done.stderr and "training on VoxCeleb2 alone" in done.stderr
    assert f"{vox2}/test is not there: training without VoxCeleb2's test part" in done.stderr
    speakers = [line.split()[0] for line in (tmp_path / "data/train/spk2utt").read_text().splitlines()]
    assert speakers == ["id00012", "id00013"]
    done = prepare(vox1, "-")
    assert done.returncode == 1 and "none is left to train on; give --voxceleb2-root" in done.stderr


def test_metadata_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.csv").write_text("id\tsex\nid1\tm\n")
    with pytest.raises(InputError, match='no column "VoxCeleb1 ID"; found id, sex'):
        read_metadata(tmp_path / "meta.csv", "VoxCeleb1 ID")


def test_the_published_metadata_is_read_whole(shared: Path) -> None:
    for name, key, count in (("vox1_meta.csv", "VoxCeleb1 ID", 1251), ("vox2_meta.csv", "VoxCeleb2 ID", 6114)):
        path = shared / "corpora" / "voxceleb_lists" / name
        genders = metadata_genders(path, read_metadata(path, key), key)
        assert len(genders) == count and set(genders.values()) == {"m", "f"}


@pytest.mark.parametrize(
    ("tree", "name", "count"),
    [
        ("wav", "voxceleb1_veri_test.txt", 37720),
        ("wav", "voxceleb1_veri_test_fixed.txt", 37611),
        ("voxceleb1_wav", "rawnet_voxceleb1_test.txt", 37720),
    ],
)
def test_every_trial_of_the_published_lists_is_accounted_for(
    shared: Path, tmp_path: Path, script, read_pairs, tree: str, name: str, count: int
) -> None:
    source = shared / "corpora" / "voxceleb_lists" / name
    given = [line.split() for line in source.read_text().split("\n") if line]
    assert len(given) == count
    put_wavs(tmp_path / tree, sorted({path for fields in given for path in fields[1:]}))
    meta = ("--meta", shared / "corpora" / "voxceleb_lists" / "vox1_meta.csv")
    script("make_voxceleb1.py", "--root", tmp_path, "--part", "test", "--trials", source, *meta, tmp_path / "test")
    trials = [line.split() for line in (tmp_path / "test" / "trials").read_text().splitlines()]
    assert len(trials) == count
    wav = read_pairs(tmp_path / "test" / "wav.scp")
    for (label, enroll, test), (enroll_id, test_id, word) in zip(given, trials, strict=True):
        assert (label == "1") == (word == "target")
        assert wav[enroll_id].endswith(enroll) and wav[test_id].endswith(test)
    assert len(read_pairs(tmp_path / "test" / "spk2gender")) == 40
