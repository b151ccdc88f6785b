"""validate_data_dir.sh: whether a data directory is whole. All faults are told, by file and line, with the mend.

Stricter than Kaldi: a line of utt2spk with three fields is a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minikaldi.scripts.cli import Parser, ScriptError, script_name
from minikaldi.scripts.data_dir import KINDS, Kind, require_directory, tables_of
from minikaldi.scripts.tables import SORT_MEND, check_line, open_text

USAGE = "validate_data_dir.sh [--no-feats] [--no-text] [--no-wav] [--no-spk-sort] [--non-print] <data-dir>"
ABOUT = "Check a data directory; exit code 0 where it is whole, else 1 with a line for each fault."
MAX_PER_FILE = 3


def value_fault(value: str, kind: str) -> str | None:
    """What is wrong with the second field of a table; None where it is in order."""
    if kind == "frames" and not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) > 0):
        return f'found "{value}" frames, expected a whole number above zero'
    if kind == "seconds":
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0.0 < seconds < float("inf"):
            return f'found "{value}" seconds, expected a number above zero'
    if kind == "gender" and value not in ("m", "f"):
        return f'found the gender "{value}", expected m or f'
    return None


def segment_fault(fields: Sequence[str]) -> str | None:
    """What is wrong with a line `utt_id rec_id start end` of segments, in seconds; None where it is in order."""
    try:
        start, end = float(fields[2]), float(fields[3])
    except (ValueError, IndexError):
        return f'found "{" ".join(fields)}", expected `utt_id rec_id start end`'
    if start < 0 or (end <= start and end != -1):
        return f"the segment lasts from {start:g} to {end:g} s, expected 0 <= start < end"
    return None


def line_fault(name: str, kind: Kind, fields: Sequence[str]) -> str | None:
    """What is wrong with one line; None where it is in order."""
    if len(fields) < kind.min_fields or (kind.max_fields is not None and len(fields) > kind.max_fields):
        expected = str(kind.min_fields) if kind.min_fields == kind.max_fields else f"at least {kind.min_fields}"
        return f'found {len(fields)} fields in "{" ".join(fields)}", expected {expected}'
    if name == "segments":
        return segment_fault(fields)
    return value_fault(fields[1], kind.value) if kind.value != "text" else None


@dataclass
class Faults:
    """The faults found, a few for each file."""

    messages: list[str] = field(default_factory=list)
    _per_file: dict[str, int] = field(default_factory=dict)

    def add(self, path: Path, line: int | None, text: str) -> None:
        """Note a fault of a file, at a line where there is one."""
        count = self._per_file[str(path)] = self._per_file.get(str(path), 0) + 1
        if count <= MAX_PER_FILE:
            self.messages.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")
        elif count == MAX_PER_FILE + 1:
            self.messages.append(f"{path}: … and more")


@dataclass
class Table:
    """Keys of a table in the file's order, and the second fields where they matter."""

    keys: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def check_table(path: Path, faults: Faults, keep_rest: bool = False) -> Table:
    """Check a table by itself: line ends, number of fields, values, order, duplicates."""
    table, kind, seen_last = Table(), KINDS[path.name], ""
    with open_text(path) as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                line = check_line(str(path), number, raw)
            except ScriptError as error:
                faults.add(path, number, str(error).split(": ", 1)[1])
                continue
            fields = line.split(None) if kind.max_fields or keep_rest else line.split(None, 2)
            if fault := line_fault(path.name, kind, fields):
                faults.add(path, number, fault)
                continue
            key = fields[0]
            if key == seen_last:
                faults.add(path, number, f'"{key}" has a line above already; run utils/fix_data_dir.sh')
                continue
            if key < seen_last:
                faults.add(path, number, f'"{key}" comes after "{seen_last}"; {SORT_MEND}')
            seen_last = key
            table.keys.append(key)
            table.lines.append(number)
            if keep_rest or path.name in ("utt2spk", "segments"):
                table.values.append(" ".join(fields[1:]) if keep_rest else fields[1])
    if not table.keys:
        faults.add(path, None, "has no usable line")
    return table


def compare_keys(path: Path, table: Table, expected: Sequence[str], of: str, faults: Faults) -> None:
    """Note keys that are missing from a table, or foreign to it."""
    if table.keys == expected:
        return
    wanted, found = set(expected), set(table.keys)
    for key, line in zip(table.keys, table.lines, strict=True):
        if key not in wanted:
            faults.add(path, line, f'"{key}" is not in {of}; run utils/fix_data_dir.sh')
    for key in expected:
        if key not in found:
            faults.add(path, None, f'has no line for "{key}" of {of}; run utils/fix_data_dir.sh')


def check_speaker_order(path: Path, utt2spk: Table, faults: Faults) -> None:
    """Sorted by utterance, the lines must be sorted by speaker too: Kaldi reads speakers in one pass."""
    last = ""
    for utt_id, spk_id, line in zip(utt2spk.keys, utt2spk.values, utt2spk.lines, strict=True):
        if spk_id < last:
            faults.add(
                path,
                line,
                f'"{utt_id}" belongs to "{spk_id}", which sorts before "{last}" of the line above: sorted by '
                "utterance, the speakers must be sorted as well; make each speaker id the prefix of its utterance ids, "
                "<spk>-<utt>, or allow it with --no-spk-sort",
            )
            return
        last = spk_id


def check_spk2utt(path: Path, utt2spk: Table, faults: Faults) -> None:
    """spk2utt must say what utt2spk says."""
    mend = "make it anew: utils/utt2spk_to_spk2utt.pl utt2spk > spk2utt"
    if not path.is_file():
        faults.add(path, None, f"no such file; {mend}")
        return
    speakers: dict[str, list[str]] = {}
    for utt_id, spk_id in zip(utt2spk.keys, utt2spk.values, strict=True):
        speakers.setdefault(spk_id, []).append(utt_id)
    table = check_table(path, faults, keep_rest=True)
    for spk_id, utt_ids, line in zip(table.keys, table.values, table.lines, strict=True):
        if spk_id not in speakers:
            faults.add(path, line, f'"{spk_id}" is not in utt2spk; {mend}')
        elif utt_ids != " ".join(speakers[spk_id]):
            faults.add(path, line, f'the utterances of "{spk_id}" are not those of utt2spk; {mend}')
    for spk_id in sorted(speakers.keys() - set(table.keys)):
        faults.add(path, None, f'has no line for "{spk_id}" of utt2spk; {mend}')


def validate(directory: Path, needed: Sequence[str] = (), speaker_order: bool = True) -> list[str]:
    """The faults of a data directory, which must have the `needed` tables; none where it is whole."""
    require_directory(directory)
    faults = Faults()
    for name in needed:
        if not (directory / name).is_file():
            option = {"feats.scp": "--no-feats", "text": "--no-text", "wav.scp": "--no-wav"}[name]
            faults.add(directory / name, None, f"no such file; if this is by design, say {option}")
    utt2spk = check_table(directory / "utt2spk", faults)
    check_spk2utt(directory / "spk2utt", utt2spk, faults)
    if speaker_order:
        check_speaker_order(directory / "utt2spk", utt2spk, faults)
    tables = {name: check_table(directory / name, faults) for name in tables_of(directory) if name not in _DONE}
    recordings = sorted(set(tables["segments"].values)) if "segments" in tables else utt2spk.keys
    where = "segments" if "segments" in tables else "utt2spk"
    expected = {
        "utt": (utt2spk.keys, "utt2spk"),
        "spk": (sorted(set(utt2spk.values)), "utt2spk"),
        "rec": (recordings, where),
    }
    for name, table in tables.items():
        compare_keys(directory / name, table, *expected[KINDS[name].level], faults)
    return faults.messages


_DONE = ("utt2spk", "spk2utt")


def main(argv: Sequence[str]) -> int:
    """Command line of utils/validate_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("data")
    parser.add_argument("--no-feats", action="store_true", help="feats.scp may be absent")
    parser.add_argument("--no-text", action="store_true", help="text may be absent")
    parser.add_argument("--no-wav", action="store_true", help="wav.scp may be absent")
    parser.add_argument("--no-spk-sort", action="store_true", help="speakers need not be sorted where utterances are")
    parser.add_argument("--non-print", action="store_true", help="text may hold characters that cannot be printed")
    options = parser.parse(argv)
    absent = {"feats.scp": options.no_feats, "text": options.no_text, "wav.scp": options.no_wav}
    needed = [name for name, allowed in absent.items() if not allowed]
    faults = validate(Path(options.data), needed, not options.no_spk_sort)
    for fault in faults:
        print(f"{script_name()}: {fault}", file=sys.stderr)
    if not faults:
        print(f"{script_name()}: Successfully validated data-directory {options.data}")
    return 1 if faults else 0
