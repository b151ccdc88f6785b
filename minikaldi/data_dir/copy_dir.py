"""copy_data_dir.sh: copy a data directory under other ids; augmentation and speed perturbation rename with it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message
from common.text_lines import fields_of
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, read_utt2spk, tables_of
from minikaldi.data_dir.lines import blocks, keys_of, pairs_of, split_keys
from minikaldi.data_dir.validate import validate

USAGE = """copy_data_dir.sh [--utt-prefix P] [--utt-suffix S] [--spk-prefix P] [--spk-suffix S]
                        [--validate-opts "--no-feats ..."] <src-dir> <dest-dir>"""
ABOUT = """Copy a data directory, with prefixes and suffixes added to its utterance and speaker ids.
e.g.: copy_data_dir.sh --utt-suffix -reverb data/train_reverb.plain data/train_reverb"""


def no_change(identifier: str) -> str:
    """The identifier as it is."""
    return identifier


@dataclass(frozen=True)
class Renaming:
    """New ids for old ones.

    Attributes:
        utt: new id of an utterance.
        spk: new id of a speaker.
        rec: new id of a recording.
    """

    utt: Callable[[str], str] = no_change
    spk: Callable[[str], str] = no_change
    rec: Callable[[str], str] = no_change

    def of(self, level: str) -> Callable[[str], str]:
        """The renaming of a level "utt", "spk" or "rec"."""
        return {"utt": self.utt, "spk": self.spk, "rec": self.rec}[level]


def affix(prefix: str, suffix: str) -> Callable[[str], str]:
    """The renaming that adds a prefix and a suffix."""
    return lambda identifier: f"{prefix}{identifier}{suffix}"


def renamed(path: Path, names: Renaming) -> Iterator[str]:
    """The lines of a table under new keys; in utt2spk and segments the second field is an id too."""
    new_key = names.of(KINDS[path.name].level)
    new_value = {"utt2spk": names.spk, "segments": names.rec}.get(path.name)
    for first, lines in blocks(path):
        if new_key is no_change and new_value in (None, no_change):
            yield from lines
            continue
        columns = pairs_of(lines) if new_value is names.spk else None
        if columns is not None:
            yield from [f"{new_key(key)} {names.spk(spk)}" for key, spk in zip(*columns, strict=True)]
            continue
        parts = split_keys(lines)
        if new_value is None:
            yield from [f"{new_key(part[0])} {part[1]}" if len(part) > 1 else new_key(part[0]) for part in parts]
            continue
        for number, (key, *rest) in enumerate(parts, first):
            if not rest:
                raise InputError(f'{path}:{number}: found "{key}", expected `id id …`')
            value, *more = fields_of(rest[0], 1)
            yield " ".join([new_key(key), new_value(value), *more])


def write_renamed(source: Path, writer: DirectoryWriter, names: Renaming, leave_out: Sequence[str] = ()) -> None:
    """Write all tables of `source` under new ids, except those in `leave_out`."""
    utt2spk = {names.utt(utt): names.spk(spk) for utt, spk in read_utt2spk(source).items()}
    writer.write_speakers(utt2spk)
    for name in tables_of(source):
        if name not in ("utt2spk", "spk2utt", *leave_out):
            writer.write(name, renamed(source / name, names))


def uniq_lines(source: Path, new_utt: Callable[[str], str]) -> list[str]:
    """The lines of utt2uniq for copies of the utterances of `source`: the original of each copy."""
    path = source / "utt2uniq"
    if path.is_file():
        return list(renamed(path, Renaming(utt=new_utt)))
    return [f"{new_utt(utt)} {utt}" for _, lines in blocks(source / "utt2spk") for utt in keys_of(lines)]


def refuse_same(source: Path, target: Path) -> None:
    """Refuse to write a directory onto itself.

    Raises:
        InputError: both are the same directory.
    """
    if source.resolve() == target.resolve():
        raise InputError(f"{source} and {target} are the same directory; name another destination")


def copy_directory(source: Path, target: Path, utt: Callable[[str], str], spk: Callable[[str], str]) -> None:
    """Copy a data directory under new ids. If it has segments, recordings keep their ids.

    Raises:
        InputError: the source is invalid, or is the target.
    """
    refuse_same(source, target)
    has_segments = (source / "segments").is_file()
    with DirectoryWriter(target) as writer:
        write_renamed(source, writer, Renaming(utt, spk, no_change if has_segments else utt))
        writer.remove_others()


def check_copy(target: Path, validate_opts: Sequence[str]) -> None:
    """Validate a copy; tables may be absent.

    Raises:
        InputError: the first fault.
    """
    unknown = set(validate_opts) - {"--no-feats", "--no-text", "--no-wav", "--no-spk-sort", "--non-print"}
    if unknown:
        raise InputError(f"--validate-opts: {sorted(unknown)[0]} is not an option of validate_data_dir.sh")
    faults = validate(target, speaker_order="--no-spk-sort" not in validate_opts)
    if faults:
        raise InputError(faults[0])


def main(argv: Sequence[str]) -> int:
    """Command line of utils/copy_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    for name in ("utt-prefix", "utt-suffix", "spk-prefix", "spk-suffix"):
        parser.add_argument(f"--{name}", default="", metavar="TEXT")
    parser.add_argument("--validate-opts", default="", help="options for the validation of the copy")
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse(argv)
    source, target = Path(options.source), Path(options.target)
    utt, spk = affix(options.utt_prefix, options.utt_suffix), affix(options.spk_prefix, options.spk_suffix)
    copy_directory(source, target, utt, spk)
    check_copy(target, options.validate_opts.split())
    log_message(f"copied data from {source} to {target}")
    return 0
