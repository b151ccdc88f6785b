"""validate_data_dir.sh: check a data directory. All faults are reported, by file and line, with the repair.

Stricter than Kaldi: a line of utt2spk with three fields is a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from common.program import Parser, program_name
from minikaldi.data_dir.check_table import MAX_PER_FILE, Faults, Table, check_table
from minikaldi.data_dir.directory import KINDS, require_directory, tables_of
from minikaldi.data_dir.lines import c_sorted, in_order
from minikaldi.data_dir.tables import speakers_of

USAGE = "validate_data_dir.sh [--no-feats] [--no-text] [--no-wav] [--no-spk-sort] [--non-print] <data-dir>"
ABOUT = "Check a data directory; exit code 0 if it is valid, else 1 with a line for each fault."


@dataclass
class Expected:
    """The ids that tables of one level must have.

    Attributes:
        ids: the ids, sorted.
        of: the table that they come from.
    """

    ids: list[str]
    of: str

    def compare(self, path: Path, table: Table, faults: Faults) -> None:
        """Add a fault for each key that a table lacks or must not have."""
        if table.keys == self.ids:
            return
        wanted, found = set(self.ids), set(table.keys)
        if wanted == found:
            return
        for key, number in zip(table.keys, table.numbers, strict=True):
            if key not in wanted and not faults.are_enough(path):
                faults.add(path, number, f'"{key}" is not in {self.of}; run utils/fix_data_dir.sh')
        for key in self.ids:
            if key not in found and not faults.are_enough(path):
                faults.add(path, None, f'has no line for "{key}" of {self.of}; run utils/fix_data_dir.sh')


def check_speaker_order(path: Path, utt2spk: Table, faults: Faults) -> None:
    """Check that the lines, sorted by utterance, are sorted by speaker too: Kaldi reads speakers in one pass."""
    if in_order(utt2spk.values):
        return
    for (last, spk_id), utt_id, number in zip(
        pairwise(utt2spk.values), utt2spk.keys[1:], utt2spk.numbers[1:], strict=True
    ):
        if not in_order([last, spk_id]):
            faults.add(
                path,
                number,
                f'"{utt_id}" belongs to "{spk_id}", which sorts before "{last}" of the line above: sorted by '
                "utterance, the speakers must be sorted as well; make each speaker id the prefix of its utterance ids, "
                "<spk>-<utt>, or allow it with --no-spk-sort",
            )
            return


def check_spk2utt(path: Path, utt2spk: Table, faults: Faults) -> None:
    """Check that spk2utt agrees with utt2spk."""
    mend = "make it again: utils/utt2spk_to_spk2utt.pl utt2spk > spk2utt"
    if not path.is_file():
        faults.add(path, None, f"no such file; {mend}")
        return
    speakers = speakers_of(dict(zip(utt2spk.keys, utt2spk.values, strict=True)).items())
    table = check_table(path, faults)
    for spk_id, utt_ids, line in zip(table.keys, table.values, table.numbers, strict=True):
        if spk_id not in speakers:
            faults.add(path, line, f'"{spk_id}" is not in utt2spk; {mend}')
        elif utt_ids != " ".join(speakers[spk_id]):
            faults.add(path, line, f'the utterances of "{spk_id}" are not those of utt2spk; {mend}')
    for spk_id in sorted(speakers.keys() - set(table.keys))[: MAX_PER_FILE + 1]:
        faults.add(path, None, f'has no line for "{spk_id}" of utt2spk; {mend}')


def validate(directory: Path, needed: Sequence[str] = (), speaker_order: bool = True) -> list[str]:
    """The faults of a data directory, one message each.

    Args:
        directory: the data directory.
        needed: tables that it must have.
        speaker_order: whether speakers must be sorted if utterances are.
    """
    require_directory(directory)
    faults = Faults()
    for name in needed:
        if not (directory / name).is_file():
            option = {"feats.scp": "--no-feats", "text": "--no-text", "wav.scp": "--no-wav"}[name]
            faults.add(directory / name, None, f"no such file; if this is by design, give {option}")
    utt2spk = check_table(directory / "utt2spk", faults)
    check_spk2utt(directory / "spk2utt", utt2spk, faults)
    if speaker_order:
        check_speaker_order(directory / "utt2spk", utt2spk, faults)
    utts = Expected(utt2spk.keys, "utt2spk")
    recordings = utts
    if (directory / "segments").is_file():
        segments = check_table(directory / "segments", faults)
        utts.compare(directory / "segments", segments, faults)
        recordings = Expected(c_sorted(list(set(segments.values))), "segments")
    expected = {"utt": utts, "spk": Expected(c_sorted(list(set(utt2spk.values))), "utt2spk"), "rec": recordings}
    for name in tables_of(directory):
        if name not in ("utt2spk", "spk2utt", "segments"):
            expected[KINDS[name].level].compare(directory / name, check_table(directory / name, faults), faults)
    return faults.messages


def main(argv: Sequence[str]) -> int:
    """Command line of utils/validate_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("data")
    parser.add_argument("--no-feats", action="store_true", help="feats.scp may be absent")
    parser.add_argument("--no-text", action="store_true", help="text may be absent")
    parser.add_argument("--no-wav", action="store_true", help="wav.scp may be absent")
    parser.add_argument("--no-spk-sort", action="store_true", help="speakers need not be sorted if utterances are")
    parser.add_argument("--non-print", action="store_true", help="text may hold characters that cannot be printed")
    options = parser.parse(argv)
    absent = {"feats.scp": options.no_feats, "text": options.no_text, "wav.scp": options.no_wav}
    needed = [name for name, allowed in absent.items() if not allowed]
    faults = validate(Path(options.data), needed, not options.no_spk_sort)
    for fault in faults:
        print(f"{program_name()}: {fault}", file=sys.stderr)
    if not faults:
        print(f"{program_name()}: Successfully validated data-directory {options.data}")
    return 1 if faults else 0
