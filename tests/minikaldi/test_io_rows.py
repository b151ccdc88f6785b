"""Single rows of matrices: equal to rows of the whole, in every format."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.io import (
    DOUBLE_MATRIX,
    FLOAT_MATRIX,
    MatrixHolder,
    compressed_matrix,
    matrix_shape,
    read_matrix_rows,
    read_object,
    writer,
)

MATRIX = np.random.default_rng(7).normal(size=(50, 4)).astype(np.float32)
HOLDERS = {"float": FLOAT_MATRIX, "double": DOUBLE_MATRIX, **{f"cm{m}": compressed_matrix(m) for m in range(1, 8)}}


def script_of(folder: Path, holder: MatrixHolder, form: str = "ark") -> list[str]:
    with writer(f"{form},scp:{folder}/x.ark,{folder}/x.scp", holder) as out:
        for key in ("a", "b"):
            out.write(key, MATRIX)
    return [line.split()[1] for line in (folder / "x.scp").read_text().splitlines()]


@pytest.mark.parametrize("name", HOLDERS)
def test_rows_equal_rows_of_the_whole_matrix(tmp_path: Path, name: str) -> None:
    for place in script_of(tmp_path, HOLDERS[name]):
        whole = read_object(place, FLOAT_MATRIX)
        assert matrix_shape(place) == (50, 4)
        for start, stop in ((0, 50), (10, 30), (49, 50), (7, 7)):
            rows = read_matrix_rows(place, start, stop)
            assert rows.dtype == np.float32 and np.array_equal(rows, whole[start:stop])


def test_text_ranges_and_pipes_work_too(tmp_path: Path) -> None:
    place = script_of(tmp_path, FLOAT_MATRIX, "ark,t")[1]
    np.testing.assert_allclose(read_matrix_rows(place, 3, 5), MATRIX[3:5], rtol=1e-6)  # seven digits
    assert matrix_shape(place) == (50, 4)
    place = script_of(tmp_path, FLOAT_MATRIX)[1]
    assert np.array_equal(read_matrix_rows(f"{place}[10:19,1:2]", 0, 2), MATRIX[10:12, 1:3])
    assert matrix_shape(f"{place}[10:19,1:2]") == (10, 2)
    command = f"tail -c +{int(place.split(':')[1]) + 1} {tmp_path}/x.ark |"
    assert np.array_equal(read_matrix_rows(command, 0, 2), MATRIX[:2])


def test_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    place = script_of(tmp_path, FLOAT_MATRIX)[0]
    for start, stop in ((-1, 2), (0, 51), (5, 3)):
        with pytest.raises(KaldiError, match=rf"rows {start} to {stop} .* there are 50"):
            read_matrix_rows(place, start, stop)
    with pytest.raises(KaldiError, match="cannot open"):
        read_matrix_rows(f"{tmp_path}/none:1", 0, 1)
    with pytest.raises(KaldiError, match="cannot open"):
        matrix_shape(f"{tmp_path}/none:1")


def test_replaced_archive_is_read_again(tmp_path: Path) -> None:
    place = script_of(tmp_path, FLOAT_MATRIX)[0]
    read_matrix_rows(place, 0, 1)
    with writer(f"ark:{tmp_path}/new", FLOAT_MATRIX) as out:
        out.write("a", MATRIX + 1)
    (tmp_path / "new").replace(tmp_path / "x.ark")
    assert np.array_equal(read_matrix_rows(place, 0, 1), MATRIX[:1] + 1)


def test_forked_processes_do_not_share_a_position(tmp_path: Path) -> None:
    places = script_of(tmp_path, FLOAT_MATRIX)
    read_matrix_rows(places[0], 0, 1)
    child = os.fork()
    if child == 0:
        good = all(np.array_equal(read_matrix_rows(places[1], i, i + 5), MATRIX[i : i + 5]) for i in range(40))
        os._exit(0 if good else 1)
    assert all(np.array_equal(read_matrix_rows(places[0], i, i + 5), MATRIX[i : i + 5]) for i in range(40))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_thread_that_ends_leaves_no_file_open(tmp_path: Path) -> None:
    place = script_of(tmp_path, FLOAT_MATRIX)[0]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        thread = threading.Thread(target=read_matrix_rows, args=(place, 0, 3))
        thread.start()
        thread.join()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_named_pipe_is_read_whole(tmp_path: Path) -> None:
    """A file in which nothing can seek."""
    data = Path(script_of(tmp_path, FLOAT_MATRIX)[0].rpartition(":")[0]).read_bytes()
    os.mkfifo(tmp_path / "fifo")
    for read in (lambda name: read_matrix_rows(name, 3, 5), lambda name: read_object(f"{name}[3:4]", FLOAT_MATRIX)):
        thread = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(data[2:],))
        thread.start()
        assert np.array_equal(read(f"{tmp_path}/fifo"), MATRIX[3:5])
        thread.join()


READING = """
import os, sys
from common.errors import KaldiError
from minikaldi.io import read_matrix_rows
places = sys.argv[2:]
def read(names):
    for name in names:
        assert read_matrix_rows(name, 3, 5).shape == (2, 4)
if sys.argv[1] == "some":
    read(places)
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
try:
    read(places)
    read(places[::-1])
    print("read")
except KaldiError as error:
    print(error)
"""


def read_with_few_handles(before: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Archives are read by a process that may have 24 files open, once all handles are taken; `before`: "some" where
    it has archives open by then."""
    places = []
    for number in range(30):
        (folder / str(number)).mkdir()
        places.append(script_of(folder / str(number), FLOAT_MATRIX)[0])
    command = ["bash", "-c", 'ulimit -n 24; exec "$@"', "bash", sys.executable, "-c", READING, before, *places]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_open_archives_are_closed_if_no_more_handles_are_left(tmp_path: Path) -> None:
    done = read_with_few_handles("some", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")


def test_a_process_that_can_open_nothing_names_the_limit(tmp_path: Path) -> None:
    done = read_with_few_handles("none", tmp_path)
    assert "x.ark" in done.stdout and "Too many open files: this process may open 24 (ulimit -n); raise" in done.stdout
    assert done.stderr == ""  # nothing of an object that was made by half
