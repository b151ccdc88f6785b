"""Claims about drawn trial lists."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from common.errors import InputError
from scoring.make_trials import TrialCounts, main, make_trials

UTT2SPK = {f"s{speaker}-u{utt}": f"s{speaker}" for speaker in range(6) for utt in range(8)}
SPK2GENDER = {f"s{speaker}": "fm"[speaker % 2] for speaker in range(6)}


def test_labels_follow_the_speakers_and_no_pair_comes_twice_in_either_direction() -> None:
    trials = make_trials(UTT2SPK, TrialCounts(10, 3), seed=0)
    assert [UTT2SPK[a] == UTT2SPK[b] for a, b in trials.pairs] == trials.is_target.tolist()
    assert len({frozenset(pair) for pair in trials.pairs}) == len(trials) == 6 * 10 * 4
    assert all(len(frozenset(pair)) == 2 for pair in trials.pairs)


def test_every_speaker_has_the_same_number_of_targets_and_of_nontargets() -> None:
    trials = make_trials(UTT2SPK, TrialCounts(10, 2), seed=0)
    targets = Counter(UTT2SPK[a] for (a, _), same in zip(trials.pairs, trials.is_target, strict=True) if same)
    enrolled = Counter(UTT2SPK[a] for (a, _), same in zip(trials.pairs, trials.is_target, strict=True) if not same)
    tested = Counter(UTT2SPK[b] for (_, b), same in zip(trials.pairs, trials.is_target, strict=True) if not same)
    assert set(targets.values()) == {10}
    assert set(enrolled.values()) == {20}
    assert min(tested.values()) >= 15  # 20 each on average; a repeated pair moves on to the next speaker


def test_the_seed_decides_the_list() -> None:
    first, again, other = (make_trials(UTT2SPK, TrialCounts(5), seed).pairs for seed in (1, 1, 2))
    assert first == again != other


def test_the_order_of_utt2spk_does_not_matter() -> None:
    backwards = dict(reversed(UTT2SPK.items()))
    assert make_trials(backwards, TrialCounts(5), 1).pairs == make_trials(UTT2SPK, TrialCounts(5), 1).pairs


def test_nontargets_stay_within_a_known_gender() -> None:
    trials = make_trials(UTT2SPK, TrialCounts(), 0, SPK2GENDER)
    assert all(SPK2GENDER[UTT2SPK[a]] == SPK2GENDER[UTT2SPK[b]] for a, b in trials.pairs)


def test_targets_run_across_recordings_where_these_are_known() -> None:
    utt2rec = {utt_id: f"{utt_id[:2]}-r{int(utt_id[-1]) // 4}" for utt_id in UTT2SPK}
    trials = make_trials(UTT2SPK, TrialCounts(100), 0, utt2rec=utt2rec)
    targets = [pair for pair, same in zip(trials.pairs, trials.is_target, strict=True) if same]
    assert len(targets) == 6 * 16  # 4 x 4 pairs across the two recordings of each speaker, and no others
    assert all(utt2rec[a] != utt2rec[b] for a, b in targets)


def test_a_speaker_with_one_utterance_gives_no_targets_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    utt2spk = {**UTT2SPK, "single-u0": "single"}
    with caplog.at_level(logging.WARNING):
        trials = make_trials(utt2spk, TrialCounts(10), 0)
    assert "1 of 7 speakers give no target trial (first: single, 1 utterance(s))" in caplog.text
    assert trials.num_targets == 60
    assert any("single-u0" in pair for pair in trials.pairs)  # it is still an impostor


def test_too_few_pairs_are_said(caplog: pytest.LogCaptureFixture) -> None:
    utt2spk = {"a-1": "a", "a-2": "a", "b-1": "b"}
    trials = make_trials(utt2spk, TrialCounts(5, 4), 0)
    assert (trials.num_targets, trials.num_nontargets) == (1, 1)
    assert "3 of 4 nontarget trials could not be drawn without repetition" in caplog.text


@pytest.mark.parametrize(
    ("utt2spk", "complaint"),
    [
        ({"a-1": "a", "b-1": "b"}, "no target trial is possible"),
        ({"a-1": "a", "a-2": "a"}, "no nontarget trial is possible"),
    ],
)
def test_impossible_lists_are_refused(utt2spk: dict[str, str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        make_trials(utt2spk, TrialCounts(), 0)


def test_a_speaker_without_gender_is_refused() -> None:
    with pytest.raises(InputError, match=r"spk2gender: 5 of 6 ids are missing \(first: s1\)"):
        make_trials(UTT2SPK, TrialCounts(), 0, {"s0": "f"})


def test_a_bad_line_ends_the_program_with_file_and_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "utt2spk").write_text("a b\na c\n")
    words = [sys.executable, "-m", "scoring.make_trials", str(tmp_path / "utt2spk"), str(tmp_path / "trials")]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f'scoring.make_trials: {tmp_path}/utt2spk:2: "a" has a line above already; keep one of them\n'
    assert not (tmp_path / "trials").exists()


@pytest.mark.parametrize(
    ("lines", "says"),
    [("a-1 a\nb-1 b\n", "no target trial is possible: no"), ("a-1 a\na-2 a\n", "no nontarget trial is possible")],
)
def test_an_impossible_list_names_the_folder(tmp_path: Path, lines: str, says: str) -> None:
    table = tmp_path / "utt2spk"
    table.write_text(lines)
    with pytest.raises(InputError, match=rf"^{table}: {says}"):
        main([str(table), str(tmp_path / "trials")])
    with pytest.raises(InputError, match=rf"^/corpus/test \({table}\): {says}"):
        main(["--source", "/corpus/test", str(table), str(tmp_path / "trials")])


def test_the_program_writes_the_list(tmp_path: Path) -> None:
    (tmp_path / "utt2spk").write_text("".join(f"{utt_id} {speaker}\n" for utt_id, speaker in UTT2SPK.items()))
    (tmp_path / "spk2gender").write_text("".join(f"{speaker} {gender}\n" for speaker, gender in SPK2GENDER.items()))
    options = ["--targets-per-speaker", "2", "--nontargets-per-target", "3", "--seed", "4"]
    files = ["--spk2gender", str(tmp_path / "spk2gender"), str(tmp_path / "utt2spk"), str(tmp_path / "trials")]
    assert main([*options, *files]) == 0
    labels = Counter(line.split()[2] for line in (tmp_path / "trials").read_text().splitlines())
    assert labels == {"target": 12, "nontarget": 36}
