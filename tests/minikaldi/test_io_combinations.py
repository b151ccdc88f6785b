"""Every kind of table, every order of options, every holder, binary and text, read in order and by key, from files,
pipes, the standard input and gz; against a reader of Kaldi's forms that shares nothing with the one under test."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.io import (
    BOOL,
    DOUBLE,
    DOUBLE_MATRIX,
    DOUBLE_VECTOR,
    FLOAT,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32,
    INT32_VECTOR,
    POSTERIOR,
    TOKEN,
    TOKEN_VECTOR,
    Holder,
    StreamContext,
    random_access,
    sequential,
    writer,
)

KEYS = ("A", "a-1", "utt.2")  # sorted as bytes
# Numbers that seven digits represent exactly, so that text and binary give the same.
VALUES: dict[str, tuple[Holder, tuple[Any, Any, Any]]] = {
    "float matrix": (FLOAT_MATRIX, ([[0.5, -2], [3, 4e10]], [[1.25]], [[1, 2, 3]])),
    "double matrix": (DOUBLE_MATRIX, ([[0.5, -2], [3, 4e100]], [[1.25]], [[1, 2, 3]])),
    "float vector": (FLOAT_VECTOR, ([0.5, -2, 0.0078125], [], [7])),
    "double vector": (DOUBLE_VECTOR, ([0.5, -2, 1e-200], [], [7])),
    "int": (INT32, (0, -(2**31), 123456789)),
    "float": (FLOAT, (0.5, -2.0, 1e10)),
    "double": (DOUBLE, (0.5, -2.0, 1e100)),
    "bool": (BOOL, (True, False, True)),
    "token": (TOKEN, ("x", "a:b|c", "[")),
    "token vector": (TOKEN_VECTOR, (["x", "y"], [], ["z"])),
    "int vector": (INT32_VECTOR, ([1, -2], [], [3])),
    "posterior": (POSTERIOR, ([[(1, 0.5), (2, 0.25)], []], [], [[(3, 1.0)]])),
}


class Bytes:
    """A cursor over all of a file's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count : self.at]

    def number(self, code: str) -> Any:
        """A number after its size."""
        assert self.take(1)[0] == struct.calcsize(code)
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        return self.take(end + 1 - self.at).decode()


def slow_binary(data: Bytes, what: str) -> Any:
    """The object after a `\\0B`, as nested lists."""
    if what.endswith(("matrix", "float vector", "double vector")):
        code = {b"F": "f", b"D": "d"}[data.take(1)]
        assert data.take(2) == (b"M " if what.endswith("matrix") else b"V ")
        dims = [data.number("i") for _ in range(2 if what.endswith("matrix") else 1)]
        flat = [struct.unpack("<" + code, data.take(struct.calcsize(code)))[0] for _ in range(int(np.prod(dims)))]
        return np.reshape(flat, dims).tolist()
    if what == "bool":
        return data.take(1) == b"T"
    if what == "int vector":
        return [data.number("i") for _ in range(data.number("i"))]
    if what == "posterior":
        return [
            [(data.number("i"), data.number("f")) for _ in range(data.number("i"))] for _ in range(data.number("i"))
        ]
    return data.number({"int": "i", "float": "f", "double": "d"}[what])


def slow_text(data: Bytes, what: str) -> Any:
    """The object on the rest of the line, and of a matrix on the lines to the bracket."""
    text = data.line()
    if what.endswith("matrix"):
        while "]" not in text:
            text += data.line()
        return [[float(word) for word in row.split()] for row in text.strip(" \n[]").split("\n")]
    words = text.split()
    if what.endswith(("float vector", "double vector")):
        return [float(word) for word in words[1:-1]]
    if what == "posterior":
        frames = [frame.split() for frame in text.replace("[", "").split("]")[:-1]]
        return [[(int(i), float(x)) for i, x in zip(f[::2], f[1::2], strict=True)] for f in frames]
    convert = {"int": int, "float": float, "double": float, "bool": "T".__eq__, "int vector": int}.get(what, str)
    return [convert(word) for word in words] if what.endswith("vector") else convert(words[0])


def slow_object(data: Bytes, what: str) -> Any:
    if data.data[data.at : data.at + 2] == b"\0B":
        data.take(2)
        return slow_binary(data, what)
    return slow_text(data, what)


def slow_archive(content: bytes, what: str) -> list[tuple[str, Any]]:
    data, entries = Bytes(content), []
    while data.at < len(content):
        end = content.index(b" ", data.at)
        key = data.take(end + 1 - data.at)[:-1].decode()
        entries.append((key, slow_object(data, what)))
    return entries


def slow_script(path: Path, what: str) -> list[tuple[str, Any]]:
    entries = []
    for line in path.read_text().splitlines():
        key, place = line.split(" ")
        name, colon, offset = place.partition(".ark:")
        data = Bytes(Path(name + ".ark" if colon else place).read_bytes())
        data.take(int(offset or 0))
        entries.append((key, slow_object(data, what)))
    return entries


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def heads(kind: str, options: tuple[str, ...], most: int) -> Iterator[str]:
    """The kind among up to `most` of the options, in every order and position."""
    for count in range(most + 1):
        for words in itertools.permutations(options, count):
            for at in range(count + 1):
                yield ",".join([*words[:at], kind, *words[at:]])


@pytest.mark.parametrize("what", VALUES)
def test_what_is_written_in_any_order_of_options_is_what_a_slow_reader_finds(what: str, tmp_path: Path) -> None:
    holder, values = VALUES[what]
    expected = list(zip(KEYS, values, strict=True))
    for kind in ("ark", "scp", "ark,scp"):
        for head in heads(kind, ("t", "f", "p", "b", "nf"), 2):
            (tmp_path / "to.scp").write_text("".join(f"{key} {tmp_path}/{key}.obj\n" for key in KEYS))
            target = {"ark": "x.ark", "scp": "to.scp", "ark,scp": f"x.ark,{tmp_path}/x.scp"}[kind]
            with writer(f"{head}:{tmp_path}/{target}", holder) as out:
                for key, value in expected:
                    out.write(key, value)
            if kind != "scp":
                content = (tmp_path / "x.ark").read_bytes()
                words = [word for word in head.split(",") if word in "tb"]
                assert (b"\0B" in content) == (words[-1:] != ["t"] and not what.startswith("token")), head
                assert slow_archive(content, what) == expected, head
            if kind != "ark":
                assert slow_script(tmp_path / ("to.scp" if kind == "scp" else "x.scp"), what) == expected, head


@pytest.mark.parametrize("form", ["ark", "ark,t"])
@pytest.mark.parametrize("what", VALUES)
def test_any_order_of_options_reads_what_a_slow_reader_finds(what: str, form: str, tmp_path: Path) -> None:
    holder, values = VALUES[what]
    with writer(f"{form},scp:{tmp_path}/x.ark,{tmp_path}/x.scp", holder) as out:
        for key, value in zip(KEYS, values, strict=True):
            out.write(key, value)
    expected = slow_archive((tmp_path / "x.ark").read_bytes(), what)
    assert expected == slow_script(tmp_path / "x.scp", what) == list(zip(KEYS, values, strict=True))
    for kind in ("ark", "scp"):
        for head in heads(kind, ("o", "p", "s", "cs", "bg", "t", "no", "ns"), 2):
            with sequential(f"{head}:{tmp_path}/x.{kind}", holder) as table:
                assert [(key, plain(value)) for key, value in table] == expected, head
            with random_access(f"{head}:{tmp_path}/x.{kind}", holder) as table:
                assert [(key, plain(table[key])) for key in KEYS if key in table] == expected, head
                assert "utt.3" not in table
    for options in ("", ",p", ",s", ",cs"):  # by key in another order than they stand
        with random_access(f"ark{options}:{tmp_path}/x.ark", holder) as table:
            assert [(key, plain(table[key])) for key in KEYS[::-1]] == expected[::-1]


@pytest.mark.parametrize("form", ["ark", "ark,t"])
@pytest.mark.parametrize("what", VALUES)
def test_pipes_gz_and_standard_streams_carry_the_same(what: str, form: str, tmp_path: Path) -> None:
    holder, values = VALUES[what]
    stdout = io.BytesIO()
    targets = (f"{tmp_path}/a", f"| cat > {tmp_path}/b", f"|gzip -c > {tmp_path}/c.gz", "-", "")
    for target in targets:
        with writer(f"{form}:{target}", holder, StreamContext(stdout=stdout)) as out:
            for key, value in zip(KEYS, values, strict=True):
                out.write(key, value)
    content = (tmp_path / "a").read_bytes()
    assert slow_archive(content, what) == list(zip(KEYS, values, strict=True))
    assert (tmp_path / "b").read_bytes() == gzip.decompress((tmp_path / "c.gz").read_bytes()) == content
    assert stdout.getvalue() == 2 * content
    sources = (
        f"{tmp_path}/a",
        f"cat {tmp_path}/a |",
        f"cat {tmp_path}/a; true |",
        f" gunzip -c {tmp_path}/c.gz|",
        "-",
        "",
    )
    for source, options in itertools.product(sources, ("", ",s,cs", ",p,o")):
        with sequential(f"ark{options}:{source}", holder, StreamContext(stdin=io.BytesIO(content))) as table:
            assert [(key, plain(value)) for key, value in table] == slow_archive(content, what), source
        with random_access(f"ark{options}:{source}", holder, StreamContext(stdin=io.BytesIO(content))) as table:
            assert [(key, plain(table[key])) for key in KEYS] == slow_archive(content, what), source


@pytest.mark.parametrize("source", ["{0}/x.scp", "cat {0}/x.scp |", "sort -r {0}/x.scp | sort |", "-"])
def test_script_from_a_pipe_or_the_standard_input_is_a_script(source: str, tmp_path: Path) -> None:
    holder, values = VALUES["float matrix"]
    with writer(f"ark,scp:{tmp_path}/x.ark,{tmp_path}/x.scp", holder) as out:
        for key, value in zip(KEYS, values, strict=True):
            out.write(key, value)
    for kind in (sequential, random_access):
        stdin = io.BytesIO((tmp_path / "x.scp").read_bytes())
        with kind(f"scp:{source.format(tmp_path)}", holder, StreamContext(stdin=stdin)) as table:
            read = [value for _, value in table] if kind is sequential else [table[key] for key in KEYS]
            assert [plain(value) for value in read] == list(values)
