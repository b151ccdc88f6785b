"""Training lists: what is dropped, what is held out, and that no recording crosses."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.copies.copy_names import source_by_name
from nnet.data.hold_out import HoldOutOptions, draw_trials
from nnet.data.lists import LIST_FILES, StringTable, read_id_table, read_lists
from nnet.make_lists import main, make_lists, write_directory
from tests.nnet.helpers.refusals import refusal

SUFFIXES = ("", "-noise", "-reverb")


def write_data_dir(path: Path, speakers: int = 8, sessions: int = 6, utts: int = 2, with_rec: bool = True) -> Path:
    """Speakers with sessions of several utterances, each with two augmented copies, 200 frames long."""
    path.mkdir(parents=True)
    recs = [(f"s{s}", f"s{s}-r{r}") for s in range(speakers) for r in range(sessions)]
    names = [(spk, rec, f"{rec}-{u}") for spk, rec in recs for u in range(utts)]
    rows = [(spk, utt + suffix) for spk, _, utt in names for suffix in SUFFIXES]
    write(path / "feats.scp", [f"{utt} /ark:{n}" for n, (_, utt) in enumerate(rows)])
    write(path / "utt2num_frames", [f"{utt} 200" for _, utt in rows])
    write(path / "utt2spk", [f"{utt} {spk}" for spk, utt in rows])
    if with_rec:
        write(path / "utt2rec", [f"{utt} {rec}" for _, rec, utt in names])
    return path


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def run(data: Path, out: Path, min_frames: int = 100, **hold_out: float) -> dict[str, dict[str, str]]:
    make_lists(data, out, min_frames, 2, HoldOutOptions(**hold_out))  # type: ignore[arg-type]
    return {name: read_id_table(out / name) for name in LIST_FILES if name != "valid.trials"}


def recording(utt_id: str) -> str:
    return (source_by_name(utt_id) or utt_id).rsplit("-", 1)[0]


def test_no_recording_is_on_both_sides_and_valid_is_clean(tmp_path: Path) -> None:
    made = run(write_data_dir(tmp_path / "data"), tmp_path / "lists", valid_share=0.2)
    train, valid = made["train.scp"], made["valid.scp"]
    assert valid and not {recording(u) for u in train} & {recording(u) for u in valid}
    assert all(source_by_name(utt_id) is None for utt_id in valid)


def test_without_utt2rec_an_augmented_twin_follows_its_source(tmp_path: Path) -> None:
    made = run(write_data_dir(tmp_path / "data", with_rec=False), tmp_path / "lists")
    assert not {source_by_name(u) or u for u in made["train.scp"]} & set(made["valid.scp"])


def test_every_utterance_is_accounted_for_once(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data")
    made = run(data, tmp_path / "lists")
    parts = [*made["train.scp"], *made["valid.scp"], *made["dropped"]]
    assert sorted(parts) == sorted(read_id_table(data / "feats.scp"))
    twins = [utt_id for utt_id, reason in made["dropped"].items() if reason == "twin_of_valid"]
    assert len(twins) == 2 * len(made["valid.scp"])


def test_each_speaker_keeps_a_training_recording(tmp_path: Path) -> None:
    made = run(write_data_dir(tmp_path / "data", sessions=3), tmp_path / "lists", valid_share=0.5)
    assert {utt_id.split("-")[0] for utt_id in made["train.scp"]} == {f"s{n}" for n in range(8)}


def test_about_the_asked_share_is_held_out(tmp_path: Path) -> None:
    made = run(write_data_dir(tmp_path / "data", speakers=40, sessions=10), tmp_path / "lists", valid_share=0.1)
    # 800 clean utterances; two recordings of two utterances at a time
    assert 80 <= len(made["valid.scp"]) < 84


def test_a_speed_copy_of_a_held_out_recording_is_on_neither_side(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data")
    for name in ("feats.scp", "utt2num_frames", "utt2spk"):
        table = read_id_table(data / name)
        faster = {f"sp1.1-{utt}": (f"sp1.1-{value}" if name == "utt2spk" else value) for utt, value in table.items()}
        write(data / name, [f"{utt} {value}" for utt, value in {**table, **faster}.items()])
    made = run(data, tmp_path / "lists")
    held_out = {recording(utt_id) for utt_id in made["valid.scp"]}
    assert held_out and not any(utt_id.startswith("sp") for utt_id in made["valid.scp"])
    assert not held_out & {recording(utt_id.removeprefix("sp1.1-")) for utt_id in made["train.scp"]}
    assert {f"sp1.1-s{n}" for n in range(8)} <= set(made["spk2int"])


def test_trials_have_ten_nontargets_a_target_and_targets_cross_recordings(tmp_path: Path) -> None:
    run(write_data_dir(tmp_path / "data"), tmp_path / "lists", valid_share=0.3)
    trials = [line.split() for line in (tmp_path / "lists" / "valid.trials").read_text().splitlines()]
    targets = [(a, b) for a, b, kind in trials if kind == "target"]
    assert 10 * len(targets) == len(trials) - len(targets) > 0
    assert all(a[:2] == b[:2] and recording(a) != recording(b) for a, b in targets)
    assert all(a[:2] != b[:2] for a, b, kind in trials if kind == "nontarget")
    assert len({frozenset((a, b)) for a, b, _ in trials}) == len(trials)


def test_the_cap_on_pairs_holds_for_both_kinds(tmp_path: Path) -> None:
    run(write_data_dir(tmp_path / "data"), tmp_path / "lists", valid_share=0.3, max_pairs=7)
    lines = (tmp_path / "lists" / "valid.trials").read_text().split()
    assert lines.count("target") == lines.count("nontarget") == 7


def test_short_utterances_go_before_speakers_are_counted(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data", with_rec=False)
    frames = read_id_table(data / "utt2num_frames")
    frames.update({utt_id: "99" for utt_id in frames if utt_id.startswith("s0-") and utt_id != "s0-r0-0"})
    write(data / "utt2num_frames", [f"{utt_id} {count}" for utt_id, count in frames.items()])
    made = run(data, tmp_path / "lists")
    assert made["dropped"]["s0-r0-0"] == "few_utterances"
    assert made["dropped"]["s0-r0-1"] == "too_short"
    assert "s0" not in made["spk2int"] and list(made["spk2int"].values()) == [str(n) for n in range(7)]


def test_line_order_does_not_matter_and_the_seed_does(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data")
    run(data, tmp_path / "a")
    for name in ("feats.scp", "utt2spk", "utt2num_frames", "utt2rec"):
        lines = (data / name).read_text().splitlines()
        random.Random(3).shuffle(lines)
        (data / name).write_text("\r\n".join(lines) + "\r\n")  # and CRLF line ends are read
    run(data, tmp_path / "b")
    run(data, tmp_path / "c", seed=2)
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in LIST_FILES)
    assert (tmp_path / "a" / "valid.scp").read_bytes() != (tmp_path / "c" / "valid.scp").read_bytes()


def test_a_rerun_replaces_the_lists_and_keeps_other_files(tmp_path: Path) -> None:
    data, out = write_data_dir(tmp_path / "data"), tmp_path / "lists"
    run(data, out)
    (out / "log").mkdir()
    before = (out / "train.scp").read_bytes()
    run(data, out)
    assert (out / "train.scp").read_bytes() == before and (out / "log").is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "lists"]


def test_too_few_recordings_to_hold_out_is_an_error_with_the_mend(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data", sessions=2)
    with pytest.raises(InputError, match=r"the most is 2.*--valid-share 0"):
        run(data, tmp_path / "lists")
    assert not (tmp_path / "lists").exists()
    made = run(data, tmp_path / "lists", valid_share=0.0)
    assert not made["valid.scp"] and not made["dropped"] and len(made["train.scp"]) == 96


def test_a_recording_of_two_speakers_stays_in_training(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data")
    shared = {"s0-r0": "shared", "s1-r0": "shared"}
    recs = read_id_table(data / "utt2rec")
    write(data / "utt2rec", [f"{utt} {shared.get(rec, rec)}" for utt, rec in recs.items()])
    made = run(data, tmp_path / "lists", valid_share=0.5)
    assert {"s0-r0-0", "s1-r0-1"} <= set(made["train.scp"])


def test_nontargets_are_all_pairs_where_fewer_exist_than_targets() -> None:
    from nnet.data.hold_out import SourcedUtterance

    valid = [SourcedUtterance(f"a{n}", "a", f"a{n}", True) for n in range(6)] + [
        SourcedUtterance("b0", "b", "b0", True)
    ]
    trials = draw_trials(valid, HoldOutOptions())
    assert sum(target for *_, target in trials) == 15
    assert sum(not target for *_, target in trials) == 6


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("utt2spk", ["s0-r0-0 s0", "s0-r0-0 s0"], "utt2spk:2: the id s0-r0-0 occurs twice"),
        ("utt2spk", ["s0-r0-0 s0"], "utt2spk: 287 utterances"),
        ("utt2num_frames", ["s0-r0-0 many"], "s0-r0-0 has 'many', expected an integer"),
        ("feats.scp", ["s0-r0-0"], "feats.scp:1: found 's0-r0-0' alone"),
        ("utt2rec", ["x y"], "utt2rec: no recording of s0-r0-0"),
    ],
)
def test_bad_tables_are_errors_that_name_file_and_line(
    tmp_path: Path, name: str, lines: list[str], message: str
) -> None:
    data = write_data_dir(tmp_path / "data")
    write(data / name, lines)
    assert message in refusal(main, [str(data), str(tmp_path / "lists")])
    assert not (tmp_path / "lists").exists()


def test_nothing_left_to_train_on_is_an_error_that_counts_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"288 utterances 0 are left .*too_short 288"):
        run(write_data_dir(tmp_path / "data"), tmp_path / "lists", min_frames=201)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--valid-share=0.6", "--valid-share is 0.6; expected >= 0 and <= 0.5"),
        ("--max-pairs=0", "--max-pairs is 0; expected >= 1"),
        ("--seed=-1", "--seed is -1; expected >= 0"),
    ],
)
def test_an_option_out_of_its_range_is_refused(tmp_path: Path, option: str, expected: str) -> None:
    assert refusal(main, [option, str(tmp_path / "data"), str(tmp_path / "lists")]) == expected


def test_a_failed_rerun_leaves_the_lists_and_nothing_else(tmp_path: Path) -> None:
    run(write_data_dir(tmp_path / "data"), tmp_path / "lists")
    before = {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()}
    with pytest.raises(FileNotFoundError):
        write_directory(tmp_path / "lists", {"train.scp": ["a b"], "no/such/folder": []})
    assert {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "lists"]


def test_a_rerun_replaces_the_lists_and_keeps_other_files_as_they_are(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    (lists / "log" / "spk2int").mkdir(parents=True)
    others = [lists / "note", lists / "log" / "a.log", lists / "log" / "train.scp"]
    for path in others:
        path.write_text("mine")
    (lists / "wav.scp").write_text("an audio list of an earlier run")
    numbers = [path.stat().st_ino for path in others]
    write_directory(lists, {"train.scp": ["a b"]})
    assert sorted(path.name for path in lists.iterdir()) == ["log", "note", "train.scp"]
    assert [path.stat().st_ino for path in others] == numbers  # a log that is open goes on
    assert (lists / "log" / "spk2int").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["lists"]


def test_the_program_says_what_went_where(tmp_path: Path, root: Path) -> None:
    data = write_data_dir(tmp_path / "data")
    command = [sys.executable, "-m", "nnet.make_lists", "--valid-share", "0.2", str(data), str(tmp_path / "lists")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "288 utterances = train 228 + valid 20 + dropped 40 (twin_of_valid 40); 8 of 8 speakers" in done.stderr
    assert done.stdout == ""


def test_making_lists_needs_no_torch(root: Path) -> None:
    code = "import sys, nnet.make_lists; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_lists_are_read_back_as_arrays(tmp_path: Path) -> None:
    made = run(write_data_dir(tmp_path / "data"), tmp_path / "lists")
    lists = read_lists(tmp_path / "lists")
    assert lists.speaker_ids == tuple(made["spk2int"])
    assert [lists.train.utt_ids[n] for n in range(3)] == list(made["train.scp"])[:3]
    assert lists.train.feats[1] == made["train.scp"][lists.train.utt_ids[1]]
    assert lists.train.num_frames.dtype == np.int32 and set(lists.train.num_frames) == {200}
    assert lists.speaker_ids[lists.train.speakers[-1]] == lists.train.utt_ids[len(lists.train) - 1].split("-")[0]
    trials = lists.trials
    same = lists.valid.speakers[trials.enroll] == lists.valid.speakers[trials.test]
    assert np.array_equal(same, trials.target)


def test_string_table_keeps_any_text_and_refuses_places_outside() -> None:
    table = StringTable(["ä b", "", "zeta"])
    assert [table[n] for n in range(3)] == ["ä b", "", "zeta"]
    with pytest.raises(IndexError):
        table[3]
    assert len(StringTable([])) == 0


def test_ids_that_are_not_utf8_pass_unchanged(tmp_path: Path) -> None:
    data = write_data_dir(tmp_path / "data", with_rec=False)
    for path in data.iterdir():
        path.write_bytes(path.read_bytes().replace(b"s1-", b"s\xe9-"))
    run(data, tmp_path / "lists")
    ids = {line.split()[0] for line in (tmp_path / "lists" / "utt2spk").read_bytes().splitlines()}
    assert any(utt_id.startswith(b"s\xe9-r") for utt_id in ids)
