"""Names of tables and files."""

from __future__ import annotations

import itertools

import pytest

from common.errors import KaldiError, UsageError
from minikaldi.io.specifiers import (
    are_tables,
    is_rspecifier,
    parse_rspecifier,
    parse_rxfilename,
    parse_script_line,
    parse_wspecifier,
    parse_wxfilename,
    split_range,
)


def test_rspecifier_options_may_stand_in_any_order() -> None:
    for words in itertools.permutations(["s", "cs", "p", "scp"]):
        spec = parse_rspecifier(",".join(words) + ":feats.scp")
        assert (spec.kind, spec.rxfilename) == ("scp", "feats.scp")
        assert spec.sorted and spec.called_sorted and spec.permissive and not spec.once


def test_negated_option_undoes_the_one_before() -> None:
    assert not parse_rspecifier("s,ns,ark:x").sorted
    assert parse_rspecifier("no,o,b,ark:x").once
    assert not parse_rspecifier("ark,p,np:x").permissive
    assert not parse_rspecifier("cs,ark,ncs:x").called_sorted
    assert parse_wspecifier("ark,t,b:x").binary and not parse_wspecifier("b,ark,t:x").binary
    assert parse_wspecifier("f,ark:x").flush and not parse_wspecifier("f,ark,nf:x").flush


def test_blank_parts_options_as_a_comma_does() -> None:
    assert parse_rspecifier("scp p,bg:x") == parse_rspecifier("scp,p,bg:x")
    assert parse_wspecifier("ark t:x") == parse_wspecifier("ark,t:x")


def test_every_combination_of_options_says_what_it_says_alone() -> None:
    for words in itertools.permutations(["o", "p", "s", "cs", "bg", "b", "ark"], 4):
        if "ark" in words:
            spec = parse_rspecifier(",".join(words) + ":x")
            parsed = (spec.once, spec.permissive, spec.sorted, spec.called_sorted, spec.background)
            assert parsed == tuple(word in words for word in ("o", "p", "s", "cs", "bg"))
    for words in itertools.permutations(["t", "f", "p", "ark"]):
        for count in range(1, 5):
            if "ark" in words[:count]:
                out = parse_wspecifier(",".join(words[:count]) + ":x")
                parsed = (not out.binary, out.flush, out.permissive)
                assert parsed == tuple(word in words[:count] for word in ("t", "f", "p"))


def test_kinds_of_an_archive_with_a_script_keep_their_order_whatever_stands_between() -> None:
    for text in ("ark,scp:a,b", "t,ark,scp:a,b", "ark,t,scp:a,b", "ark,scp,t:a,b"):
        assert (parse_wspecifier(text).archive, parse_wspecifier(text).script) == ("a", "b")
    assert parse_wspecifier("ark,scp:a:b,c,d").script == "c,d"  # the first comma parts the names


def test_archive_may_be_the_standard_input_or_a_pipe() -> None:
    assert parse_rspecifier("ark:-").rxfilename == "-"
    assert parse_rspecifier("ark:gunzip -c a:b.gz |").rxfilename == "gunzip -c a:b.gz |"


@pytest.mark.parametrize(
    "text",
    [
        "feats.scp",
        "ark,scp:a,b",
        "ark,q:a",
        "ark",
        " ark:a",
        "ark:a ",
        "t:a",
        "",
        "ark,:a",
        "ark, t:a",
        "ark,f:a",
        "scp,scp:a",
        ":a",
    ],
)
def test_what_is_no_rspecifier_is_refused(text: str) -> None:
    with pytest.raises(KaldiError, match="rspecifier"):
        parse_rspecifier(text)


def test_wspecifier_names_archive_and_script() -> None:
    assert (parse_wspecifier("ark,scp:a.ark,b.scp").archive, parse_wspecifier("ark,scp:a.ark,b.scp").script) == (
        "a.ark",
        "b.scp",
    )
    assert not parse_wspecifier("ark,t:-").binary
    assert not parse_wspecifier("t,ark:-").binary
    assert parse_wspecifier("scp:x").archive is None


@pytest.mark.parametrize(
    "text",
    ["ark,scp:a", "scp,ark:a,b", "ark,x:a", "a", "ark,cs:a", "ark:a ", "ark,ark:a", "ark,,t:a", "ark,scp,scp:a,b"],
)
def test_what_is_no_wspecifier_is_refused(text: str) -> None:
    with pytest.raises(KaldiError, match=r"wspecifier|two file names"):
        parse_wspecifier(text)


def test_tables_are_reported_from_files() -> None:
    assert is_rspecifier("scp,p:x") and is_rspecifier("ark,t:-")
    assert is_rspecifier("ark,scp:a,b") and is_rspecifier("ark:") and is_rspecifier("scp,nf:x")
    assert not is_rspecifier("x.ark") and not is_rspecifier("a:b") and not is_rspecifier("sox a.wav |")


@pytest.mark.parametrize(
    ("source", "target"), [("x.mat", "ark:y"), ("scp:x", "y"), ("-", "ark,t:-"), ("cmd |", "ark:|cat")]
)
def test_copy_between_a_table_and_a_file_is_a_usage_error(source: str, target: str) -> None:
    assert not are_tables("x.mat", "-") and are_tables("scp,p:x", "ark,scp:a,b")
    with pytest.raises(UsageError, match=r"is a table, .* is the name of one file"):
        are_tables(source, target)


def test_rxfilename_is_a_file_an_offset_a_pipe_or_the_standard_input() -> None:
    assert parse_rxfilename("a b.ark:123").offset == 123
    assert parse_rxfilename("a:b") == parse_rxfilename("a:b") and parse_rxfilename("a:b").target == "a:b"
    assert (parse_rxfilename("cat x |").kind, parse_rxfilename("cat x |").target) == ("pipe", "cat x")
    assert parse_rxfilename(" gunzip -c x |").target == "gunzip -c x"
    assert parse_rxfilename("").kind == parse_rxfilename("-").kind == "std"


@pytest.mark.parametrize("text", ["| cat", "a | b", " a", "a ", "cat x | ", "t,-", "b,x"])
def test_misplaced_pipe_signs_and_blanks_are_refused(text: str) -> None:
    with pytest.raises(KaldiError):
        parse_rxfilename(text)


def test_wxfilename_pipe_starts_with_its_sign() -> None:
    assert parse_wxfilename("| gzip -c > a").target == "gzip -c > a"
    with pytest.raises(KaldiError, match="starts with"):
        parse_wxfilename("gzip |")


@pytest.mark.parametrize("text", ["x.ark:12", "t,-", "b,x", " x", "x ", "a | b"])
def test_names_that_can_only_be_a_slip_are_not_written_to(text: str) -> None:
    with pytest.raises(KaldiError, match="is not a file name"):
        parse_wxfilename(text)


def test_ranges_are_rows_then_columns() -> None:
    assert split_range("a.ark:5[0:9]") == ("a.ark:5", ((0, 9), None))
    assert split_range("a.ark[0:9,2:5]") == ("a.ark", ((0, 9), (2, 5)))
    assert split_range("a.ark[:,2:5]") == split_range("a.ark[,2:5]") == ("a.ark", (None, (2, 5)))
    assert split_range("a[1].ark") == ("a[1].ark", (None, None))


@pytest.mark.parametrize("text", ["a[5:2]", "a[x]", "a[1:2:3]"])
def test_malformed_range_is_refused(text: str) -> None:
    with pytest.raises(KaldiError, match="range"):
        split_range(text)


def test_script_line_keeps_blanks_of_a_command_and_drops_a_carriage_return() -> None:
    assert parse_script_line(b"utt1\tsox  a.wav -t wav - |\r\n", "x:1") == ("utt1", "sox  a.wav -t wav - |")


def test_script_line_without_a_file_names_its_place() -> None:
    with pytest.raises(KaldiError, match=r"wav\.scp:3"):
        parse_script_line(b"utt1\n", "wav.scp:3")
