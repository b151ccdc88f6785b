"""Listing trees as people have them: each entry is a file, or is passed over with a reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from common.errors import InputError
from local import walk
from local.walk import Listing, list_files


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def paths_of(listing: Listing) -> list[str]:
    return [found.path for found in listing.files]


def reasons(listing: Listing) -> dict[str, str]:
    return {passed.path: passed.reason for passed in listing.passed}


def test_files_come_sorted_with_their_sizes(tmp_path: Path) -> None:
    listing = list_files(fill(tmp_path, "b/y.wav", "a/z.wav", "a/deep/er/x.WAV", "top.txt"))
    assert paths_of(listing) == ["a/deep/er/x.WAV", "a/z.wav", "b/y.wav", "top.txt"]
    assert [found.size for found in listing.files] == [15, 7, 7, 7]
    assert listing.tops == ["a", "b"] and not listing.passed


def test_hidden_files_and_the_folders_of_file_servers_are_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, "a/._x.wav", "a/.git/x.wav", "a/@eaDir/x.wav/y.wav", "__MACOSX/a/x.wav", "a/x.wav", ".DS_Store")
    listing = list_files(tmp_path)
    assert paths_of(listing) == ["a/x.wav"] and listing.tops == ["a"]
    assert set(reasons(listing)) == {"a/._x.wav", "a/.git", "a/@eaDir", "__MACOSX", ".DS_Store"}
    assert not any(passed.is_fault for passed in listing.passed)


def test_broken_links_and_loops_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "a/x.wav", "b/y.wav")
    (tmp_path / "a/gone.wav").symlink_to("/nowhere/z.wav")
    (tmp_path / "a/self.wav").symlink_to("self.wav")
    (tmp_path / "c").symlink_to("/nowhere/speaker")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/above").symlink_to(tmp_path.parent)
    (tmp_path / "b/into").symlink_to(tmp_path / "b")
    listing = list_files(tmp_path)
    assert paths_of(listing) == ["a/x.wav", "b/y.wav"]
    assert reasons(listing) == {
        "a/gone.wav": "broken link to /nowhere/z.wav",
        "a/self.wav": "a link that leads in a circle",
        "a/up": "a link to a folder that is there already, .",
        "a/above": "a link to a folder that holds this one",
        "b/into": "a link to a folder that is there already, b",
        "c": "broken link to /nowhere/speaker",
    }
    assert {passed.path for passed in listing.passed if passed.is_fault} == {"a/gone.wav", "a/self.wav", "c"}


def test_what_links_lead_to_is_listed_once_under_its_own_name(tmp_path: Path) -> None:
    pool = fill(tmp_path / "pool", "p/1.wav", "q/deep/2.wav", "3.wav")
    root = fill(tmp_path / "root", "b/x.wav", "b/sub/y.wav")
    (root / "a").symlink_to("b")  # sorts first, and is the second name all the same
    (root / "c").symlink_to(pool / "p")
    (root / "d").symlink_to(pool / "q" / "deep")  # reached by e too, which is the longer way
    (root / "e").symlink_to(pool / "q")
    (root / "f").mkdir()
    (root / "f/3.wav").symlink_to(pool / "3.wav")
    (root / "f/4.wav").symlink_to(pool / "3.wav")
    (root / "f/5.wav").symlink_to(root / "b/x.wav")
    listing = list_files(root)
    assert paths_of(listing) == ["b/sub/y.wav", "b/x.wav", "c/1.wav", "d/2.wav", "f/3.wav"]
    assert reasons(listing) == {
        "a": "a link to a folder that is there already, b",
        "e/deep": "a link to a folder that is there already, d",
        "f/4.wav": "a link to a file that is there already, f/3.wav",
        "f/5.wav": "a link to a file that is there already, b/x.wav",
    }
    assert {passed.path: passed.another for passed in listing.passed if passed.another} == {
        "f/4.wav": "f/3.wav",
        "f/5.wav": "b/x.wav",
    }
    assert listing.tops == ["a", "b", "c", "d", "e", "f"]


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, "a/x.wav")
    os.link(tmp_path / "a/x.wav", tmp_path / "a/y.wav")
    assert paths_of(list_files(tmp_path)) == ["a/x.wav", "a/y.wav"]


def test_names_that_no_table_can_hold_and_other_things_than_files_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/x.wav", "a/new\nline.wav")
    (tmp_path / os.fsdecode(b"b\xff")).mkdir()
    (tmp_path / os.fsdecode(b"b\xff") / "y.wav").touch()
    os.mkfifo(tmp_path / "a/pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        server.bind("sock.wav")
    listing = list_files(tmp_path)
    assert paths_of(listing) == ["a/x.wav"]
    found = reasons(listing)
    assert found["a/pipe.wav"] == found["sock.wav"] == "neither a file nor a folder"
    assert "control character; rename it" in found["a/new\nline.wav"]
    assert "not UTF-8; rename it" in found["b\udcff/y.wav"]


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/x.wav", "b/y.wav", "b/locked/z.wav")
    scandir = os.scandir

    def refuse(path: str):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(walk.os, "scandir", refuse)
    listing = list_files(tmp_path)
    assert paths_of(listing) == ["a/x.wav", "b/y.wav"]
    assert reasons(listing) == {"b/locked": "cannot be listed: Permission denied"} and listing.passed[0].is_fault
    monkeypatch.setattr(walk.os, "scandir", lambda path: refuse("locked"))
    with pytest.raises(InputError, match="cannot be listed: Permission denied"):
        list_files(tmp_path)


def test_each_folder_is_listed_and_each_file_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *(f"s{speaker}/v{video}/{n}.wav" for speaker in range(3) for video in range(2) for n in range(4)))
    listed: list[str] = []
    scandir, stat = os.scandir, os.stat

    def count(path: str):
        listed.append(str(path))
        return scandir(path)

    asked: list[object] = []
    monkeypatch.setattr(walk.os, "scandir", count)
    monkeypatch.setattr(walk.os, "stat", lambda path, **more: (asked.append(path), stat(path, **more))[1])
    assert len(list_files(tmp_path).files) == 24
    assert len(listed) == len(set(listed)) == 1 + 3 + 6
    assert all(str(path) in str(tmp_path) for path in asked)  # only the folders above, for links that lead there
