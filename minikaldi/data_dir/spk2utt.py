"""utt2spk_to_spk2utt.pl and spk2utt_to_utt2spk.pl: one table turned into the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common.errors import InputError
from common.program import Parser, program_name
from common.text_lines import fields_of
from common.whole_files import write_stdout
from minikaldi.data_dir.lines import numbered_lines
from minikaldi.data_dir.tables import read_pairs, speaker_lines


def utterance_lines(spk2utt: str) -> Iterator[str]:
    """spk2utt -> the lines of utt2spk.

    Raises:
        InputError: a speaker without utterances.
    """
    for number, line in numbered_lines(spk2utt):
        spk_id, *utt_ids = fields_of(line)
        if not utt_ids:
            raise InputError(f'{spk2utt}:{number}: found "{line}", expected `spk_id utt_id ...`')
        for utt_id in utt_ids:
            yield f"{utt_id} {spk_id}"


def main(argv: Sequence[str]) -> int:
    """Command line of both scripts; the name of the program decides."""
    to_speakers = program_name().startswith("utt2spk_to")
    first, second = ("utt2spk", "spk2utt") if to_speakers else ("spk2utt", "utt2spk")
    parser = Parser(f"{program_name()} [<{first}>] > <{second}>", f"Turn {first} into {second}; - or nothing is stdin.")
    parser.add_argument("table", nargs="?", default="-")
    table = parser.parse(argv).table
    lines = speaker_lines(read_pairs(table).items()) if to_speakers else utterance_lines(table)
    write_stdout(lines)
    return 0
