"""Corpora as they lie on disks: what is broken or strange is a line of `dropped`, and the rest is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from common.errors import InputError
from local import make_folder, make_musan, make_rirs, make_voxceleb1, make_voxceleb2
from local.voxceleb import find_trees

Main = Callable[[Sequence[str]], None]


@pytest.fixture
def make(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """make(main, "--root", path, …): run a script's `main`; returns what it says."""

    def run(main: Main, *arguments: object) -> str:
        main([*map(str, arguments)])
        return capsys.readouterr().err

    return run


def table(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in path.read_text().splitlines())


def spoil(folder: Path) -> dict[str, str]:
    """Put everything into a speaker's folder that is no use; returns path in the folder -> what is said of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.wav").touch()
    (folder / "gone.wav").symlink_to("/nowhere/b.wav")
    (folder / "round.wav").symlink_to("round.wav")
    (folder / "back").symlink_to(folder)
    (folder / "._x.wav").write_bytes(b"\0\5\x16\7")
    (folder / ".hidden").mkdir()
    (folder / "@eaDir").mkdir()
    (folder / "@eaDir" / "x.wav").write_bytes(b"index")
    (folder / "empty").mkdir()
    (folder / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"latin")
    (folder / "tab\t.wav").write_bytes(b"x")
    os.mkfifo(folder / "pipe.wav")
    return {
        **{"empty.wav": "", "gone.wav": "broken link to /nowhere/b.wav", "round.wav": "leads in a circle"},
        **{"back": "there already", "._x.wav": "hidden file", ".hidden": "hidden folder", "@eaDir": "file server"},
        **{"caf\\udce9.wav": "not UTF-8", "tab\\t.wav": "control character", "pipe.wav": "neither a file nor a folder"},
    }


def assert_dropped(lines: Sequence[str], spoiled: dict[str, str]) -> None:
    """Each thing that was put there has its line."""
    for name, reason in spoiled.items():
        stem = name.removesuffix(".wav")
        assert any(stem in line and reason in line for line in lines), (name, lines)


def test_a_folder_corpus_with_everything_in_it(tmp_path: Path, write_audio, validate, make) -> None:
    root = tmp_path / "corpus"
    spoiled = spoil(root / "s1")
    write_audio(root / "s1" / "a.WAV")
    write_audio(root / "s 2" / "b c.FLAC")
    (root / "silent").mkdir()
    (root / "lost").symlink_to("/nowhere/lost")
    data = tmp_path / "data"
    said = make(make_folder.main, "--max-loss", 0.9, "--root", root, data)
    validate(data)
    assert list(table(data / "wav.scp")) == ["s1-a", "s_2-b_c"]
    lines = (data / "dropped").read_text().splitlines()
    assert_dropped(lines, spoiled)
    assert "lost broken link to /nowhere/lost" in lines
    assert f"{len(lines) + 2} files in, 2 out, {len(lines)} dropped" in said and len(lines) == len(spoiled) + 1
    assert "1 of 3 speakers' folders give no utterance: silent" in said
    assert "s1-gone broken link to /nowhere/b.wav" in lines


def test_a_file_that_may_not_be_read_is_one_file_less(
    tmp_path: Path, write_audio, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from local import audio_files

    audio_info = audio_files.audio_info

    def refuse(path: str):
        if path.endswith("b.wav"):
            raise PermissionError(13, "Permission denied", path)
        return audio_info(path)

    monkeypatch.setattr(audio_files, "audio_info", refuse)
    for name in ("a", "b"):
        write_audio(tmp_path / "corpus" / "id00012" / "vid" / f"{name}.wav")
    make(make_folder.main, "--max-loss", 0.5, "--root", tmp_path / "corpus", tmp_path / "data")
    reason = "cannot be read: Permission denied"
    assert table(tmp_path / "data" / "dropped") == {"id00012-vid-b": f"{reason}: id00012/vid/b.wav"}
    make(make_voxceleb2.main, "--max-loss", 0.5, "--root", tmp_path / "corpus", "--part", "dev", tmp_path / "vox")
    assert table(tmp_path / "vox" / "dropped")["id00012-vid-b"].endswith(reason)


def test_several_roots_are_one_corpus_and_common_speakers_are_said(tmp_path: Path, write_audio, validate, make) -> None:
    one, two, other = tmp_path / "x" / "one", tmp_path / "x" / "two", tmp_path / "y" / "two"
    for root, names in ((one, ("s1/a", "s2/a")), (two, ("s2/a", "s2/b", "s3/a")), (other, ("s2/a",))):
        for name in names:
            write_audio(root / f"{name}.wav")
    (tmp_path / "x" / "one.spk2gender").write_text("s1 m\ns2 f\n")
    (tmp_path / "x" / "two.spk2gender").write_text("s2 f\ns3 m\n")
    data = tmp_path / "data"
    said = make(make_folder.main, "--root", one, "--root", two, "--root", other, "--root", one, data)
    validate(data)
    assert {utt: Path(path).parents[1] for utt, path in table(data / "wav.scp").items()} == {
        **{"s1-a": one, "s2-a": one, "s2-two2-a": two, "s2-b": two, "s3-a": two},
        "s2-two3-a": other,
    }
    assert table(data / "spk2gender") == {"s1": "m", "s2": "f", "s3": "m"}
    assert "1 speakers are in more than one of" in said and "(s2): each is taken for one person" in said
    assert "6 files in, 6 out, 0 dropped" in said
    (tmp_path / "x" / "two.spk2gender").write_text("s2 m\n")
    with pytest.raises(InputError, match="s2 is m, and another of"):
        make(make_folder.main, "--root", one, "--root", two, data)


def test_a_trial_list_may_name_a_file_by_its_link(tmp_path: Path, write_audio, make) -> None:
    root = tmp_path / "corpus"
    for path in ("s1/a", "s1/b", "s2/c"):
        write_audio(root / f"{path}.wav")
    (root / "s1" / "enrol.wav").symlink_to("a.wav")
    (tmp_path / "list").write_text("1 s1/enrol.wav s1/b.wav\n0 s1/enrol s2/c\n")
    make(make_folder.main, "--root", root, "--trials", tmp_path / "list", tmp_path / "data")
    assert (tmp_path / "data" / "trials").read_text() == "s1-a s1-b target\ns1-a s2-c nontarget\n"
    assert table(tmp_path / "data" / "dropped") == {"s1-enrol.wav": "a link to a file that is there already, s1/a.wav"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("1 s1/a s1/b\n0 s1/a s2/c\n1 s1/b s2/c\n", "1 of 3 labels contradict .*line 3: s1-b s2-c target, of s1 and"),
        ("1 s1/a s1/b\n0 s1/b s1/a\n", "1 of 2 labels contradict .*line 2: s1-b s1-a nontarget, of s1;"),
        ("1 s1/a s1/b\n0 s1/a s2/c\n1 s1/a.wav s1-b\n", "appear twice: line 3: s1-a s1-b target is already"),
        ("1 s1/a s1/b\n0 s1/a s2/d\n", "1 of 2 trials name an utterance that is not in .*: line 2: s2/d"),
    ],
)
def test_a_wrong_list_is_refused_before_audio_is_read(
    tmp_path: Path, make, monkeypatch: pytest.MonkeyPatch, lines: str, says: str
) -> None:
    root = tmp_path / "corpus"
    for path in ("s1/a", "s1/b", "s2/c"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{path}.wav").write_bytes(b"x")
    monkeypatch.setattr(make_folder, "inspect_all", lambda *_: pytest.fail("audio was read"))
    (tmp_path / "list").write_text(lines)
    with pytest.raises(InputError, match=says):
        make(make_folder.main, "--root", root, "--trials", tmp_path / "list", tmp_path / "data")


@pytest.mark.parametrize(("name", "second"), [("--root", "b"), ("--part", "test"), ("--max-loss", "0.2")])
def test_an_option_given_twice_is_refused(name: str, second: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_voxceleb2.main(["--root", "0.1", "--part", "dev", "--max-loss", "0.1", name, second, "data"])
    first = "dev" if name == "--part" else "0.1"
    assert f"{name} is given twice, as {first} and {second}; keep one" in capsys.readouterr().err


def test_musan_in_pieces_and_two_collections_of_equal_names(tmp_path: Path, write_audio, validate, make) -> None:
    root = tmp_path / "musan"
    for name in ("music/fma/music-fma-0001/00000", "music/fma/music-fma-0001/00001", "music/fma/music-fma-0002/00000"):
        write_audio(root / f"{name}.wav")
    for name in ("noise/rain/a.wav", "noise/street/a.WAV", "noise/street/alone.wav", "noise/street/two words.wav"):
        write_audio(root / name)
    (root / "music/fma/ANNOTATIONS").write_text("music-fma-0001 rock N x\nmusic-fma-0002 rock Y x\n")
    spoiled = spoil(root / "noise" / "street")
    arguments = ("--max-loss", 0.9, "--use-vocals", "false", "--root", root, tmp_path / "m")
    make(make_musan.main, *arguments)
    validate(tmp_path / "m_noise")
    assert list(table(tmp_path / "m_noise" / "wav.scp")) == ["alone", "rain-a", "street-a"]
    pieces = ["fma-music-fma-0001-00000", "music-fma-0001-00001"]  # the second name is there once
    assert sorted(table(tmp_path / "m_music" / "wav.scp")) == sorted([pieces[0], "00001"])
    lines = (tmp_path / "m_noise" / "dropped").read_text().splitlines()
    files = {name: reason for name, reason in spoiled.items() if name.endswith(".wav")}
    assert_dropped(lines, files)
    assert any(line.startswith("street-two_words.wav the name has characters") for line in lines)


def test_the_attributes_of_a_rir_list_are_kept_and_missing_files_are_dropped(tmp_path: Path, write_audio, make) -> None:
    root = tmp_path / "rooms"
    for name in ("a", "b"):
        write_audio(root / f"{name}.wav", rate=8000 if name == "b" else 16000)
    attributes = "--receiver-position-id 1 --source-position-id=2 --rt60 0.58 --drr -4.9 --cte 3 --probability 0.2"
    (root / "gone.wav").symlink_to("/nowhere/gone.wav")
    (root / "rir_list").write_text(
        f"--rir-id a --room-id A {attributes} rooms/a.wav\n--room-id B --rir-id b rooms/b.wav\n\n"
        "--rir-id c --room-id B rooms/gone.wav\n"
    )
    said = make(make_rirs.main, "--max-loss", 0.5, "--root", root, tmp_path / "out" / "rir_list")
    kept = attributes.replace("=", " ")
    assert (tmp_path / "out" / "rir_list").read_text().splitlines() == [
        f"--rir-id a --room-id A {kept} {root}/a.wav",
        f"--rir-id b --room-id B 'utils/to_wav.py {root}/b.wav 16000 |'",
    ]
    assert (tmp_path / "out" / "rir_list.dropped").read_text() == f"c line 4: {root}/gone.wav is not there\n"
    assert "3 impulse responses of 2 rooms in, 2 out, 1 dropped" in said
    with pytest.raises(InputError, match=r"--color is unknown; choose from: rir-id, room-id"):
        (root / "rir_list").write_text("--rir-id a --room-id A --color red rooms/a.wav\n")
        make(make_rirs.main, "--root", root, tmp_path / "out" / "rir_list")


META2 = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n1 ,m ,dev \nid00015 ,n2 ,f ,test \nid00016 ,n3 ,f ,test \n"


@pytest.mark.parametrize("tree", ["wav", "aac", ""])
def test_voxceleb2_with_both_sets_in_one_tree(tmp_path: Path, write_audio, make, tree: str) -> None:
    root = tmp_path / "vox2"
    for speaker in ("id00012", "id00015", "id10270"):
        write_audio(root / tree / speaker / "21Uxsk56VDQ" / "00001.wav")
    (root / "txt").mkdir()
    spoiled = spoil(root / tree / "id00012" / "21Uxsk56VDQ")

    def speakers(part: str) -> list[str]:
        make(make_voxceleb2.main, "--max-loss", 0.9, "--root", root, "--part", part, tmp_path / part)
        return list(table(tmp_path / part / "spk2utt"))

    assert speakers("dev") == speakers("both") == ["id00012", "id00015", "id10270"]
    with pytest.raises(InputError, match="who is a test speaker"):
        speakers("test")
    (root / "vox2_meta.csv").write_text(META2)
    assert (speakers("dev"), speakers("test"), speakers("both")) == (["id00012"], ["id00015"], ["id00012", "id00015"])
    lines = (tmp_path / "dev" / "dropped").read_text().splitlines()
    assert_dropped(lines, {name: "no sound" if name == "empty.wav" else reason for name, reason in spoiled.items()})


def test_voxceleb1_may_lie_at_the_top_and_a_tree_of_two_links_counts_once(tmp_path: Path, write_audio, make) -> None:
    root = tmp_path / "vox1"
    for path in ("id10001/vid/00001", "id10001/vid 2/00 1", "id10270/vid/00002", "id10270/vid/00003"):
        write_audio(root / f"{path}.wav")
    (root / "id10300").symlink_to("id10270")
    (root / "id10301").symlink_to("/nowhere")
    (root / "veri_test.txt").write_text("1 id10270/vid/00002.wav id10270/vid/00003.wav\n")
    make(make_voxceleb1.main, "--root", root, "--part", "test", "--max-loss", 0.9, tmp_path / "test")
    assert list(table(tmp_path / "test" / "wav.scp")) == ["id10270-vid-00002", "id10270-vid-00003"]
    dropped = table(tmp_path / "test" / "dropped")
    assert dropped["id10300"].endswith("a link to a folder that is there already, id10270")
    assert dropped["id10301"].endswith("broken link to /nowhere")
    make(make_voxceleb1.main, "--root", root, "--part", "dev", "--max-loss", 0.9, tmp_path / "dev")
    assert list(table(tmp_path / "dev" / "wav.scp")) == ["id10001-vid-00001", "id10001-vid_2-00_1"]
    (tmp_path / "linked" / "dev").mkdir(parents=True)
    (tmp_path / "linked" / "wav").symlink_to(root)
    (tmp_path / "linked" / "dev" / "wav").symlink_to(root)
    assert find_trees(tmp_path / "linked", ("wav", "dev/wav", "")) == [tmp_path / "linked" / "wav"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("0 id1/v/1.wav id1/v/2.wav\n", "1 of 1 labels contradict utt2spk: line 1: id1-v-1 id1-v-2 nontarget, of id1"),
        ("1 id1/v/1.wav id1/v/2.wav\n1 id1/v/1.wav id1/v/2.wav\n", "1 trials appear twice: line 2"),
    ],
)
def test_a_voxceleb_list_must_agree_with_the_speakers(tmp_path: Path, write_audio, make, lines: str, says: str) -> None:
    for number in (1, 2):
        write_audio(tmp_path / "wav" / "id1" / "v" / f"{number}.wav")
    (tmp_path / "veri_test.txt").write_text(lines)
    with pytest.raises(InputError, match=says):
        make(make_voxceleb1.main, "--root", tmp_path, "--part", "test", tmp_path / "test")
