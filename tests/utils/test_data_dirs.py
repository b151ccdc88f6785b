"""Data directory tools beyond the golden cases: bad input, refusals, properties."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from minikaldi.data_dir.split import line_parts, speaker_parts
from minikaldi.data_dir.subset import spread
from minikaldi.data_dir.subset_scp import spread_indices

from .conftest import Run, content, table

VALIDATE, FIX = "utils/validate_data_dir.sh", "utils/fix_data_dir.sh"
ALLOW = ["--no-text", "--no-feats"]


def test_a_whole_directory_is_valid_and_fix_leaves_it_alone(data: Path, run: Run) -> None:
    assert run(VALIDATE, *ALLOW, "data").returncode == 0
    before = {path.name: path.stat().st_mtime_ns for path in data.iterdir()}
    assert run(FIX, "data").returncode == 0
    assert {path.name: path.stat().st_mtime_ns for path in data.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "lines", "place", "mend"),
    [
        ("wav.scp", ["a-1 x", "a-2 x\r", "b-1 x", "b-2 x"], "wav.scp:2:", "sed"),
        ("wav.scp", ["a-1 x", "", "a-2 x", "b-1 x", "b-2 x"], "wav.scp:2:", "empty line"),
        ("wav.scp", ["a-1 x", "a-2", "b-1 x", "b-2 x"], "wav.scp:2:", "expected at least 2"),
        ("wav.scp", ["a-1 x", "b-1 x", "a-2 x", "b-2 x"], "wav.scp:3:", "LC_ALL=C"),
        ("wav.scp", ["a-1 x", "a-1 x", "a-2 x", "b-1 x", "b-2 x"], "wav.scp:2:", "fix_data_dir.sh"),
        ("wav.scp", [], "wav.scp:", "no usable line"),
        ("utt2spk", ["a-1 a x", "a-2 a", "b-1 b", "b-2 b"], "utt2spk:1:", "expected 2"),
        ("utt2spk", ["a-1 b", "a-2 b", "b-1 a", "b-2 a"], "utt2spk:3:", "<spk>-<utt>"),
        ("reco2dur", ["a-1 1.0", "a-2 -1", "b-1 1", "b-2 nan"], "reco2dur:2:", "expected a number > 0"),
        ("reco2dur", ["a-1 1.0", "a-2 2", "b-1 1", "b-2 nan"], "reco2dur:4:", "expected a number > 0"),
        ("spk2gender", ["a f", "b x"], "spk2gender:2:", "expected m or f"),
        ("segments", ["a-1 a 0 1", "a-2 a 3 2", "b-1 b 0 1", "b-2 b 1 2"], "segments:2:", "start < end"),
        ("spk2utt", ["a a-1", "b b-1 b-2"], "spk2utt:1:", "utt2spk_to_spk2utt.pl"),
    ],
)
def test_a_fault_is_reported_by_file_and_line(
    data: Path, run: Run, name: str, lines: list[str], place: str, mend: str
) -> None:
    table(data, name, *lines)
    done = run(VALIDATE, *ALLOW, "data")
    assert done.returncode == 1
    assert any(f"data/{place}" in line and mend in line for line in done.stderr.splitlines()), done.stderr


def test_fix_mends_line_ends_order_and_duplicates(data: Path, run: Run) -> None:
    table(data, "wav.scp", "b-2 x\r", "b-1 x", "", "a-2 x", "a-1 x", "a-1 x")
    done = run(FIX, "data")
    assert (done.returncode, "kept all 4" in done.stderr) == (0, True)
    assert (data / "wav.scp").read_text() == "a-1 x\na-2 x\nb-1 x\nb-2 x\n"
    assert "b-2 x\r\n" in (data / ".backup" / "wav.scp").read_bytes().decode()
    assert run(VALIDATE, *ALLOW, "data").returncode == 0


def test_fix_says_what_it_dropped_and_why(data: Path, run: Run) -> None:
    table(data, "wav.scp", "a-1 x", "b-1 x", "b-2 x")
    table(data, "spk2gender", "a f")
    done = run(FIX, "data")
    assert "kept 1 utterances out of 4" in done.stderr
    assert "2 whose speaker is not in spk2gender (first: b-1)" in done.stderr
    assert "1 without a recording in wav.scp (first: a-2)" in done.stderr
    assert (data / "utt2rec").read_text() == "a-1 session-a\n"


def test_fix_keeps_the_first_of_two_lines_and_reports(data: Path, run: Run) -> None:
    table(data, "wav.scp", "a-1 x", "a-1 y", "a-2 x", "b-1 x", "b-2 x")
    done = run(FIX, "data")
    assert (done.returncode, "data/wav.scp:2" in done.stderr) == (0, True)
    assert (data / "wav.scp").read_text().startswith("a-1 x\na-2")


@pytest.mark.parametrize(
    ("name", "lines", "text"),
    [
        ("utt2spk", ["a-1 a", "a-1 b", "a-2 a"], "data/utt2spk:2"),
        ("utt2spk", ["a-1 b", "a-2 b", "b-1 a", "b-2 a"], "<spk>-<utt>"),
        ("feats.scp", ["z x"], "no utterance of 4 would remain"),
        ("utt2spk", ["a-1"], "data/utt2spk:1"),
    ],
)
def test_a_fix_that_fails_changes_nothing(data: Path, run: Run, name: str, lines: list[str], text: str) -> None:
    table(data, name, *lines)
    before = content(data)
    done = run(FIX, "data")
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert content(data) == before


def test_segments_limit_recordings(data: Path, run: Run) -> None:
    table(data, "segments", "a-1 r1 0 1", "a-2 r1 1 2", "b-1 r2 0 1", "b-2 r3 0 1")
    table(data, "wav.scp", "r1 x", "r2 x", "r9 x")
    table(data, "reco2dur", "r1 2", "r2 1", "r9 5")
    assert run(FIX, "data").returncode == 0
    assert (data / "wav.scp").read_text() == "r1 x\nr2 x\n"
    assert (data / "reco2dur").read_text() == "r1 2\nr2 1\n"
    assert (data / "utt2spk").read_text() == "a-1 a\na-2 a\nb-1 b\n"


def test_combine_refuses_two_lines_that_contradict_each_other(data: Path, run: Run) -> None:
    table(data.parent / "other", "utt2spk", "a-1 a")
    table(data.parent / "other", "spk2utt", "a a-1")
    table(data.parent / "other", "wav.scp", "a-1 elsewhere.wav")
    done = run("utils/combine_data.sh", "both", "data", "other")
    assert (done.returncode, "data/wav.scp" in done.stderr, "other/wav.scp" in done.stderr) == (1, True, True)
    assert not (data.parent / "both").exists()


def test_combine_makes_segments_and_uniq_for_those_without(data: Path, run: Run) -> None:
    other = data.parent / "other"
    table(other, "utt2spk", "c-1 c")
    table(other, "wav.scp", "rec x")
    table(other, "segments", "c-1 rec 0.5 1.5")
    table(other, "utt2uniq", "c-1 c-0")
    assert run("utils/combine_data.sh", "both", "data", "other").returncode == 0
    assert (data.parent / "both/segments").read_text().splitlines()[-2:] == ["b-2 b-2 0.0 5.5", "c-1 rec 0.5 1.5"]
    assert (data.parent / "both/utt2uniq").read_text().splitlines()[-2:] == ["b-2 b-2", "c-1 c-0"]


def test_combining_again_gives_the_same_and_keeps_nothing_old(data: Path, run: Run) -> None:
    table(data.parent / "both", "feats.scp", "old x")
    for _ in range(2):
        assert run("utils/combine_data.sh", "both", "data").returncode == 0
        assert content(data.parent / "both") == content(data)


def test_copies_are_renamed_with_everything_that_belongs_to_them(data: Path, run: Run) -> None:
    assert run("utils/copy_data_dir.sh", "--utt-suffix", "-noise", "--spk-prefix", "", "data", "c").returncode == 0
    found = content(data.parent / "c")
    assert sorted(found) == sorted(content(data))
    assert found["utt2rec"].splitlines()[0] == "a-1-noise session-a"
    assert found["reco2dur"].splitlines()[0] == "a-1-noise 2.5"
    assert run("utils/copy_data_dir.sh", "data", "data").returncode == 1


def test_a_copy_whose_ids_sort_badly_is_refused_with_the_mend(data: Path, run: Run) -> None:
    (data / "utt2spk").write_text("a-1 a\na-2 b\nb-1 a\nb-2 b\n")
    done = run("utils/copy_data_dir.sh", "data", "c")
    assert (done.returncode, "<spk>-<utt>" in done.stderr) == (1, True)


@pytest.mark.parametrize("script", ["copy_data_dir.sh", "combine_data.sh"])
def test_windows_line_ends_are_reported_not_copied(data: Path, run: Run, script: str) -> None:
    table(data, "wav.scp", "a-1 x", "a-2 x\r", "b-1 x", "b-2 x")
    done = run(f"utils/{script}", *(["c", "data"] if script.startswith("combine") else ["data", "c"]))
    assert (done.returncode, "data/wav.scp:2" in done.stderr) == (1, True)
    assert not (data.parent / "c").exists()


def test_a_subset_is_seeded_and_takes_each_kind_of_copy() -> None:
    utts = [f"u{number:04d}-{kind}" for number in range(500) for kind in ("babble", "music", "noise", "reverb")]
    chosen = spread(utts, 1000, random.Random(1))
    assert chosen == spread(utts, 1000, random.Random(1))
    assert len(set(chosen)) == 1000
    counts = [sum(utt.endswith(kind) for utt in chosen) for kind in ("babble", "music", "noise", "reverb")]
    assert min(counts) > 200  # 250 each on average, standard deviation 11: four of these below


@pytest.mark.parametrize(("count", "number"), [(20, 6), (20, 7), (1, 1), (1000, 1), (1000, 999), (7, 7)])
def test_spread_lines_are_in_order_and_as_many(count: int, number: int) -> None:
    indices = list(spread_indices(count, number))
    assert len(indices) == number
    assert sorted(set(indices)) == indices
    assert all(0 <= index < count for index in indices)


def test_subset_scp_first_last_and_too_many(data: Path, run: Run) -> None:
    assert run("utils/subset_scp.pl", "--first", "2", "data/wav.scp").stdout == "a-1 wav/a-1.wav\na-2 wav/a-2.wav\n"
    assert run("utils/subset_scp.pl", "--last", "1", "data/wav.scp").stdout == "b-2 wav/b-2.wav\n"
    assert run("utils/subset_scp.pl", "5", "data/wav.scp").returncode == 1
    assert run("utils/subset_scp.pl", "--quiet", "5", "data/wav.scp").stdout.count("\n") == 4


def test_subset_list_reports_unknown_ids_and_refuses_nothing(data: Path, run: Run) -> None:
    table(data.parent, "list", "a-2", "zz")
    done = run("utils/subset_data_dir.sh", "--utt-list", "list", "data", "c")
    assert (done.returncode, "first: zz" in done.stderr) == (0, True)
    assert (data.parent / "c/wav.scp").read_text() == "a-2 wav/a-2.wav\n"
    table(data.parent, "list", "zz")
    assert run("utils/subset_data_dir.sh", "--utt-list", "list", "data", "d").returncode == 1
    assert not (data.parent / "d").exists()


@pytest.mark.parametrize("counts", [[5, 5, 5, 5], [1, 1, 1, 97], [97, 1, 1, 1], [3, 1, 4, 1, 5, 9, 2, 6]])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_speaker_parts_cover_all_in_order_and_none_is_empty(counts: list[int], parts: int) -> None:
    pieces = speaker_parts(counts, parts, "x")
    assert [index for piece in pieces for index in piece] == list(range(len(counts)))
    assert all(len(piece) > 0 for piece in pieces)


def test_speaker_parts_are_evened_out() -> None:
    assert [list(piece) for piece in speaker_parts([1, 1, 8, 10], 2, "x")] == [[0, 1, 2], [3]]


def test_line_parts_differ_by_one_at_most() -> None:
    assert [len(piece) for piece in line_parts(20, 3, "x")] == [7, 7, 6]


def test_split_follows_its_source_and_leaves_what_is_up_to_date(data: Path, run: Run) -> None:
    assert run("utils/split_data.sh", "data", "2").returncode == 0
    part = data / "split2/1/wav.scp"
    before = part.stat().st_mtime_ns
    assert run("utils/split_data.sh", "data", "2").returncode == 0
    assert part.stat().st_mtime_ns == before
    table(data, "wav.scp", *(f"{utt} new" for utt in ("a-1", "a-2", "b-1", "b-2")))
    assert run("utils/split_data.sh", "data", "2").returncode == 0
    assert part.read_text() == "a-1 new\na-2 new\n"
    done = run("utils/split_data.sh", "data", "3")
    assert (done.returncode, "at most 2 jobs" in done.stderr) == (1, True)


def test_one_part_of_a_table_can_be_had_alone(data: Path, run: Run) -> None:
    arguments = ["--utt2spk=data/utt2spk", "data/wav.scp"]
    assert run("utils/split_scp.pl", "-j", "2", "1", *arguments).stdout == "b-1 wav/b-1.wav\nb-2 wav/b-2.wav\n"
    assert run("utils/split_scp.pl", "-j", "2", "1", "--one-based", *arguments).stdout.startswith("a-1")
    assert run("utils/split_scp.pl", "-j", "2", "2", *arguments).returncode == 1


def test_filters_read_standard_input_and_end_silently_in_a_pipe(data: Path, run: Run) -> None:
    done = run("utils/filter_scp.pl", "-", "data/wav.scp", stdin="a-2 anything\n")
    assert done.stdout == "a-2 wav/a-2.wav\n"
    assert run("utils/utt2spk_to_spk2utt.pl", stdin="a-1 a\n").stdout == "a a-1\n"
    done = run("utils/filter_scp.pl", "-f", "3", "data/wav.scp", "data/utt2spk")
    assert (done.returncode, "data/utt2spk:1" in done.stderr) == (1, True)


def test_speed_factor_is_checked_and_segments_are_scaled(data: Path, run: Run) -> None:
    assert run("utils/perturb_data_dir_speed.sh", "0", "data", "c").returncode == 1
    table(data, "segments", "a-1 r 0 1.1", "a-2 r 1.1 2.2", "b-1 s 0 1", "b-2 s 1 2")
    table(data, "wav.scp", "r cat x |", "s y.ark:12")
    table(data, "reco2dur", "r 2.2", "s 2.2")
    assert run("utils/perturb_data_dir_speed.sh", "1.1", "data", "c").returncode == 0
    assert (data.parent / "c/segments").read_text().splitlines()[1] == "sp1.1-a-2 sp1.1-r 1.00 2.00"
    assert (data.parent / "c/wav.scp").read_text().splitlines() == [
        "sp1.1-r cat x | utils/to_wav.py --speed 1.1 - |",
        "sp1.1-s wav-copy y.ark:12 - | utils/to_wav.py --speed 1.1 - |",
    ]


def test_every_script_has_help(root: Path, run: Run) -> None:
    scripts = [path for folder in ("utils", "utils/data", "steps/data") for path in (root / folder).glob("*.*")]
    ours = [path for path in scripts if "run_script(" in path.read_text()]
    assert len(ours) > 20
    for path in ours:
        done = run(str(path.relative_to(root)), "--help")
        assert (done.returncode, "sage:" in done.stdout) == (0, True), path


def test_misuse_of_any_script_is_reported_with_its_usage(root: Path, run: Run) -> None:
    scripts = [path for folder in ("utils", "utils/data") for path in (root / folder).glob("*.*")]
    ours = [path for path in scripts if "run_script(" in path.read_text()]
    for path in ours:
        if path.name == "run.pl":
            continue  # as Kaldi's, it takes options that it does not know, with their values
        done = run(str(path.relative_to(root)), "--no-such-option", "a", "b", "c", "d", "e")
        assert (done.returncode, done.stdout) == (1, ""), path
        assert "sage:" in done.stderr, path
