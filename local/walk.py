"""The files below a folder: each entry is a file, or has a reason why it is left out.

Links are followed, but no folder is entered twice. Each folder is listed once, and each file has one `stat`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import InputError
from common.progress import with_progress
from local.program import printable
from local.speaker_ids import check_name

# Folders that file servers and archivers add to the user's folders.
_OTHERS_FOLDERS = frozenset(
    ("@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information")
)
_THREADS = 8  # the listing waits for the file server, not for the processor

Id = tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)  # there may be a million
class Found:
    """A file.

    Attributes:
        path: relative to the root, with `/`.
        size: in bytes.
        inode: its number in the file system.
        linked: whether it is a link, or in a linked folder.
    """

    path: str
    size: int
    inode: int
    linked: bool


@dataclass(frozen=True)
class Passed:
    """An entry that is left out.

    Attributes:
        path: relative to the root.
        reason: why it is left out.
        is_fault: whether it is broken, not only of another kind.
        another: the path that is kept of the same file, if there is one.
    """

    path: str
    reason: str
    is_fault: bool
    another: str | None = None


@dataclass
class Listing:
    """What is below a folder.

    Attributes:
        files: sorted by path.
        passed: what is left out, sorted by path.
        tops: names of the folders directly in it, linked ones too.
    """

    files: list[Found] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)


def has_name_of_others(name: str) -> bool:
    """Whether an entry is hidden, or belongs to a file server or archiver."""
    return name.startswith(".") or name in _OTHERS_FOLDERS


def list_files(root: Path, wanted: Callable[[str], bool] = lambda name: True) -> Listing:
    """List a tree.

    Args:
        root: the folder.
        wanted: chooses by name among the folders and files directly in it; the others are ignored.

    Raises:
        InputError: the root is not a folder, or cannot be read.
    """
    listing = Listing()
    try:
        top = _list_folder(str(root), "", False, wanted)
    except OSError as error:
        raise InputError(f"{root}: cannot be listed: {error.strerror}") from error
    seen = _Seen(root)
    _take(top, listing, seen)
    tops, links = top.folders, top.links
    listing.tops = sorted({*tops, *links})
    _walk_all(str(root), sorted(tops), False, listing, seen, links)
    while links:
        entered = [path for path in sorted(links) if _may_enter(path, listing, seen)]
        links = []  # links that are found inside linked folders
        _walk_all(str(root), entered, True, listing, seen, links)
    listing.files.sort(key=lambda found: found.path)
    listing.passed.sort(key=lambda passed: passed.path)
    drop_second_names({root: listing})
    return listing


@dataclass
class _Folder:
    """One listing of one folder, by paths relative to the root."""

    path: str
    files: list[Found] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # to folders
    passed: list[Passed] = field(default_factory=list)


class _Seen:
    """The folders that were entered. Their inodes are read when the first link to a folder is found."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._paths: list[str] = []
        self._known: dict[Id, str] = {}
        self._above = {_id_of(str(folder)) for folder in Path(os.path.realpath(root)).parents}

    def add(self, path: str) -> None:
        """Note that a folder was entered."""
        self._paths.append(path)

    def why_not(self, path: str) -> str | None:
        """Why a linked folder is not entered; None if it is."""
        self._identify()
        folder = _id_of(f"{self._root}/{path}")
        if folder in self._known:
            return f"a link to a folder that is there already, {printable(self._known[folder] or '.')}"
        return "a link to a folder that holds this one" if folder in self._above else None

    def _identify(self) -> None:
        for path in self._paths:
            self._known.setdefault(_id_of(f"{self._root}/{path}"), path)
        self._paths.clear()


def _id_of(path: str) -> Id:
    found = Path(path).stat()
    return found.st_dev, found.st_ino


def _may_enter(path: str, listing: Listing, seen: _Seen) -> bool:
    try:
        reason = seen.why_not(path)
    except OSError as error:
        reason = _trouble(error)
    if reason is None:
        seen.add(path)  # so that a second link to the same folder is not entered
        return True
    listing.passed.append(Passed(path, reason, is_fault=False))
    return False


def _walk_all(
    root: str, tops: Sequence[str], linked: bool, listing: Listing, seen: _Seen, links: list[str]
) -> None:
    """Walk several folders in parallel and add what they have, in order; links to folders are added to `links`."""
    with ThreadPoolExecutor(_THREADS) as threads:
        walked = threads.map(lambda top: list(_walk(root, top, linked)), tops)
        for folders in with_progress(walked, len(tops), f"listing {root}", "folders"):
            left_out: list[str] = []
            for folder in folders:
                if linked and folder.path not in tops and _is_second(folder.path, left_out, listing, seen):
                    continue
                _take(folder, listing, seen)
                links += folder.links


def _is_second(path: str, left_out: list[str], listing: Listing, seen: _Seen) -> bool:
    """Whether a folder below a linked one was entered elsewhere; then those in it were too."""
    if any(path.startswith(f"{other}/") for other in left_out):
        return True
    reason = seen.why_not(path)
    if reason is None:
        return False
    left_out.append(path)
    listing.passed.append(Passed(path, reason, is_fault=False))
    return True


def _take(folder: _Folder, listing: Listing, seen: _Seen) -> None:
    listing.files += folder.files
    listing.passed += folder.passed
    seen.add(folder.path)


def _walk(root: str, top: str, linked: bool) -> Iterator[_Folder]:
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            folder = _list_folder(root, path, linked)
        except OSError as error:
            folder = _Folder(path, passed=[Passed(path, f"cannot be listed: {error.strerror}", is_fault=True)])
        waiting += folder.folders
        yield folder


def _list_folder(root: str, path: str, linked: bool, wanted: Callable[[str], bool] = lambda name: True) -> _Folder:
    """List one folder.

    Raises:
        OSError: it cannot be read.
    """
    folder = _Folder(path)
    with os.scandir(f"{root}/{path}" if path else root) as entries:
        for entry in entries:
            if wanted(entry.name):
                _sort_in(entry, f"{path}/{entry.name}" if path else entry.name, linked, folder)
    folder.folders.sort(reverse=True)
    return folder


def _sort_in(entry: os.DirEntry[str], path: str, linked: bool, folder: _Folder) -> None:
    is_folder, is_link = entry.is_dir(follow_symlinks=False), entry.is_symlink()
    if entry.name.startswith("."):
        folder.passed.append(Passed(path, "hidden folder" if is_folder else "hidden file", is_fault=False))
    elif entry.name in _OTHERS_FOLDERS:
        folder.passed.append(Passed(path, "a folder of the file server or archiver, not entered", is_fault=False))
    elif is_folder:
        folder.folders.append(path)
    else:
        _sort_in_file(entry, path, linked or is_link, folder)


def _sort_in_file(entry: os.DirEntry[str], path: str, linked: bool, folder: _Folder) -> None:
    """A file, or a link to a file or folder."""
    try:
        found = entry.stat()
    except OSError as error:
        is_broken = entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR)
        reason = f"broken link to {printable(str(Path(entry.path).readlink()))}" if is_broken else _trouble(error)
        folder.passed.append(Passed(path, reason, is_fault=True))
        return
    if stat.S_ISDIR(found.st_mode):
        folder.links.append(path)
    elif not stat.S_ISREG(found.st_mode):
        folder.passed.append(Passed(path, "neither a file nor a folder", is_fault=False))
    else:
        try:
            check_name(path, path)
        except InputError as error:
            folder.passed.append(Passed(path, str(error), is_fault=True))
        else:
            folder.files.append(Found(path, found.st_size, found.st_ino, linked))


def _trouble(error: OSError) -> str:
    return "a link that leads in a circle" if error.errno == errno.ELOOP else str(error.strerror)


def drop_second_names(listings: Mapping[Path, Listing]) -> int:
    """Drop the second names of files that links give them; the file's own name is kept, or else the first.

    Args:
        listings: root -> what is below it; changed in place. A link may lead into another root.

    Returns:
        The number of dropped names.
    """
    linked = [(root, found) for root, one in listings.items() for found in one.files if found.linked]
    if not linked:
        return 0
    inodes = {found.inode for _, found in linked}
    names: dict[int, list[tuple[Path, str]]] = {}
    for root, listing in listings.items():
        for found in listing.files:
            if not found.linked and found.inode in inodes:
                names.setdefault(found.inode, []).append((root, found.path))
    dropped: set[tuple[Path, str]] = set()
    for root, found in linked:
        others = names.setdefault(found.inode, [])
        known = next((other for other in others if (other[0] / other[1]).samefile(root / found.path)), None)
        if known is None:
            others.append((root, found.path))
            continue
        dropped.add((root, found.path))
        where = known[1] if known[0] == root else f"{known[0]}/{known[1]}"
        reason = f"a link to a file that is there already, {where}"
        listings[root].passed.append(Passed(found.path, reason, is_fault=False, another=known[1]))
    for root, listing in listings.items():
        listing.files = [found for found in listing.files if not found.linked or (root, found.path) not in dropped]
        listing.passed.sort(key=lambda passed: passed.path)
    return len(dropped)
