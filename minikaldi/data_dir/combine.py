"""combine_data.sh: combine data directories. Only tables that all of them have are combined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message
from common.text_lines import fields_of
from minikaldi.data_dir.copy_dir import no_change, refuse_same, uniq_lines
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, read_segments, require_directory, tables_of
from minikaldi.data_dir.fix import fix
from minikaldi.data_dir.lines import all_lines, ascending, c_sorted, have_heads, in_order, keys_of, line_heads, pairs_of
from minikaldi.data_dir.tables import read_pairs, refuse_fields, speaker_lines

USAGE = "combine_data.sh [--extra-files 'file1 file2'] [--skip-fix true] <dest-dir> <src-dir1> <src-dir2> ..."
ABOUT = "Combine data directories. A table that one of them lacks is left out, with a message."

Source = tuple[str, Sequence[str]]  # its name in messages; its lines


def without_repeats(lines: list[str], sources: Sequence[Source]) -> list[str]:
    """The lines in order of their keys, each once.

    Args:
        lines: all lines of the sources, sorted.
        sources: where they come from, for errors.

    Raises:
        InputError: two lines of one key differ.
    """
    if ascending(keys_of(lines)):
        return lines
    lines = list(dict.fromkeys(lines))
    by_key = dict(zip(keys_of(lines), lines, strict=True))
    if len(by_key) < len(lines):
        refuse_contradiction(sources)
    return [by_key[key] for key in c_sorted(list(by_key))]


def refuse_contradiction(sources: Sequence[Source]) -> None:
    """Refuse two lines of one key that differ.

    Raises:
        InputError: names the first such key.
    """
    found: dict[str, tuple[str, str]] = {}
    for file, lines in sources:
        for number, (key, line) in enumerate(zip(keys_of(lines), lines, strict=True), start=1):
            other_file, other = found.setdefault(key, (f"{file}:{number}", line))
            if other != line:
                raise InputError(
                    f'{file}:{number}: "{key}" differs from its line in {other_file}; give one of them another id '
                    "(utils/copy_data_dir.sh --utt-prefix) or remove it"
                )


def write_merged(
    writer: DirectoryWriter, names: Iterable[str], sources_of: Callable[[str], Sequence[Source] | None]
) -> int | None:
    """Write tables, each merged from its sources, and spk2utt.

    Args:
        writer: of the combined directory.
        names: the tables, with utt2spk.
        sources_of: the sources of a table; None: it is left out.

    Returns:
        The number of utterances if all tables agree with each other; None if `fix` is needed.

    Raises:
        InputError: two sources contradict each other.
    """
    utts, spks = _merged_speakers(sources_of("utt2spk") or [])
    writer.write("utt2spk", map(" ".join, zip(utts, spks, strict=True)))
    writer.write("spk2utt", speaker_lines(zip(utts, spks, strict=True)))
    heads = {"utt": line_heads(utts), "spk": line_heads(c_sorted(list(set(spks))))}
    heads["rec"] = heads["utt"]
    whole = in_order(spks)
    del utts, spks  # much memory, not needed below
    # segments come first: they determine the recordings
    for name in sorted(set(names) - {"utt2spk", "spk2utt"}, key=lambda name: (name != "segments", name)):
        sources = sources_of(name)
        if sources is None:
            continue
        # Sources are mostly sorted, and sorting a list of a few sorted runs takes hardly longer than reading it.
        lines = c_sorted([line for _, source in sources for line in source])
        wanted = heads[KINDS[name].level if name in KINDS else "utt"]
        if not have_heads(lines, wanted):
            lines = without_repeats(lines, sources)
            whole = whole and line_heads(keys_of(lines)) == wanted
        writer.write(name, lines, are_sorted=True)
        if name == "segments":
            heads["rec"] = line_heads(c_sorted(list({fields_of(line, 2)[1] for line in lines})))
    return len(heads["utt"]) if whole else None


def _merged_speakers(sources: Sequence[Source]) -> tuple[list[str], list[str]]:
    # The sorted utterances, and their speakers.
    lines = c_sorted([line for _, source in sources for line in source])
    columns = pairs_of(lines)
    if columns is not None and not ascending(columns[0]):
        columns = pairs_of(without_repeats(lines, sources))
    if columns is not None:
        return columns
    file, source = next((file, source) for file, source in sources if pairs_of(source) is None)
    refuse_fields(file, 1, source)


def whole_recordings(directory: Path) -> list[str]:
    """Lines of segments for a directory without segments: each utterance is its whole recording.

    Raises:
        InputError: neither utt2dur nor reco2dur is there.
    """
    for name in ("utt2dur", "reco2dur"):
        if (directory / name).is_file():
            return [f"{utt} {utt} 0.0 {seconds}" for utt, seconds in read_pairs(directory / name).items()]
    raise InputError(
        f"{directory}: another directory has segments, so this one needs utt2dur; make it: "
        f"utils/data/get_utt2dur.sh {directory}"
    )


def table_sources(name: str, directories: Sequence[Path]) -> list[Source] | None:
    """The lines of a table in each directory; None if the table cannot be combined."""
    having = [directory for directory in directories if (directory / name).is_file()]
    lacking = [directory for directory in directories if directory not in having]
    if lacking and name not in ("utt2uniq", "segments"):
        log_message(f"{name} is left out: {having[0]} has it, {lacking[0]} does not")
        return None
    sources: list[Source] = [(str(directory / name), all_lines(directory / name)) for directory in having]
    for directory in lacking:
        made = uniq_lines(directory, no_change) if name == "utt2uniq" else whole_recordings(directory)
        sources.append((f"{directory}/{name}", made))
    return sources


def combine(target: Path, directories: Sequence[Path], extra: Sequence[str]) -> int | None:
    """Write the combined tables to `target`; returns what `write_merged` returns.

    Raises:
        InputError: a source is missing or invalid, or two sources contradict each other.
    """
    for directory in directories:
        refuse_same(directory, target)
        require_directory(directory)
        read_segments(directory)
    names = {name for directory in directories for name in tables_of(directory, extra)}
    with DirectoryWriter(target) as writer:
        num_utts = write_merged(writer, names, lambda name: table_sources(name, directories))
        writer.remove_others()
    return num_utts


def main(argv: Sequence[str]) -> int:
    """Command line of utils/combine_data.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--extra-files", default="", help="other tables to combine")
    parser.add_argument("--skip-fix", type=boolean, default=False, help="true: no fix_data_dir.sh at the end")
    parser.add_argument("target")
    parser.add_argument("sources", nargs="+")
    options = parser.parse(argv)
    target, extra = Path(options.target), options.extra_files.split()
    num_utts = combine(target, [Path(source) for source in options.sources], extra)
    if not options.skip_fix:
        for note in fix_combined(target, num_utts, extra):
            log_message(note)
    return 0


def fix_combined(target: Path, num_utts: int | None, extra: Sequence[str] = ()) -> list[str]:
    """Fix a combined directory, and return the messages; it is not read again if `num_utts` shows that it is right."""
    if num_utts is not None:
        return [f"kept all {num_utts} utterances."]
    return fix(target, utt_extra=[name for name in extra if name != "spk2utt"])
