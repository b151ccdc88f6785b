"""The one rule of text tables: ASCII blanks part fields, byte order marks and CR LF are reported."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from common import text_lines
from common.errors import InputError, KaldiError
from common.text_lines import BLANKS, LineEnds, clean_lines, fields_of, head_and_rest, number_of, numbered_fields
from minikaldi.data_dir.wav_lines import is_pipe
from minikaldi.io.specifiers import parse_rxfilename

MARK = b"\xef\xbb\xbf"
# All characters that are blanks or line ends to Python's strings, and are neither to Kaldi.
ODD = [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code) not in BLANKS]


def test_fields_are_those_of_the_bytes_whatever_else_the_text_holds() -> None:
    rng = random.Random(1)
    for alphabet in ("ab \t\v\f\r\n", "ab \t" + "".join(ODD), "aé \t\u3000\x1c\udcff"):
        for _ in range(300):
            text = "".join(rng.choices(alphabet, k=rng.randrange(12)))
            for most in (-1, 0, 1, 2):
                wanted = text.encode("utf-8", "surrogateescape").split(None, most)
                found = [field.encode("utf-8", "surrogateescape") for field in fields_of(text, most)]
                assert found == wanted, repr(text)


@pytest.mark.parametrize("odd", ODD)
def test_no_other_blank_parts_fields_ends_a_name_or_is_part_of_a_number(odd: str) -> None:
    assert not text_lines.has_ascii_blanks_only(f"a{odd}b")
    assert head_and_rest(f" a{odd}b \t c{odd} ") == (f"a{odd}b", f"c{odd} ")
    assert number_of(f"1{odd}") != number_of(f"1{odd}")
    assert not is_pipe(f"a |{odd}")
    assert parse_rxfilename(f"{odd}a.wav{odd}").target == f"{odd}a.wav{odd}"


def test_lines_keep_their_numbers_over_blocks_and_blank_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines.line_blocks, "__defaults__", (5,))
    (tmp_path / "t").write_bytes(MARK + "é 1\r\n\r\n \t\nbb\u00a02 3\r\nc".encode())
    said: list[str] = []
    found = list(numbered_fields(tmp_path / "t", InputError, said.append))
    assert found == [(1, ["é", "1"]), (4, ["bb\u00a02", "3"]), (5, ["c"])]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("data", "lines", "says"),
    [
        (b"a\r\nb\r\n", [b"a", b"b"], "line ends are CRLF"),
        (b"a\nb\r\nc\r", [b"a", b"b", b"c"], "line ends are CRLF"),
        (b"a\rb\n", [b"a\rb"], "carriage returns inside lines"),
        (b"a\n\nb", [b"a", b"", b"b"], ""),
        (b"", [], ""),
        (MARK, [b""], "byte order mark"),
        (MARK + MARK + b"a\n", [b"a"], "byte order mark"),
    ],
)
def test_an_open_stream_gives_clean_lines_and_one_report(data: bytes, lines: list[bytes], says: str) -> None:
    said: list[str] = []
    assert list(clean_lines(io.BytesIO(data), "name", KaldiError, said.append)) == lines
    assert len(said) == bool(says)
    assert all(text.startswith("name: ") and says in text for text in said)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_refused_with_what_to_do(mark: bytes) -> None:
    with pytest.raises(KaldiError, match=r"name:1: the file is UTF-16, .*; save it as UTF-8"):
        LineEnds("name", KaldiError).without_mark(mark + b"a\0")
