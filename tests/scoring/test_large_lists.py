"""Reading of large lists in blocks of columns, and ids as numbers: as line by line, whatever the file."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import InputError
from common.text_lines import numbered_fields
from common.trial_lines import read_trial_lines
from scoring import columns
from scoring.columns import Fields, LineBlock, encoded
from scoring.id_table import LONGEST, IdTable
from scoring.pairs import PairList, first_repeated, places_in
from scoring.trials import ScoredPairs, Trials, align, read_printed_pairs, read_scores, read_trials

BLANKS = [" ", "\t", "  ", " \t", "\v", "\f"]
ids = st.text(st.sampled_from("ab_-é\u00a0\u3000\x1c\x00\udc80"), min_size=1, max_size=20)
gaps = st.sampled_from(BLANKS)
ends = st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n \t\n"])


@st.composite
def odd_lines(draw: st.DrawFn, fields: list[st.SearchStrategy[str]], count: int = 12) -> bytes:
    """Lines of these fields with any blanks, blank lines, and perhaps a line of other fields."""
    lines = []
    for _ in range(draw(st.integers(0, count))):
        parts = [draw(field) for field in fields]
        if draw(st.integers(0, 30)) == 0:
            parts = parts[: draw(st.integers(0, 3))] + draw(st.lists(ids, max_size=2))
        lines.append(draw(gaps).join(parts) + draw(ends))
    text = "".join(lines)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.encode("utf-8", "surrogateescape")


def outcome(read, path: Path) -> object:  # what a reader makes of a file: its value, or its error
    try:
        return read(path)
    except InputError as error:
        return str(error)


def slow_trials(path: Path) -> tuple[list[tuple[str, str]], list[bool]]:
    """Line by line; a pair that is there is an error."""
    seen: dict[tuple[str, str], int] = {}
    labels, repeated = [], ""
    for trial in read_trial_lines(path):
        first = seen.setdefault((trial.enroll, trial.test), trial.number)
        if first != trial.number and not repeated:
            name = f"`{trial.enroll} {trial.test}`"
            repeated = f"{path}:{trial.number}: trial {name} is already on line {first}; remove one of them"
        labels.append(trial.is_target)
    if repeated:
        raise InputError(repeated)
    return list(seen), labels


def fast_trials(path: Path) -> tuple[list[tuple[str, str]], list[bool]]:
    trials = read_trials(path)
    return list(trials.pairs), trials.is_target.tolist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(odd_lines([ids, ids, st.sampled_from(["target", "nontarget"])]), st.integers(1, 60))
def test_any_list_gives_what_reading_line_by_line_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, size: int
) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", size)  # blocks end after any line
    monkeypatch.setattr(columns, "MOST_WORDS", size)
    path = tmp_path / "trials"
    path.write_bytes(data)
    assert outcome(fast_trials, path) == outcome(slow_trials, path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(odd_lines([st.sampled_from(["1", "0"]), ids, ids]), st.integers(1, 60))
def test_the_other_form_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, size: int) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", size)
    path = tmp_path / "trials"
    path.write_bytes(data)
    assert outcome(fast_trials, path) == outcome(slow_trials, path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_scores_are_read_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    path = tmp_path / "scores"
    path.write_text("".join(f"a b{place} {value!r}\n" for place, value in enumerate(values)))
    assert read_scores(path).values.tolist() == values


@pytest.mark.parametrize("text", ["1_0", "0x1p3", "one", "nan", "-NaN", "1\x00", "\u0661", "1,5", "--1", "1e"])
def test_what_kaldi_does_not_read_as_a_number_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores"
    path.write_bytes(f"a b 1\n\na_c d {text}\n".encode())
    with pytest.raises(InputError) as raised:
        read_scores(path)
    assert str(raised.value) == f"{path}:3: score {text!r} of trial `a_c d` is not a number"


@pytest.mark.parametrize(("text", "value"), [("inf", np.inf), ("-Infinity", -np.inf), ("1e400", np.inf), ("+.5", 0.5)])
def test_other_numbers_of_kaldi_are_read(tmp_path: Path, text: str, value: float) -> None:
    path = tmp_path / "scores"
    path.write_text(f"a_1 b {text}\n")
    assert read_scores(path).values.tolist() == [value]


def test_a_fault_deep_in_a_large_file_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"e{number} t{number} target" for number in range(5000)]
    path = tmp_path / "trials"
    for spoilt, complaint in (
        ("e9 t9", "4001: found 2 fields in 'e9 t9', expected"),
        ("e9 t9 targe", "4001: found label 'targe' in the third field, expected"),
        ("e9 t9 nontarget", "4001: trial `e9 t9` is already on line 10; remove one of them"),
    ):
        path.write_text("\n".join([*lines[:4000], spoilt, *lines[4000:]]))
        for size in (columns.BLOCK_BYTES, 777):
            monkeypatch.setattr(columns, "BLOCK_BYTES", size)
            with pytest.raises(InputError) as raised:
                read_trials(path)
            assert str(raised.value).startswith(f"{path}:{complaint}")
    path.write_text("a b\n\nc d\na b\n")
    with pytest.raises(InputError, match=r":4: trial `a b` is already on line 1"):
        read_printed_pairs(path)
    path.write_text("a b\nc d e\n")
    with pytest.raises(InputError, match=r":2: found 3 fields in 'c d e', expected `enroll test`"):
        read_printed_pairs(path)


def test_one_long_field_needs_little_memory(tmp_path: Path) -> None:
    # The block holds 5,000 short lines, and one field of 400 kB: a column of that width would have 2 GB.
    long = "x" * 400_000
    path = tmp_path / "scores"
    path.write_text("".join(f"e t{number} 1\n" for number in range(5000)) + f"e {long} 2\n{long} t1 3\n")
    scores = read_scores(path)
    assert scores.pairs[5000] == ("e", long) and scores.pairs[5001] == (long, "t1")
    assert scores.values.tolist() == [1.0] * 5000 + [2.0, 3.0]


def test_byte_order_marks_and_line_ends_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "scores"
    path.write_bytes(b"\xef\xbb\xbf" + b"a b 1\r\n" * 1 + b"a c 2\r\n")
    with caplog.at_level(logging.WARNING):
        assert list(read_scores(path).pairs) == [("a", "b"), ("a", "c")]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "the file begins with a byte order mark; read without it",
        "line ends are CRLF; read as if they were LF",
    ]


# --- the parts


@given(st.lists(st.text(st.sampled_from("ab\x00é"), min_size=1, max_size=40), min_size=1, max_size=60))
def test_ids_get_numbers_in_order_and_keep_them(names: list[str]) -> None:
    table, numbers = IdTable(), {name: number for number, name in enumerate(dict.fromkeys(names))}
    for first in range(0, len(names), 7):  # widths differ from part to part
        some = names[first : first + 7]
        assert table.numbers(Fields.of(encoded(some))).tolist() == [numbers[name] for name in some]
    assert table.ids() == list(numbers)
    assert table.numbers(Fields.of(encoded(names))).tolist() == [numbers[name] for name in names]


def test_a_table_grows_and_finds_every_id_again() -> None:
    table, rng = IdTable(), np.random.default_rng(0)
    names = [f"id{number}-{'x' * (number % 50)}".encode() for number in range(70_000)]
    for first in range(0, len(names), 9973):
        table.numbers(Fields.of(names[first : first + 9973]))
    some = rng.integers(len(names), size=20_000)
    assert (table.numbers(Fields.of([names[number] for number in some])) == some).all()
    long = b"y" * (LONGEST + 1)
    assert table.numbers(Fields.of([long, names[5], long + b"z", long])).tolist() == [70_000, 5, 70_001, 70_000]
    assert table.ids()[69_999:] == [names[-1].decode(), long.decode(), f"{long.decode()}z"]


def test_ids_whose_hashes_collide_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.id_table._hashes", lambda fields: np.zeros(len(fields), np.uint64))
    table, names = IdTable(), [f"n{number}".encode() for number in range(300)]
    assert table.numbers(Fields.of(names)).tolist() == list(range(300))
    assert table.numbers(Fields.of([*names[::-1], b"n300"])).tolist() == [*range(299, -1, -1), 300]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=80), st.integers(1, 3))
def test_columns_are_the_fields_of_each_line_or_none(tmp_path: Path, data: bytes, count: int) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    try:
        rows = list(numbered_fields(path, InputError, lambda text: None))
    except InputError:  # UTF-16
        return
    mark = len(b"\xef\xbb\xbf")
    while data.startswith(b"\xef\xbb\xbf"):
        data = data[mark:]
    found = LineBlock(1, data).columns(count)
    if any(len(fields) != count for _, fields in rows):
        assert found is None
        return
    assert found is not None
    assert [number for part in found for number in part.numbers.tolist()] == [number for number, _ in rows]
    for column in range(count):
        texts = [text for part in found for text in part.fields(column).texts()]
        assert texts == encoded(fields[column] for _, fields in rows)


def test_pairs_are_a_sequence() -> None:
    pairs = [("a", "b"), ("b", "a"), ("a", "c")]
    found = PairList.of(pairs)
    assert (len(found), found[1], found[-1], found[1:], list(found)) == (3, pairs[1], pairs[2], pairs[1:], pairs)
    assert found == pairs and found == PairList.of(pairs) and found != pairs[:2] and found != "abc"
    assert list(PairList.of([])) == [] and first_repeated(PairList.of([])) is None


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), unique=True), st.randoms())
def test_places_of_pairs_in_another_list(pairs: list[tuple[str, str]], random) -> None:
    among = pairs[:]
    random.shuffle(among)
    kept = [*among[: len(among) // 2 + 1], ("x", "a"), ("a", "x")]
    expected = [kept.index(pair) if pair in kept else -1 for pair in pairs]
    assert places_in(PairList.of(kept), PairList.of(pairs)).tolist() == expected
    assert places_in(PairList.of(pairs), PairList.of(pairs)).tolist() == list(range(len(pairs)))


def test_the_first_repeated_pair_is_the_first_in_the_file() -> None:
    assert first_repeated(PairList.of([(name, name) for name in "zbbzaa"])) == (2, 1)


def test_scores_in_any_order_are_aligned(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = [(f"e{number % 37}", f"t{number}") for number in range(2000)]
    trials = Trials(PairList.of(pairs), rng.random(2000) < 0.5)
    values = rng.normal(size=2000)
    order = rng.permutation(2000)
    shuffled = ScoredPairs(PairList.of(pairs[place] for place in order), values[order])
    for scores in (shuffled, ScoredPairs(trials.pairs, values)):
        assert align(scores, trials).tolist() == values.tolist()
