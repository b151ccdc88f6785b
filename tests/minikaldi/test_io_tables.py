"""Tables: sequential, by key, written; scripts, offsets, ranges, options, damage."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import (
    BOOL,
    FLOAT,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32,
    INT32_VECTOR,
    TOKEN,
    TOKEN_VECTOR,
    WAVE,
    Holder,
    random_access,
    read_object,
    sequential,
    write_object,
    writer,
)
from minikaldi.io.rows import matrix_shape, read_matrix_rows

MATRICES = {f"utt{i}": np.full((i + 2, 3), float(i), dtype=np.float32) for i in range(4)}


@pytest.fixture
def feats(tmp_path: Path) -> Path:
    """A folder with a.ark and a.scp of MATRICES."""
    with writer(f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp", FLOAT_MATRIX) as out:
        for key, matrix in MATRICES.items():
            out.write(key, matrix)
    return tmp_path


def test_archive_and_script_give_the_same(feats: Path) -> None:
    for rspecifier in (f"ark:{feats}/a.ark", f"scp:{feats}/a.scp", f"scp,p:{feats}/a.scp"):
        with sequential(rspecifier, FLOAT_MATRIX) as table:
            read = dict(table)
        assert list(read) == list(MATRICES)
        assert all(np.array_equal(read[key], MATRICES[key]) for key in MATRICES)


def test_script_offsets_point_behind_the_key(feats: Path) -> None:
    assert (feats / "a.scp").read_text().splitlines()[0] == f"utt0 {feats}/a.ark:5"


@pytest.mark.parametrize("offset", [10**6, 2**63 - 1, 2**63, 2**64, 10**20 - 1])
def test_an_offset_beyond_the_end_of_its_file_is_refused_by_every_reader(
    feats: Path, offset: int, command_env: dict[str, str]
) -> None:
    name, size = f"{feats}/a.ark:{offset}", (feats / "a.ark").stat().st_size
    (feats / "b.scp").write_text(f"utt0 {feats}/a.ark:5\nutt1 {name}\n")  # the second in the file that is open already
    readers: dict[str, Callable[[], object]] = {
        "a file": lambda: read_object(name, FLOAT_MATRIX),
        "a part": lambda: read_object(f"{name}[0:0]", FLOAT_MATRIX),
        "a script": lambda: list(sequential(f"scp:{feats}/b.scp", FLOAT_MATRIX)),
        "some rows": lambda: read_matrix_rows(name, 0, 1),
        "a shape": lambda: matrix_shape(name),
        "a wave": lambda: read_object(name, WAVE),
    }
    for read in readers.values():
        with pytest.raises(KaldiError, match=f"byte {offset}: the file has only {size} bytes"):
            read()
    done = subprocess.run(
        ["copy-feats", f"scp:{feats}/b.scp", "ark:-"], env=command_env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "fault of copy-feats" not in done.stderr
    assert f"key utt1: {name}: byte {offset}: the file has only {size} bytes" in done.stderr


@pytest.mark.parametrize(
    ("holder", "value", "text"),
    [
        (INT32, 7, "k 7 \n"),
        (FLOAT, 1.25, "k 1.25 \n"),
        (BOOL, True, "k T \n"),
        (TOKEN, "spk1", "k spk1\n"),
        (TOKEN_VECTOR, ["u1", "u2"], "k u1 u2 \n"),
        (TOKEN_VECTOR, [], "k \n"),
        (INT32_VECTOR, [1, -2], "k 1 -2 \n"),
    ],
)
def test_small_objects_have_kaldis_text_and_survive_both_forms(
    tmp_path: Path, holder: Holder, value: object, text: str
) -> None:
    for form in ("ark,t", "ark"):
        with writer(f"{form}:{tmp_path}/x", holder) as out:
            out.write("k", value)
            out.write("l", value)
        with sequential(f"ark:{tmp_path}/x", holder) as table:
            assert list(table) == [("k", value), ("l", value)]
        if form == "ark,t":
            assert (tmp_path / "x").read_text() == text + text.replace("k ", "l ", 1)


def test_ranges_in_a_script_cut_rows_and_columns(feats: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_object(f"{feats}/a.ark:5[1:1,0:1]", FLOAT_MATRIX).shape == (1, 2)
    with caplog.at_level(logging.WARNING, "minikaldi"):
        assert read_object(f"{feats}/a.ark:5[0:4]", FLOAT_MATRIX).shape == (2, 3)  # up to 3 rows too many are forgiven
    assert "cut" in caplog.text
    with pytest.raises(KaldiError, match=r"a\.ark:5\[0:5\].*outside"):
        read_object(f"{feats}/a.ark:5[0:5]", FLOAT_MATRIX)
    with pytest.raises(KaldiError, match="column"):
        read_object(f"{feats}/a.ark:5[:,0:3]", FLOAT_MATRIX)


def test_missing_file_stops_a_script_and_is_passed_over_with_p(feats: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = (feats / "a.scp").read_text().splitlines(keepends=True)
    (feats / "b.scp").write_text(f"gone {feats}/gone.ark:3\n" + lines[0])
    with (
        pytest.raises(KaldiError, match=r"key gone: .*gone\.ark: cannot open"),
        sequential(f"scp:{feats}/b.scp", FLOAT_MATRIX) as table,
    ):
        list(table)
    with caplog.at_level(logging.WARNING, "minikaldi"), sequential(f"scp,p:{feats}/b.scp", FLOAT_MATRIX) as table:
        assert [key for key, _ in table] == ["utt0"]
    assert "gone.ark" in caplog.text


def test_truncated_archive_names_file_and_key(feats: Path) -> None:
    data = (feats / "a.ark").read_bytes()
    (feats / "cut.ark").write_bytes(data[:-4])
    with (
        pytest.raises(KaldiError, match=r"cut\.ark: key utt3: .*truncated"),
        sequential(f"ark:{feats}/cut.ark", FLOAT_MATRIX) as table,
    ):
        list(table)
    (feats / "key.ark").write_bytes(data + b"utt")
    with (
        pytest.raises(KaldiError, match=r"key\.ark: byte 248: the archive ends after 'utt'"),
        sequential(f"ark:{feats}/key.ark", FLOAT_MATRIX) as table,
    ):
        list(table)


def test_lines_of_a_script_are_numbered_in_errors(tmp_path: Path) -> None:
    (tmp_path / "x.scp").write_text("a b\nlonely\n")
    with pytest.raises(KaldiError, match=r"x\.scp:2: found 'lonely'"):
        random_access(f"scp:{tmp_path}/x.scp", FLOAT_MATRIX)


@pytest.mark.parametrize("form", ["ark", "scp", "ark,s", "ark,s,cs", "ark,o,s,cs"])
def test_random_access_finds_keys_and_knows_absent_ones(feats: Path, form: str) -> None:
    name = f"{form}:{feats}/a.{form[:3]}"
    with random_access(name, FLOAT_MATRIX) as table:
        assert "utt" not in table
        assert "utt1" in table and table["utt1"][0, 0] == 1
        assert "utt10" not in table
        assert table["utt3"][0, 0] == 3
        with pytest.raises(KaldiError, match="utt4 is not there"):
            table["utt4"]


def test_random_access_of_an_unsorted_archive_keeps_what_it_passed(feats: Path) -> None:
    with random_access(f"ark:{feats}/a.ark", FLOAT_MATRIX) as table:
        assert [int(table[key][0, 0]) for key in ("utt3", "utt0", "utt2", "utt0")] == [3, 0, 2, 0]


def test_sorted_archive_is_not_read_past_the_key(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a 1\nc 2\nbroken\n")
    with random_access(f"ark,s,cs:{tmp_path}/x", INT32) as table:
        assert "a" in table and "b" not in table and table["c"] == 2


def test_promise_of_order_is_checked(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("b 1\na 2\n")
    with random_access(f"ark,s:{tmp_path}/x", INT32) as table, pytest.raises(KaldiError, match="a comes after b"):
        assert "c" not in table
    (tmp_path / "x.scp").write_text("b nowhere\na nowhere\n")
    with pytest.raises(KaldiError, match=r"x\.scp: the key a comes after b"):
        random_access(f"scp,s,cs:{tmp_path}/x.scp", INT32)


def test_a_key_asked_for_out_of_the_promised_order_is_refused_not_absent(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a 1\nb 2\n")
    with random_access(f"ark,s,cs:{tmp_path}/x", INT32) as table:
        assert table["b"] == 2 and table["b"] == 2
        with pytest.raises(KaldiError, match="a is asked for after b, but the option cs"):
            assert "a" in table


def test_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a 1\na 2\n")
    with random_access(f"ark:{tmp_path}/x", INT32) as table, pytest.raises(KaldiError, match="a is there twice"):
        assert "b" not in table
    with pytest.raises(KaldiError, match="a is there twice"):
        random_access(f"scp:{tmp_path}/x", INT32)


def test_permissive_random_access_counts_unreadable_as_absent(tmp_path: Path) -> None:
    (tmp_path / "x.scp").write_text("a nowhere\n")
    with random_access(f"scp,p:{tmp_path}/x.scp", FLOAT_VECTOR) as table:
        assert "a" not in table
    with random_access(f"scp:{tmp_path}/x.scp", FLOAT_VECTOR) as table, pytest.raises(KaldiError, match="nowhere"):
        table["a"]


def test_script_may_say_where_each_object_goes(tmp_path: Path) -> None:
    (tmp_path / "to.scp").write_text(f"a {tmp_path}/a.vec\n")
    with writer(f"scp:{tmp_path}/to.scp", FLOAT_VECTOR) as out:
        out.write("a", np.ones(2))
        with pytest.raises(KaldiError, match="key b is not there"):
            out.write("b", np.ones(2))
    assert list(read_object(f"{tmp_path}/a.vec", FLOAT_VECTOR)) == [1, 1]
    with writer(f"scp,p:{tmp_path}/to.scp", FLOAT_VECTOR) as out:
        out.write("b", np.ones(2))


def test_key_must_be_one_word(tmp_path: Path) -> None:
    with writer(f"ark:{tmp_path}/x", INT32) as out:
        for key in ("", "a b", "a\n"):
            with pytest.raises(KaldiError, match="not one word"):
                out.write(key, 1)


def test_script_with_offsets_into_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KaldiError, match="not a file"):
        writer(f"ark,scp:-,{tmp_path}/x", INT32)


def test_full_disk_names_the_file() -> None:
    with (
        pytest.raises(KaldiError, match="/dev/full: cannot write: No space left"),
        writer("ark:/dev/full", FLOAT_VECTOR) as out,
    ):
        out.write("a", np.ones(3))


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KaldiError, match="no/x: cannot open to write"):
        write_object(f"{tmp_path}/no/x", FLOAT_VECTOR, np.ones(1))
