"""Errors of damaged files name the byte, whichever way the bytes come; without an error no place is asked for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import KaldiError
from minikaldi.io import FLOAT_MATRIX, places, read_matrix_rows, read_object, sequential
from tests.minikaldi.helpers.running import make_table, random_feats

CUT = b"utt1 \0BFM \x04\x03\0\0\0\x04\x04\0\0\0" + bytes(12)
SAID = "byte 20: matrix of 3 x 4: expected 48 bytes, found 12: truncated?"


def places_of_a_cut_matrix(path: Path) -> Iterator[tuple[str, str]]:
    """Ways to read the file, and the beginning of what each says."""
    yield f"ark:{path}", f"{path}: key utt1: {SAID}"
    yield f"ark:cat {path} |", f"cat {path} |: key utt1: {SAID}"
    yield f"ark:cat {path}; true |", f"cat {path}; true |: key utt1: {SAID}"


def test_files_and_pipes_name_the_byte_of_a_cut_matrix(tmp_path: Path) -> None:
    path = tmp_path / "feats.ark"
    path.write_bytes(CUT)
    for rspecifier, said in places_of_a_cut_matrix(path):
        with pytest.raises(KaldiError) as caught, sequential(rspecifier, FLOAT_MATRIX) as table:
            list(table)
        assert str(caught.value) == said
    (tmp_path / "feats.scp").write_text(f"utt1 {path}:5\n")
    with pytest.raises(KaldiError) as caught, sequential(f"scp:{tmp_path}/feats.scp", FLOAT_MATRIX) as table:
        list(table)
    assert str(caught.value) == f"{tmp_path}/feats.scp: key utt1: {path}:5: {SAID}"
    for read in (lambda: read_object(f"{path}:5", FLOAT_MATRIX), lambda: read_matrix_rows(f"{path}:5", 0, 3)):
        with pytest.raises(KaldiError, match=rf"^{path}:5: byte 20: .*truncated"):
            read()


@pytest.mark.parametrize("source", ["pipe", "file", "named pipe", "inner pipe"])
def test_a_command_names_the_byte_of_its_standard_input(
    source: str, tmp_path: Path, command_env: dict[str, str]
) -> None:
    path = tmp_path / "feats.ark"
    path.write_bytes(CUT)
    given = {
        "pipe": f"cat {path} | copy-feats ark:- ark:/dev/null",
        "file": f"copy-feats ark:- ark:/dev/null < {path}",
        "named pipe": f"copy-feats ark:<(cat {path}) ark:/dev/null",
        "inner pipe": f"cat {path} | copy-feats 'ark:copy-feats ark:- ark:- |' ark:/dev/null",
    }[source]
    done = subprocess.run(["bash", "-c", given], env=command_env, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    name = r"/dev/fd/\d+" if source == "named pipe" else "standard input"
    assert re.search(rf"{name}: key utt1: {re.escape(SAID)}\n", done.stderr), done.stderr


def test_the_place_costs_nothing_where_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(f"ark:{tmp_path}/a.ark", {f"utt{number}": random_feats(9, 3) for number in range(3)})

    def no_place(*arguments: object) -> str:
        raise AssertionError("a place was asked for")

    monkeypatch.setattr(places, "_place", no_place)
    with sequential(f"ark:{tmp_path}/a.ark", FLOAT_MATRIX) as table:
        assert len(list(table)) == 3
