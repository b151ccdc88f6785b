"""split_data.sh and split_scp.pl: split a data directory or table for parallel jobs, by speaker or line, in order."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, positive_int
from common.text_files import open_text
from common.whole_files import write_files
from minikaldi.data_dir.directory import (
    KINDS,
    DirectoryWriter,
    read_segments,
    read_utt2spk,
    require_directory,
    tables_of,
)
from minikaldi.data_dir.lines import blocks, keys_of
from minikaldi.data_dir.tables import speakers_of

USAGE = "split_data.sh [--per-utt] <data-dir> <num-parts>"
ABOUT = """Write <data-dir>/split<n>/1 … n, each a data directory with whole speakers; with --per-utt
<data-dir>/split<n>utt, with equally many utterances. Parts that are up to date are not written again."""


def line_parts(count: int, parts: int, what: str) -> list[range]:
    """Index ranges that split `count` lines into parts whose sizes differ by at most one, the longer ones first.

    Raises:
        InputError: more parts than lines.
    """
    if not count:
        raise InputError(f"{what}: is empty; expected a line for each utterance")
    if parts > count:
        raise InputError(f"{what}: {count} lines cannot make {parts} parts; ask for at most {count} jobs")
    size, longer = divmod(count, parts)
    starts = [index * size + min(index, longer) for index in range(parts + 1)]
    return [range(low, high) for low, high in itertools.pairwise(starts)]


def speaker_parts(counts: Sequence[int], parts: int, what: str) -> list[range]:
    """Index ranges that split speakers, with `counts` lines each, into runs of about equally many lines.

    Speakers are first distributed evenly; then one at an end moves to the neighbour as long as this narrows the gap.

    Raises:
        InputError: more parts than speakers.
    """
    if not counts:
        raise InputError(f"{what}: is empty; expected a line for each utterance")
    if parts > len(counts):
        raise InputError(
            f"{what}: {len(counts)} speakers cannot make {parts} parts; ask for at most {len(counts)} jobs, or split "
            "by utterance (--per-utt)"
        )
    # starts[p] is the first speaker of part p: speaker s goes to part floor(s * parts / speakers)
    starts = [-(-part * len(counts) // parts) for part in range(parts)] + [len(counts)]
    sums = [sum(counts[starts[part] : starts[part + 1]]) for part in range(parts)]
    moved = True
    while moved:
        moved = False
        for part in range(parts - 1):
            last, first = starts[part + 1] - 1, starts[part + 1]
            if last > starts[part] and sums[part] - sums[part + 1] > counts[last]:
                step, moving = -1, counts[last]
            elif first + 1 < starts[part + 2] and sums[part + 1] - sums[part] > counts[first]:
                step, moving = 1, counts[first]
            else:
                continue
            starts[part + 1] += step
            sums[part] += step * moving
            sums[part + 1] -= step * moving
            moved = True
    return [range(low, high) for low, high in itertools.pairwise(starts)]


def split_utterances(utt2spk: dict[str, str], parts: int, per_utt: bool, what: str) -> list[list[str]]:
    """The utterances of each part, in order."""
    if per_utt:
        utts = list(utt2spk)
        return [utts[piece.start : piece.stop] for piece in line_parts(len(utts), parts, what)]
    groups = list(speakers_of(utt2spk.items()).values())
    pieces = speaker_parts([len(group) for group in groups], parts, what)
    return [[utt for group in groups[piece.start : piece.stop] for utt in group] for piece in pieces]


def split_data(directory: Path, parts: int, per_utt: bool) -> Path:
    """Write the parts of a data directory; returns the folder that holds them.

    Raises:
        InputError: more parts than speakers or utterances.
    """
    require_directory(directory)
    target = directory / f"split{parts}{'utt' if per_utt else ''}"
    with _lock(directory / ".split_lock"):
        stamp, names = target / ".made_from", tables_of(directory)
        if stamp.is_file() and stamp.read_bytes() == f"{_state(directory, target, names, parts)}\n".encode():
            return target
        stamp.unlink(missing_ok=True)
        utt2spk = read_utt2spk(directory)
        _write_parts(directory, target, split_utterances(utt2spk, parts, per_utt, str(directory)), utt2spk, names)
        write_files([(str(stamp), [_state(directory, target, names, parts)])])
    return target


def _write_parts(
    directory: Path, target: Path, pieces: Sequence[Sequence[str]], utt2spk: dict[str, str], names: Sequence[str]
) -> None:
    segments = read_segments(directory)
    parts_of: dict[str, dict[str, tuple[int, ...]]] = {"utt": {}, "spk": {}}
    parts_of["rec"] = parts_of["utt"] if segments is None else {}
    for part, utts in enumerate(pieces):
        parts_of["utt"].update(dict.fromkeys(utts, (part,)))
        for spk_id in dict.fromkeys(map(utt2spk.__getitem__, utts)):
            parts_of["spk"][spk_id] = (*parts_of["spk"].get(spk_id, ()), part)
        if segments is not None:
            for recording in dict.fromkeys(segments[utt][0] for utt in utts if utt in segments):
                parts_of["rec"][recording] = (*parts_of["rec"].get(recording, ()), part)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(DirectoryWriter(target / str(part + 1))) for part in range(len(pieces))]
        for writer, utts in zip(writers, pieces, strict=True):
            writer.write_speakers({utt: utt2spk[utt] for utt in utts})
        for name in names:
            if name not in ("utt2spk", "spk2utt"):
                for writer, lines in zip(
                    writers, _dealt(directory / name, parts_of[KINDS[name].level], len(pieces)), strict=True
                ):
                    writer.write(name, lines)
        for writer in writers:
            writer.remove_others()


def _dealt(path: Path, places: dict[str, tuple[int, ...]], parts: int) -> list[list[str]]:
    """The lines of a table for each part that has their key."""
    dealt: list[list[str]] = [[] for _ in range(parts)]
    for _, lines in blocks(path):
        for key, line in zip(keys_of(lines), lines, strict=True):
            for part in places.get(key, ()):
                dealt[part].append(line)
    return dealt


def _state(directory: Path, target: Path, names: Sequence[str], parts: int) -> str:
    # The state of the source tables, and the sizes of the parts, to see whether the parts are up to date.
    source = {name: [(directory / name).stat().st_size, (directory / name).stat().st_mtime_ns] for name in names}
    made = [target / str(part + 1) / name for part in range(parts) for name in names]
    return json.dumps({"from": source, "sizes": [path.stat().st_size if path.is_file() else None for path in made]})


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    # Two steps that run at once may need the same parts.
    with open_text(path, "a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def main(argv: Sequence[str]) -> int:
    """Command line of utils/split_data.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("data")
    parser.add_argument("parts", type=positive_int)
    parser.add_argument("--per-utt", action="store_true", help="equally many utterances, speakers may be split")
    options = parser.parse(argv)
    split_data(Path(options.data), options.parts, options.per_utt)
    return 0
