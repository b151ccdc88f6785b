"""Archives that were made to fill the memory, or to deceive: refused before torch reads them."""

from __future__ import annotations

import io
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tests.nnet.helpers.published_files as files
from nnet.import_checkpoint import main
from nnet.published.archive import PICKLE_BYTES, asked_for

LSTM = files.wq_lstm(width=8)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def refusal(path: Path, caplog: pytest.LogCaptureFixture) -> str:
    """The message with which a file is refused; nothing is written."""
    exp = path.parent / "exp"
    assert main([str(path), str(exp)]) == 1
    assert not exp.exists()
    return caplog.records[-1].getMessage()


def rewritten(path: Path, change: Callable[[zipfile.ZipFile, str, bytes], None]) -> Path:
    """The file's archive written again, each record by `change`."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            change(after, name, before.read(name))
    return path


def deflate(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(name, content, zipfile.ZIP_DEFLATED if name.endswith("/data/0") else zipfile.ZIP_STORED)


def repeat(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Every record is listed 5 times, though it is there once."""
    archive.writestr(name, content)
    archive.filelist += 4 * archive.filelist[-1:]


def test_an_archive_with_a_compressed_record_is_refused_before_torch_reads_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rewritten(saved(tmp_path / "small.pt", {"a": torch.zeros(10**6)}), deflate)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    assert f"{path}: its record small/data/0 is compressed" in refusal(path, caplog)


def test_an_archive_that_lists_more_than_it_holds_is_refused_before_torch_reads_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rewritten(saved(tmp_path / "lists.pt", {"a": torch.zeros(10**4)}), repeat)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    assert "its records claim 20" in refusal(path, caplog)
    assert "bytes, more than the file" in caplog.text


def test_an_archive_with_a_name_twice_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def twice(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile's own
            for _ in range(2 if name.endswith("/version") else 1):
                archive.writestr(name, content)

    path = rewritten(saved(tmp_path / "twice.pt", LSTM), twice)
    assert f"{path}: has the record twice/version twice" in refusal(path, caplog)


def test_an_archive_that_another_program_stored_is_read(tmp_path: Path) -> None:
    path = rewritten(saved(tmp_path / "lstm.pt", LSTM), lambda archive, name, content: archive.writestr(name, content))
    assert main([str(path), str(tmp_path / "exp")]) == 0


def test_the_pickles_of_an_archive_are_held_one_at_a_time() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(6):
            archive.writestr(f"a/{number}.pkl", bytes(PICKLE_BYTES))
    content = buffer.getvalue()
    tracemalloc.start()
    try:
        assert asked_for(content) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * PICKLE_BYTES  # a record as it is put together, its copy and the one before it; six would be more
