"""combine_data.sh: several data directories as one. Only tables that all of them have are combined."""

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
ABOUT = "Combine data directories. A table that one of them lacks is left out, and this is said."

Source = tuple[str, Sequence[str]]  # what a message calls it; the lines


def without_repeats(lines: list[str], sources: Sequence[Source]) -> list[str]:
    """Lines of the sources, sorted, in order of their keys; one that came several times comes once.

    Raises:
        InputError: two lines of one key that differ.
    """
    if ascending(keys_of(lines)):
        return lines
    lines = list(dict.fromkeys(lines))
    by_key = dict(zip(keys_of(lines), lines, strict=True))
    if len(by_key) < len(lines):
        refuse_contradiction(sources)
    return [by_key[key] for key in c_sorted(list(by_key))]


def refuse_contradiction(sources: Sequence[Source]) -> None:
    """Tell of the first key that two lines give different values.

    Raises:
        InputError: there is one.
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
    """Write tables, each merged of its sources (None: left out), and spk2utt.

    Args:
        names: the tables, utt2spk among them.

    Returns:
        The number of utterances where all tables agree with each other; None where it takes `fix` to make them.

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
    # segments come first: they tell the recordings
    for name in sorted(set(names) - {"utt2spk", "spk2utt"}, key=lambda name: (name != "segments", name)):
        sources = sources_of(name)
        if sources is None:
            continue
        # Sources are mostly sorted, and to sort a list of a few sorted stretches takes hardly longer than to read it.
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
    # Utterances, sorted, and their speakers.
    lines = c_sorted([line for _, source in sources for line in source])
    columns = pairs_of(lines)
    if columns is not None and not ascending(columns[0]):
        columns = pairs_of(without_repeats(lines, sources))
    if columns is not None:
        return columns
    file, source = next((file, source) for file, source in sources if pairs_of(source) is None)
    refuse_fields(file, 1, source)


def whole_recordings(directory: Path) -> list[str]:
    """Lines of segments for a directory without: each utterance is its whole recording.

    Raises:
        InputError: no durations are known.
    """
    for name in ("utt2dur", "reco2dur"):
        if (directory / name).is_file():
            return [f"{utt} {utt} 0.0 {seconds}" for utt, seconds in read_pairs(directory / name).items()]
    raise InputError(
        f"{directory}: another directory has segments, so this one needs utt2dur; make it: "
        f"utils/data/get_utt2dur.sh {directory}"
    )


def table_sources(name: str, directories: Sequence[Path]) -> list[Source] | None:
    """What is to be merged for a table, of each directory; None where it cannot be combined."""
    having = [directory for directory in directories if (directory / name).is_file()]
    lacking = [directory for directory in directories if directory not in having]
    if lacking and name not in ("utt2uniq", "segments"):
        log_message(f"{name} is left out: {having[0]} has it, {lacking[0]} has not")
        return None
    sources: list[Source] = [(str(directory / name), all_lines(directory / name)) for directory in having]
    for directory in lacking:
        made = uniq_lines(directory, no_change) if name == "utt2uniq" else whole_recordings(directory)
        sources.append((f"{directory}/{name}", made))
    return sources


def combine(target: Path, directories: Sequence[Path], extra: Sequence[str]) -> int | None:
    """Write the combined tables to `target`; returns what `write_merged` returns.

    Raises:
        InputError: a source is missing or bad, or two of them contradict each other.
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
    """What `fix` does and says of a combined directory, which is not read again where there is nothing to do."""
    if num_utts is not None:
        return [f"kept all {num_utts} utterances."]
    return fix(target, utt_extra=[name for name in extra if name != "spk2utt"])
