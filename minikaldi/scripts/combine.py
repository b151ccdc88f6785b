"""combine_data.sh: several data directories as one. Only tables that all of them have are combined."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from minikaldi.scripts.cli import Parser, ScriptError, boolean, tell
from minikaldi.scripts.copy_dir import no_change, refuse_same, uniq_lines
from minikaldi.scripts.data_dir import DirectoryWriter, read_segments, read_utt2spk, tables_of
from minikaldi.scripts.fix import fix
from minikaldi.scripts.tables import key_of, numbered_lines, read_pairs, speaker_lines

USAGE = "combine_data.sh [--extra-files 'file1 file2'] [--skip-fix true] <dest-dir> <src-dir1> <src-dir2> ..."
ABOUT = "Combine data directories. A table that one of them lacks is left out, and this is said."

Source = Iterable[tuple[str, str]]  # (line, the file it is of)


def in_order(path: Path) -> Source:
    """The lines of a table sorted by key, each with the file's name; held in memory only where it is not sorted."""
    last = ""
    for _, line in numbered_lines(path):
        if line < last:
            return sorted((line, str(path)) for _, line in numbered_lines(path))
        last = line
    return ((line, str(path)) for _, line in numbered_lines(path))


def merged(sources: Sequence[Source]) -> Iterator[str]:
    """The lines of sorted sources in one order; a line that several have comes once.

    Raises:
        ScriptError: two lines of one key that differ.
    """
    last_line, last_key, last_file = "", "", ""
    for line, file in heapq.merge(*sources):
        if line == last_line:
            continue
        key = key_of(line)
        if key == last_key:
            raise ScriptError(
                f'{file}: "{key}" differs from its line in {last_file}; give one of them another id '
                "(utils/copy_data_dir.sh --utt-prefix) or remove it"
            )
        yield line
        last_line, last_key, last_file = line, key, file


def whole_recordings(directory: Path) -> list[str]:
    """Lines of segments for a directory without: each utterance is its whole recording.

    Raises:
        ScriptError: no durations are known.
    """
    for name in ("utt2dur", "reco2dur"):
        if (directory / name).is_file():
            return [f"{utt} {utt} 0.0 {seconds}" for utt, seconds in read_pairs(directory / name).items()]
    raise ScriptError(
        f"{directory}: another directory has segments, so this one needs utt2dur; make it: "
        f"utils/data/get_utt2dur.sh {directory}"
    )


def table_sources(name: str, directories: Sequence[Path]) -> list[Source] | None:
    """What is to be merged for a table; None where it cannot be combined."""
    having = [directory for directory in directories if (directory / name).is_file()]
    sources = [in_order(directory / name) for directory in having]
    lacking = [directory for directory in directories if directory not in having]
    if not lacking:
        return sources
    if name == "utt2uniq":
        made = [uniq_lines(directory, no_change) for directory in lacking]
    elif name == "segments":
        made = [whole_recordings(directory) for directory in lacking]
    else:
        tell(f"{name} is left out: {having[0]} has it, {lacking[0]} has not")
        return None
    for directory, lines in zip(lacking, made, strict=True):
        sources.append(sorted((line, f"{directory}/{name}") for line in lines))
    return sources


def combine(target: Path, directories: Sequence[Path], extra: Sequence[str]) -> None:
    """Write the combined tables to `target`.

    Raises:
        ScriptError: a source is missing or bad, or two of them contradict each other.
    """
    for directory in directories:
        refuse_same(directory, target)
        read_utt2spk(directory)
        read_segments(directory)
    names = dict.fromkeys(name for directory in directories for name in tables_of(directory, extra))
    with DirectoryWriter(target) as writer:
        for name in names:
            if name == "spk2utt":
                continue
            sources = table_sources(name, directories)
            if sources is not None:
                writer.write(name, merged(sources))
        everyone = {key_of(line): line.split()[1] for line in merged(table_sources("utt2spk", directories) or [])}
        writer.write("spk2utt", speaker_lines(everyone))
        writer.remove_others()


def main(argv: Sequence[str]) -> int:
    """Command line of utils/combine_data.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--extra-files", default="", help="other tables to combine")
    parser.add_argument("--skip-fix", type=boolean, default=False, help="true: no fix_data_dir.sh at the end")
    parser.add_argument("target")
    parser.add_argument("sources", nargs="+")
    options = parser.parse(argv)
    target = Path(options.target)
    combine(target, [Path(source) for source in options.sources], options.extra_files.split())
    if not options.skip_fix:
        for note in fix(target, utt_extra=[name for name in options.extra_files.split() if name != "spk2utt"]):
            tell(note)
    return 0
