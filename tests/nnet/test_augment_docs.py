"""docs/explanation/augmentation.md lists every step and every case of bad input, and each case has its tests."""

from __future__ import annotations

import re
from pathlib import Path

from nnet.augment import AUDIO_STEPS, FEATURE_STEPS

PAGE = "docs/explanation/augmentation.md"
# Case of bad input, as the page names it -> names of the tests that hold it to its word.
TESTED: dict[str, tuple[str, ...]] = {
    "noise shorter than the utterance": (
        "test_duration_cuts_or_repeats_from_the_start",
        "test_foreground_noises_follow_one_another_to_the_end",
        "test_a_passage_is_a_random_part_and_a_short_noise_is_repeated",
    ),
    "silent noise": (
        "test_silent_noises_and_rooms_are_reported_by_name_and_left_out",
        "test_a_silent_passage_is_reported_once",
    ),
    "silent room": (
        "test_silent_noises_and_rooms_are_reported_by_name_and_left_out",
        "test_a_silent_room_leaves_the_speech_and_is_reported_once",
    ),
    "silent speech": (
        "test_silent_noise_room_and_input_are_defined_and_said",
        "test_a_silent_noise_adds_nothing_and_silent_speech_gets_none",
    ),
    "response longer than the utterance": (
        "test_impulse_response_longer_than_the_wave_is_fine",
        "test_a_response_longer_than_the_speech_is_heard_as_far_as_the_speech_goes",
    ),
    "response of several channels": ("test_of_a_response_of_several_microphones_the_first_is_taken",),
    "room or noise of another rate": (
        "test_a_room_at_another_rate_is_refused_with_the_mend",
        "test_another_rate_and_a_truncated_file_are_reported",
    ),
    "lists of signals, SNRs, starts of unequal length": ("test_reverberation_refuses_with_file_and_option",),
    "list of SNRs empty or without numbers": (
        "test_bad_lists_of_levels_and_numbers_are_refused",
        "test_a_wrong_section_is_refused_with_its_key",
    ),
    "class of MUSAN whose folder is missing": (
        "test_musan_classes_become_data_directories_with_durations",
        "test_a_step_without_noises_says_how_to_get_them",
    ),
    "class without a file": (
        "test_a_class_without_a_file_is_refused_by_its_folder",
        "test_an_empty_class_of_noise_is_refused",
    ),
    "vocals filter that leaves no music": ("test_a_vocals_filter_that_leaves_no_music_is_refused_with_the_reasons",),
    "babble, fewer other speakers than voices": (
        "test_babble_of_too_many_voices_is_reported",
        "test_babble_of_more_voices_than_speakers_repeats_some_and_reports_it",
    ),
    "babble, no other speaker": (
        "test_bad_noise_directories_are_refused_by_name",
        "test_babble_without_another_speaker_is_refused",
    ),
    "peaks beyond 16 bits after mixing": (
        "test_clipping_is_counted_and_reported_with_what_was_mixed",
        "test_what_is_odd_is_logged_once",
    ),
    "list of rooms or noises empty": (
        "test_a_list_of_rooms_or_noises_without_a_line_is_refused",
        "test_bad_sets_of_rooms_are_refused",
    ),
}


def test_every_step_has_its_line(root: Path) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (root / PAGE).read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == {*AUDIO_STEPS, *FEATURE_STEPS, "speed", "ondisk", "online", "none"}


def test_every_case_of_bad_input_has_a_line_and_tests_that_exist(root: Path) -> None:
    section = (root / PAGE).read_text().split("## Bad input")[1]
    cases = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    assert cases[1:] == list(TESTED)  # the first line is the titles
    text = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    missing = [name for names in TESTED.values() for name in names if f"def {name}(" not in text]
    assert not missing
