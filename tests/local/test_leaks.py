"""What a training set may not share with a test set, and the same audio under two ids of one set."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import local.equal_audio
from local.copies_across import find_copies
from local.equal_audio import END_BYTES, equal_audio
from minikaldi.data_dir.audio_files import file_and_use


def write_dir(folder: Path, audio: dict[str, str], speaker_of: dict[str, str] | None = None, **tables: str) -> Path:
    """A data directory with these entries of wav.scp; an utterance `a-1` is of speaker `a`."""
    folder.mkdir()
    speakers = speaker_of or {utt_id: utt_id.split("-")[0] for utt_id in audio}
    (folder / "wav.scp").write_text("".join(f"{key} {value}\n" for key, value in audio.items()))
    (folder / "utt2spk").write_text("".join(f"{utt_id} {spk_id}\n" for utt_id, spk_id in speakers.items()))
    utts_of: dict[str, list[str]] = {}
    for utt_id, spk_id in speakers.items():
        utts_of.setdefault(spk_id, []).append(utt_id)
    (folder / "spk2utt").write_text("".join(f"{spk_id} {' '.join(utts)}\n" for spk_id, utts in utts_of.items()))
    for name, text in tables.items():
        (folder / name).write_text(text)
    return folder


def write_file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def named(groups: list) -> list[list[tuple[int, str]]]:
    return [[(one.side, one.utt_id) for one in group] for group in groups]


# --- which audio is equal


def test_files_of_equal_content_are_found_whatever_their_names(tmp_path: Path) -> None:
    long = bytes(range(256)) * 100
    a, b = write_file(tmp_path / "a", long), write_file(tmp_path / "b", long)
    other = write_file(tmp_path / "c", long[:-1] + b"\0")  # as long
    train = write_dir(tmp_path / "train", {"s-1": a, "s-2": other})
    test = write_dir(tmp_path / "test", {"t-1": b})
    assert named(equal_audio([train, test])) == [[(0, "s-1"), (1, "t-1")]]


def test_equal_beginnings_and_ends_are_not_enough(tmp_path: Path) -> None:
    ends = b"x" * END_BYTES
    a, b = (write_file(tmp_path / name, ends + name.encode() + ends) for name in ("a", "b"))
    assert equal_audio([write_dir(tmp_path / "train", {"s-1": a, "s-2": b})]) == []


def test_one_file_twice_and_links_to_it_are_equal(tmp_path: Path) -> None:
    a = write_file(tmp_path / "a", b"sound")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "hard").hardlink_to(a)
    audio = {"s-1": a, "s-2": a, "s-3": str(tmp_path / "link"), "s-4": str(tmp_path / "hard")}
    found = named(equal_audio([write_dir(tmp_path / "train", audio)]))
    assert found == [[(0, "s-1"), (0, "s-2"), (0, "s-3"), (0, "s-4")]]


def test_empty_and_absent_files_are_left_to_their_readers(tmp_path: Path) -> None:
    empty = [write_file(tmp_path / name, b"") for name in ("a", "b")]
    audio = {"s-1": empty[0], "s-2": empty[1], "s-3": "/no/file", "s-4": "/no/file", "s-5": "sox | sox |"}
    assert equal_audio([write_dir(tmp_path / "train", audio)]) == []


def test_segments_are_equal_if_their_times_are(tmp_path: Path) -> None:
    a, b = write_file(tmp_path / "a", b"sound"), write_file(tmp_path / "b", b"sound")
    segments = "s-1 r1 0 1\ns-2 r1 1 2\ns-3 r2 0.0 1.00\ns-4 r2 5 6\n"
    speaker_of = dict.fromkeys(["s-1", "s-2", "s-3", "s-4"], "s")
    train = write_dir(tmp_path / "train", {"r1": a, "r2": b}, speaker_of, segments=segments)
    assert named(equal_audio([train])) == [[(0, "s-1"), (0, "s-3")]]


def test_pipes_are_followed_and_what_they_do_counts(tmp_path: Path) -> None:
    a, b = write_file(tmp_path / "a b", b"sound"), write_file(tmp_path / "b", b"sound")
    audio = {
        "s-1": f"utils/to_wav.py '{a}' 16000 |",
        "s-2": f"utils/to_wav.py {b} 16000 |",
        "s-3": f"utils/to_wav.py --speed 1.1 --rate 16000 {b} |",
        "s-4": f"cat {b} |",
        "s-5": b,
    }
    found = named(equal_audio([write_dir(tmp_path / "train", audio)]))
    assert found == [[(0, "s-1"), (0, "s-2")], [(0, "s-4"), (0, "s-5")]]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("x.wav", ("x.wav", "{}")),
        ("x.ark:77", ("x.ark", "{}:77")),
        ("cat x.wav |", ("x.wav", "{}")),
        ("cat x.wav | utils/to_wav.py --rate 8000 - |", ("x.wav", "{} utils/to_wav.py --rate 8000 -")),
        ("sph2pipe -f wav x.wav |", ("x.wav", "sph2pipe -f wav {}")),
        ("sph2pipe 'x.wav'|sox -t wav - -r 8k - |", ("x.wav", "sph2pipe {} | sox -t wav - -r 8k -")),
        ("wav-reverberate --shift-output=true x.wav - |", ("x.wav", "wav-reverberate --shift-output=true {} -")),
        ("sox -m x.wav y.wav -t wav - |", None),  # two files
        ("sox absent.wav -t wav - |", None),
        ("sox x.wav -t wav - > z; cat z |", None),
        ("sox 'x.wav -t wav - |", None),
        ("-", None),
    ],
)  # fmt: skip
def test_the_file_of_an_entry(entry: str, expected: tuple[str, str] | None) -> None:
    assert file_and_use(entry, {"x.wav", "y.wav"}.__contains__) == expected


# --- copies


def test_copies_by_the_table_are_certain_and_by_name_suggested(tmp_path: Path) -> None:
    train = write_dir(tmp_path / "train", {"a-1": "x", "a-1x": "x", "a-2": "x"}, utt2uniq="a-1x a-1\n")
    test = write_dir(tmp_path / "test", {"b-1": "x", "sp0.9-a-2": "x", "b-3": "x"}, utt2uniq="b-1 a-1\n")
    found = find_copies(train, test)
    assert found.certain == {"b-1": "a-1"}
    assert found.suggested == {"sp0.9-a-2": "a-2"}


def test_two_copies_of_an_absent_source_are_on_both_sides(tmp_path: Path) -> None:
    train = write_dir(tmp_path / "train", {"a-1-noise": "x"}, utt2uniq="a-1-noise a-1\n")
    test = write_dir(tmp_path / "test", {"b-7": "x"}, utt2uniq="b-7 a-1\n")
    assert find_copies(train, test).certain == {"b-7": "a-1-noise"}


def test_unrelated_utterances_are_no_copies(tmp_path: Path) -> None:
    train = write_dir(tmp_path / "train", {f"a{n}-{m}": "x" for n in range(9) for m in range(5)})
    test = write_dir(tmp_path / "test", {f"b{n}-{m}": "x" for n in range(9) for m in range(5)})
    found = find_copies(train, test)
    assert (found.certain, found.suggested) == ({}, {})


# --- the program


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Training and test directories that share nothing."""
    files = {utt: write_file(tmp_path / utt, utt.encode()) for utt in ("a-1", "a-2", "b-1", "c-1", "c-2", "c-3")}
    train = write_dir(tmp_path / "train", {utt: files[utt] for utt in ("a-1", "a-2", "b-1")})
    test = write_dir(tmp_path / "test", {utt: files[utt] for utt in ("c-1", "c-2", "c-3")}, trials="c-1 c-2 target\n")
    return train, test


def test_what_shares_nothing_passes_in_silence(sides: tuple[Path, Path], script) -> None:
    done = script("check_disjoint.py", "--drop-repeated", *sides)
    assert (done.stdout, done.stderr) == ("", "")


def add_lines(folder: Path, **lines: str) -> None:
    for name, text in lines.items():
        with (folder / name.replace("_", ".")).open("a") as stream:
            stream.write(text)


Spoil = Callable[[Path, Path], None]


def share_a_speaker(train: Path, test: Path) -> None:
    (test / "spk2utt").write_text("a c-1 c-2 c-3\n")


def put_a_copy_in_test(train: Path, test: Path) -> None:
    (test / "utt2uniq").write_text("c-2 b-1\n")


def put_audio_in_test(train: Path, test: Path) -> None:
    shutil.copyfile(test.parent / "b-1", test.parent / "c-2")


LEAKS = [
    ("shared-speakers", share_a_speaker, "1 speakers of {test} are in {train} too (first: a); take them out"),
    ("copies", put_a_copy_in_test, "1 utterances of {test} are copies of the same source as one of {train}, by utt2"),
    ("equal-audio", put_audio_in_test, "1 utterances of {test} have the same audio as one of {train}: c-2 ("),
]


@pytest.mark.parametrize(("leak", "spoil", "says"), LEAKS, ids=lambda value: value if isinstance(value, str) else "")
def test_each_leak_is_an_error_that_its_name_alone_allows(
    sides: tuple[Path, Path], script, leak: str, spoil: Spoil, says: str
) -> None:
    train, test = sides
    spoil(train, test)
    said = script("check_disjoint.py", train, test, code=1).stderr
    assert says.format(train=train, test=test) in said and f"(--allow-leak {leak} allows it)" in said
    others = ",".join(name for name, _, _ in LEAKS if name != leak)
    script("check_disjoint.py", "--allow-leak", others, train, test, code=1)
    said = script("check_disjoint.py", "--allow-leak", leak, train, test).stderr
    assert f"; allowed by --allow-leak {leak}" in said and said.count("\n") == 1


def test_copies_by_name_are_a_warning_which_may_be_silenced(sides: tuple[Path, Path], script) -> None:
    train, test = sides
    add_lines(test, utt2spk="sp1.1-a-1 sp1.1-a\n", spk2utt="sp1.1-a sp1.1-a-1\n")
    said = script("check_disjoint.py", train, test).stderr
    assert "warning: 1 utterances of" in said and "look by their names like copies" in said
    assert "(sp1.1-a-1 and a-1)" in said and "utt2uniq would say for certain" in said
    assert script("check_disjoint.py", "--allow-leak", "copies", train, test).stderr == ""


def test_an_unknown_name_is_refused_with_the_known_ones(sides: tuple[Path, Path], script) -> None:
    said = script("check_disjoint.py", "--allow-leak", "copies,speakers", *sides, code=1).stderr
    assert '"speakers" is unknown; expected names of shared-speakers, copies, equal-audio, repeated-audio' in said


def test_names_alone_are_checked_without_audio(sides: tuple[Path, Path], script) -> None:
    put_audio_in_test(*sides)
    script("check_disjoint.py", "--names-only", *sides)


def test_repeated_audio_is_dropped_from_every_table_and_counted(
    sides: tuple[Path, Path], tmp_path: Path, script, validate
) -> None:
    train, test = sides
    shutil.copyfile(tmp_path / "a-1", tmp_path / "b-1")  # another speaker's label of the same audio
    add_lines(train, dropped="a-9 empty file\n", utt2dur="a-1 1.0\na-2 1.0\nb-1 1.0\n")
    before = (train / "utt2spk").read_text()
    said = script("check_disjoint.py", train, test).stderr
    assert f"warning: {train}: 1 utterances have the audio of another: b-1 = a-1" in said
    assert (train / "utt2spk").read_text() == before
    said = script("check_disjoint.py", "--drop-repeated", train, test).stderr
    assert f"3 utterances in, 2 out, 1 dropped (see {train}/dropped)" in said
    validate(train)
    for table, keys in (("wav.scp", "a-1 a-2"), ("utt2spk", "a-1 a-2"), ("utt2dur", "a-1 a-2"), ("spk2utt", "a")):
        assert [line.split()[0] for line in (train / table).read_text().splitlines()] == keys.split(), table
    assert (train / "dropped").read_text().splitlines() == [
        "a-9 empty file",
        f"b-1 has the same audio as a-1, of speaker a ({tmp_path}/a-1)",
    ]
    assert script("check_disjoint.py", "--drop-repeated", train, test).stderr == ""


def test_repeated_audio_that_trials_compare_stays(sides: tuple[Path, Path], tmp_path: Path, script) -> None:
    train, test = sides
    for utt_id in ("c-2", "c-3"):
        shutil.copyfile(tmp_path / "c-1", tmp_path / utt_id)
    said = script("check_disjoint.py", "--drop-repeated", train, test).stderr
    assert "1 utterances have the audio of another, and the trials need both: c-2 = c-1" in said
    assert [line.split()[0] for line in (test / "wav.scp").read_text().splitlines()] == ["c-1", "c-2"]
    assert (test / "dropped").read_text() == f"c-3 has the same audio as c-1 ({tmp_path}/c-1)\n"


def test_repeated_audio_may_be_kept(sides: tuple[Path, Path], tmp_path: Path, script) -> None:
    train, test = sides
    shutil.copyfile(tmp_path / "a-1", tmp_path / "a-2")
    said = script("check_disjoint.py", "--drop-repeated", "--allow-leak", "repeated-audio", train, test).stderr
    assert "a-2 = a-1; allowed by --allow-leak repeated-audio" in said and not (train / "dropped").exists()


def test_nothing_is_dropped_if_there_is_an_error(sides: tuple[Path, Path], tmp_path: Path, script) -> None:
    train, test = sides
    share_a_speaker(train, test)
    shutil.copyfile(tmp_path / "a-1", tmp_path / "a-2")
    script("check_disjoint.py", "--drop-repeated", train, test, code=1)
    assert not (train / "dropped").exists()


def test_only_files_of_equal_size_are_read_and_whole_only_if_they_begin_and_end_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, list[str]] = {"_ends": [], "_whole": []}
    for name in read:
        work = getattr(local.equal_audio, name)

        def noted(one: Any, name: str = name, work: Callable[[Any], Any] = work) -> Any:
            read[name].append(Path(one.path).name)
            return work(one)

        monkeypatch.setattr(local.equal_audio, name, noted)
    contents = {"a": b"1", "b": b"22", "c": b"33", "d": b"444", "e": b"444", "f": b"445"}
    audio = {f"s-{name}": write_file(tmp_path / name, content) for name, content in contents.items()}
    assert named(equal_audio([write_dir(tmp_path / "train", audio)])) == [[(0, "s-d"), (0, "s-e")]]
    assert (sorted(read["_ends"]), sorted(read["_whole"])) == (["b", "c", "d", "e", "f"], ["d", "e"])
