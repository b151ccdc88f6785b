"""Trial lists: each form is read, each line is accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from local.trials import convert_list, read_corpus_trials

PATHS = {"s1-a": "s1/a.wav", "s1-deep-b": "s1/deep/b.flac", "s2-take.2": "s2/take.2.wav"}


def lines_of(tmp_path: Path, text: str) -> list[str]:
    source = tmp_path / "list"
    source.write_bytes(text.encode())
    convert_list(tmp_path, source, PATHS)
    return (tmp_path / "trials").read_text().splitlines()


def test_both_forms_ids_and_paths_give_the_same_line(tmp_path: Path) -> None:
    for line in (
        "1 s1-a s1-deep-b",
        "1 s1/a.wav s1/deep/b.flac",
        "1 ./s1/a s1/deep/b",
        "s1-a s1-deep-b target",
        "s1/a.flac s1/deep/b.wav target",
    ):
        assert lines_of(tmp_path, line) == ["s1-a s1-deep-b target"]


def test_crlf_bom_blank_lines_and_no_last_newline_are_fine(tmp_path: Path) -> None:
    text = "\ufeff1 s1/a.wav s1/deep/b\r\n\r\n0 s1/a.wav s2/take.2"
    assert lines_of(tmp_path, text) == ["s1-a s1-deep-b target", "s1-a s2-take.2 nontarget"]


def test_a_dot_in_a_name_is_no_extension(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: s2/take\.3"):
        lines_of(tmp_path, "1 s1/a s2/take.3")


def test_unknown_utterances_are_an_error_with_count_and_first_lines(tmp_path: Path) -> None:
    (tmp_path / "dropped").write_text("s1-x empty file: s1/x.wav\n")
    text = "1 s1/a s1/x.wav\n1 s1/a s1/deep/b\n0 s1/a no1\n0 no2 s1/a\n0 no3 no4\n"
    with pytest.raises(InputError) as error:
        lines_of(tmp_path, text)
    message = str(error.value)
    assert "4 of 5 trials" in message
    assert "line 1: s1/x.wav (dropped: empty file: s1/x.wav); line 3: no1; line 4: no2" in message
    assert "no3" not in message
    assert not (tmp_path / "trials").exists()


@pytest.mark.parametrize("line", ["2 a b", "a b", "a b c", "1 a b c", "a b Target"])
def test_a_line_of_another_form_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"1 a b\n{line}\n")
    with pytest.raises(InputError, match=r"list:2: found .* expected"):
        read_corpus_trials(tmp_path / "list")


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n")
    with pytest.raises(InputError, match="no trial"):
        read_corpus_trials(tmp_path / "list")
