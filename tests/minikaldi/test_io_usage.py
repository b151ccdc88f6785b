"""Copying commands: two tables or two files, never one of each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from common.errors import UsageError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, WAVE, Wave, are_tables, write_object

COPIES = ["copy-feats", "copy-int-vector", "copy-matrix", "copy-vector", "wav-copy"]


@pytest.mark.parametrize("command", COPIES)
def test_copy_from_a_file_to_a_table_is_refused_and_makes_no_file(
    command: str, tmp_path: Path, command_env: dict[str, str]
) -> None:
    write_object(f"{tmp_path}/x.mat", FLOAT_MATRIX, np.eye(2))
    for words in (["x.mat", "ark:y"], ["ark:x.mat", "y"]):
        done = subprocess.run(
            [command, *words], cwd=tmp_path, env=command_env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert f"cannot copy from {words[0]!r} to {words[1]!r}" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["x.mat"]


@pytest.mark.parametrize("name", ["ark,x:y", "scp:y ", " ark:y"])
def test_what_looks_like_a_table_and_is_none_is_reported_so(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name!r} is not the name of a table"):
        are_tables(name, "ark:z")


@pytest.mark.parametrize(
    ("command", "holder", "value"),
    [
        ("copy-feats", FLOAT_MATRIX, np.eye(2)),
        ("copy-matrix", FLOAT_MATRIX, np.eye(2)),
        ("copy-vector", FLOAT_VECTOR, np.ones(3)),
        ("wav-copy", WAVE, Wave(8000.0, np.ones((1, 80), dtype=np.float32))),
    ],
)
def test_one_object_is_copied_from_file_to_file(
    command: str, holder: object, value: object, tmp_path: Path, command_env: dict[str, str]
) -> None:
    write_object(f"{tmp_path}/x", holder, value)  # type: ignore[arg-type]
    subprocess.run([command, "x", "y"], cwd=tmp_path, env=command_env, capture_output=True, check=True)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
