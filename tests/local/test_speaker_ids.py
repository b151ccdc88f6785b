"""Speaker ids: unchanged where that is right, and in an order that Kaldi's tools can live with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from local.speaker_ids import check_name, speaker_ids

UTTERANCES = ("!x", "-x", "a", "zz")


def test_ordinary_names_stay_as_they_are() -> None:
    names = ["p225", "p-226", "0482", "Ann_Lee", "A.J._Buckley"]
    assert speaker_ids(names) == {name: name for name in names}


def test_blanks_become_underscores_and_collisions_get_numbers() -> None:
    assert speaker_ids(["ann lee", "ann_lee", "ann\u00a0lee"]) == {
        "ann lee": "ann_lee",
        "ann_lee": "ann_lee_2",
        "ann\u00a0lee": "ann_lee_3",
    }


def test_a_name_that_would_sort_into_another_speaker_is_changed() -> None:
    assert speaker_ids(["ann", "ann-marie", "ann+b"]) == {"ann": "ann", "ann-marie": "ann_marie", "ann+b": "ann_b"}


@given(st.sets(st.text(alphabet="ab-+_. ", min_size=1, max_size=5), min_size=1, max_size=12))
def test_sorted_utterances_are_sorted_by_speaker_for_any_names(names: set[str]) -> None:
    ids = speaker_ids(names)
    assert len(set(ids.values())) == len(names)
    utterances = sorted((f"{spk_id}-{rest}", spk_id) for spk_id in ids.values() for rest in UTTERANCES)
    speakers = [spk_id for _, spk_id in utterances]
    assert speakers == sorted(speakers)


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7fb", "a\udcffb"])
def test_names_that_no_table_can_hold_are_refused_with_the_path(name: str) -> None:
    with pytest.raises(InputError, match="rename it"):
        check_name(name, f"root/{name}")
