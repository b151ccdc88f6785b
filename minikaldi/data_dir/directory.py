"""Kaldi data directories: the tables that they may hold, the keys of these, and the writer of new tables.

Without `segments` a recording is an utterance, and the keys of wav.scp are utterance ids.
"""

from __future__ import annotations

import contextlib
import filecmp
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import TracebackType

from common.errors import InputError
from common.text_files import batches, open_text, write_lines
from common.text_lines import fields_of, number_of
from common.whole_files import hidden_folder, signals_held
from minikaldi.data_dir.lines import ascending, byte_order, c_sorted, in_order, key_of
from minikaldi.data_dir.tables import read_pairs, read_values, speaker_lines


@dataclass(frozen=True)
class Kind:
    """The form of the lines of a table.

    Attributes:
        level: what the keys are ids of: "utt", "spk" or "rec".
        min_fields: least number of fields.
        max_fields: largest number of fields; None: any.
        value: what the second field is: "seconds", "frames", "gender", "ids" (several) or "text".
    """

    level: str
    min_fields: int = 2
    max_fields: int | None = None
    value: str = "text"


def _pair(level: str, value: str = "text") -> Kind:
    return Kind(level, 2, 2, value)


KINDS: dict[str, Kind] = {
    "utt2spk": _pair("utt"),
    "spk2utt": Kind("spk", value="ids"),
    "wav.scp": Kind("rec"),
    "segments": Kind("utt", 4, 5),
    "text": Kind("utt", 1),
    "feats.scp": Kind("utt"),
    "vad.scp": Kind("utt"),
    "cmvn.scp": Kind("spk"),
    "utt2num_frames": _pair("utt", "frames"),
    "utt2dur": _pair("utt", "seconds"),
    "reco2dur": _pair("rec", "seconds"),
    "reco2file_and_channel": Kind("rec", 3, 3),
    "spk2gender": _pair("spk", "gender"),
    "utt2rec": _pair("utt"),  # the source recording (session, video) of each utterance; ours
    "utt2uniq": _pair("utt"),
    "utt2lang": _pair("utt"),
    "utt2warp": _pair("utt"),
    "spk2warp": _pair("spk"),
}


def tables_of(directory: Path, extra: Iterable[str] = ()) -> list[str]:
    """The known and the extra tables that a directory has."""
    return [name for name in dict.fromkeys([*KINDS, *extra]) if (directory / name).is_file()]


def require_directory(directory: Path) -> None:
    """Refuse a path that is not a data directory.

    Raises:
        InputError: no directory, or one without utterances.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    if not (directory / "utt2spk").is_file():
        raise InputError(f"{directory}/utt2spk: no such file; a data directory has one, lines `utt_id spk_id`")
    if not (directory / "utt2spk").stat().st_size:
        raise InputError(f"{directory}/utt2spk: is empty; expected lines `utt_id spk_id`")


def read_segments(directory: Path) -> dict[str, tuple[str, list[str]]] | None:
    """utt_id -> (rec_id, [start, end, …] as written); None without a segments file.

    Raises:
        InputError: a line without start and end.
    """
    path = directory / "segments"
    if not path.is_file():
        return None
    segments = {}
    for number, (utt_id, rest) in enumerate(read_values(path).items(), start=1):
        fields = fields_of(rest)
        if len(fields) not in (3, 4):
            raise InputError(f"{path}:{number}: found {len(fields) + 1} fields, expected `utt_id rec_id start end`")
        if not all(isfinite(number_of(time)) for time in fields[1:3]):
            raise InputError(f'{path}:{number}: found "{utt_id} {rest}", expected `utt_id rec_id start end`, seconds')
        segments[utt_id] = (fields[0], fields[1:])
    return segments


def read_utt2spk(directory: Path) -> dict[str, str]:
    """utt_id -> spk_id.

    Raises:
        InputError: no such directory, no utterances, or an invalid line.
    """
    require_directory(directory)
    return read_pairs(directory / "utt2spk", share_values=True)


def by_utterance(utt2spk: dict[str, str]) -> dict[str, str]:
    """The same map, sorted by utterance as LC_ALL=C sorts."""
    utts = list(utt2spk)
    return utt2spk if ascending(utts) else {utt_id: utt2spk[utt_id] for utt_id in c_sorted(utts)}


class DirectoryWriter:
    """Writes tables to a hidden folder, and puts all of them in place at the end of the `with` block, or none.

    A new directory appears whole. In an existing one, a table that does not change is not replaced, so that its
    modification time stays.

    Args:
        directory: where the tables go.
        backup: whether to keep replaced and removed tables in `directory`/.backup.
    """

    def __init__(self, directory: Path, backup: bool = False) -> None:
        self.directory = directory
        self.backup = backup
        self._existed = directory.is_dir()
        # absolute, since `.` and `..` have no usable name
        self._beside, self._name = (directory, "") if self._existed else (directory.absolute().parent, directory.name)
        self._open = contextlib.ExitStack()
        self._building = self._beside  # the hidden folder, once a table is written
        self._written: list[str] = []
        self._removed: list[str] = []

    def __enter__(self) -> DirectoryWriter:
        return self  # the first table makes the hidden folder: a signal that arrives here would not remove it

    def write(self, name: str, lines: Iterable[str], are_sorted: bool = False) -> None:
        """Write a table, sorted by key.

        Args:
            name: the table.
            lines: its lines.
            are_sorted: whether the caller has sorted them.
        """
        if not self._written:
            self._building = self._open.enter_context(hidden_folder(self._beside, self._name))
        path = self._building / name
        self._written.append(name)
        sorted_so_far, last = True, ""
        with open_text(path, "w") as stream:
            for batch in batches(lines):
                sorted_so_far = sorted_so_far and (are_sorted or in_order([last, *batch]))
                last = batch[-1]
                write_lines(stream, batch)
        if not sorted_so_far:
            with open_text(path) as stream:
                ordered = sorted(stream, key=lambda line: byte_order(key_of(line)))
            with open_text(path, "w") as stream:
                stream.writelines(ordered)

    def write_speakers(self, utt2spk: dict[str, str], spk2utt_end: str = "") -> None:
        """Write utt2spk and spk2utt; `spk2utt_end` is added to each line of spk2utt."""
        ordered = by_utterance(utt2spk)
        self.write("utt2spk", map(" ".join, ordered.items()), are_sorted=True)
        self.write("spk2utt", (line + spk2utt_end for line in speaker_lines(ordered.items())))

    def remove(self, name: str) -> None:
        """Remove a table that is no longer valid."""
        self._removed.append(name)

    def remove_others(self) -> None:
        """Remove all known tables that are not written here: they belong to an earlier state of the directory."""
        self._removed += [name for name in tables_of(self.directory) if name not in self._written]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with signals_held():
                    self._put_in_place()
        finally:
            self._open.close()

    def _put_in_place(self) -> None:
        if not self.directory.exists():
            self._building.rename(self.directory)
            return
        changed = [name for name in self._written if not _same(self._building / name, self.directory / name)]
        gone = [name for name in self._removed if (self.directory / name).exists()]
        if self.backup and (changed or gone):
            (self.directory / ".backup").mkdir(exist_ok=True)
            for name in (*changed, *gone):
                if (self.directory / name).exists():
                    shutil.copy2(self.directory / name, self.directory / ".backup" / name)
        for name in changed:
            (self._building / name).replace(self.directory / name)
        for name in gone:
            (self.directory / name).unlink()


def _same(new: Path, old: Path) -> bool:
    return old.is_file() and not old.is_symlink() and filecmp.cmp(new, old, shallow=False)
