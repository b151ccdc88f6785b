"""What is recorded of a file to see later whether it has changed, and how the two are compared.

Below 1 MB: the hash of the content. A larger file: size, modification and change time, inode, and a hash: of all of it
up to 16 MB, else of 16 blocks spread over it, the first and the last among them. Another size or modification time is a
change. With these equal, and change time and inode too, it is the same file and is not read. Otherwise (written with
its time put back, copied with its times, another owner) the hash decides, so that a copy costs no run of a stage.

A .scp table also stands for the archives that it names, each taken as a large file: made again, they may have the
same names. A directory is its regular files, not its folders, without hidden files and logs. A path `root/**` is the
whole tree below root: names, sizes and modification times alone, as corpora have millions of files.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

SMALL_BYTES = 1 << 20
HASHED_BYTES = 1 << 24
BLOCKS, BLOCK_BYTES = 16, 1 << 16
TREE = "**"
GONE = "not there"
ARCHIVE_ENTRY = re.compile(rb"^\S+\s+(\S.*):\d+(?:\[[^]]*\])?\s*$", re.MULTILINE)
LARGE = re.compile(r"size:(\d+) mtime_ns:(-?\d+)(?: ctime_ns:(-?\d+) inode:(\d+) (\S+))?")

File = str | dict[str, object]  # of a table with archives: {"table": of itself, "archives": {path: of each}}
Fingerprint = File | dict[str, File]


def path_fingerprint(path: Path) -> Fingerprint | None:
    """Of a file, a tree, or a directory (name -> file's); None if there is nothing."""
    if path.name == TREE:
        return tree_fingerprint(path.parent) if path.parent.is_dir() else None
    if path.is_dir():
        return {name: _of_file(path / name) for name in _names(path)}
    return _of_file(path) if path.is_file() else None


def difference(path: Path, before: object) -> str | None:
    """Compare what is there now with a fingerprint: the path that differs, in words; None if none does."""
    if path.name == TREE or not path.is_dir():
        now = tree_fingerprint(path.parent) if path.name == TREE else None
        return _file_difference(path, before) if now is None else None if now == before else f"{path} changed"
    if not isinstance(before, Mapping):
        return f"{path} changed"
    names = set(_names(path))
    for name in sorted(names | before.keys()):
        if name not in names or name not in before:
            return f"{path}/{name} changed"
        differs = _file_difference(path / name, before[name])
        if differs:
            return differs
    return None


def _names(folder: Path) -> list[str]:
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    return sorted(entry.name for entry in entries if not entry.name.endswith(".log") and entry.is_file())


def _of_file(path: Path) -> File:
    table = _of_content(path)
    archives = archives_of(path) if path.suffix == ".scp" else []
    return {"table": table, "archives": {name: _of_large(Path(name)) for name in archives}} if archives else table


def _of_content(path: Path) -> str:
    if path.stat().st_size >= SMALL_BYTES:
        return _of_large(path)
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def _of_large(path: Path) -> str:
    try:
        stat = path.stat()
        identity = f"size:{stat.st_size} mtime_ns:{stat.st_mtime_ns} ctime_ns:{stat.st_ctime_ns} inode:{stat.st_ino}"
        return f"{identity} {_content_hash(path, identity)}"
    except OSError:
        return GONE  # whoever reads it will say so


@functools.cache
def _content_hash(path: Path, identity: str) -> str:
    """Of all of it or of its blocks. identity: so that a file that several tables name is read once."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= HASHED_BYTES:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
            return f"blake2b:{digest.hexdigest()}"
        for number in range(BLOCKS):
            stream.seek(number * (size - BLOCK_BYTES) // (BLOCKS - 1))
            digest.update(stream.read(BLOCK_BYTES))
    return f"blocks:{digest.hexdigest()}"


def _file_difference(path: Path, before: object) -> str | None:
    if not isinstance(before, Mapping):
        same = _is_same(path, before) or _is_same_as_earlier(path, before)
        return None if same else f"{path} changed"
    table, archives = before.get("table"), before.get("archives")
    if path.suffix != ".scp" or not isinstance(archives, Mapping) or not _is_same(path, table):
        return f"{path} changed"
    for name, archive in archives.items():
        if not _is_same_large(Path(name), archive):
            there = os.path.exists(name)  # noqa: PTH110 - Path.exists raises for a name that is too long
            return f"{path} names {name}, which {'changed' if there else 'is not there'}"
    return None


def _is_same(path: Path, before: object) -> bool:
    if isinstance(before, str) and before.startswith("sha256:"):
        return path.stat().st_size < SMALL_BYTES and _of_content(path) == before
    return _is_same_large(path, before)


def _is_same_large(path: Path, before: object) -> bool:
    match = LARGE.fullmatch(before) if isinstance(before, str) else None
    try:
        stat = path.stat()
    except (OSError, ValueError):  # ValueError: no name that a file can have
        return before == GONE
    if match is None or match.group(1, 2) != (str(stat.st_size), str(stat.st_mtime_ns)):
        return False
    change_time, inode, content = match.group(3, 4, 5)
    if content is None or (change_time, inode) == (str(stat.st_ctime_ns), str(stat.st_ino)):
        return True  # content is None: a marker of an earlier version, which kept no more
    return _of_large(path).endswith(f" {content}")


def _is_same_as_earlier(path: Path, before: object) -> bool:
    """Whether a small table is as an earlier version has it: one hash of content and of archives' sizes and times."""
    if path.suffix != ".scp" or path.stat().st_size >= SMALL_BYTES:
        return False
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    for archive in sorted(set(ARCHIVE_ENTRY.findall(content))):
        digest.update(_size_and_time(Path(os.fsdecode(archive))))
    return before == "sha256:" + digest.hexdigest()


def archives_of(table: Path) -> list[str]:
    """The files that a table's entries with an offset name, each once, sorted."""
    found: set[bytes] = set()
    with table.open("rb") as stream:
        while lines := stream.readlines(HASHED_BYTES):
            found.update(ARCHIVE_ENTRY.findall(b"".join(lines)))
    return sorted(os.fsdecode(name) for name in found)


def tree_fingerprint(root: Path) -> str:
    """Of all files below a folder, hidden ones too; links are followed, but not up, and no folder is entered twice."""
    digest = hashlib.sha256()
    seen = {str(folder) for folder in Path(os.path.realpath(root)).parents}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        subfolders[:] = [] if real in seen else sorted(subfolders)
        for name in [] if real in seen else sorted(names):
            path = Path(folder, name)
            digest.update(os.fsencode(path) + b" " + _size_and_time(path))
        seen.add(real)
    return "tree:" + digest.hexdigest()


def _size_and_time(path: Path) -> bytes:
    try:
        stat = path.stat()
    except OSError:
        return b"not there\n"
    return b"%d %d\n" % (stat.st_size, stat.st_mtime_ns)
