"""fix_data_dir.sh: sort every table, drop duplicate lines, keep what all the tables agree on.

An utterance stays if utt2spk, segments, text, feats.scp and utt2lang have it, wav.scp has its recording, and spk2gender
and cmvn.scp have its speaker; tables that do not exist do not count. vad.scp, utt2dur and the others only follow.
Windows line ends and byte order marks are removed. The old tables are kept in <data>/.backup; if nothing would remain,
nothing is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from operator import not_
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message
from common.text_lines import fields_of
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, by_utterance, require_directory, tables_of
from minikaldi.data_dir.lines import ascending, c_sorted, have_heads, in_order, keys_of, line_heads, pairs_of
from minikaldi.data_dir.mended_table import mend, mended_blocks, read_mended, sorted_lines
from minikaldi.data_dir.tables import refuse_fields

USAGE = 'fix_data_dir.sh [--utt-extra-files "f1 f2"] [--spk-extra-files "f1 f2"] <data-dir>'
ABOUT = "Sort a data directory's tables and keep only what all of them agree on; the old ones go to <data-dir>/.backup."
# An utterance stays only if these tables have a line for its speaker, for itself and for its recording.
SPEAKER_TABLES = ("spk2gender", "cmvn.scp")
UTTERANCE_TABLES = ("feats.scp", "text", "segments", "utt2lang")
RECORDING_TABLES = ("wav.scp", "reco2file_and_channel")


def read_speakers(path: Path) -> dict[str, str]:
    """utt_id -> spk_id, sorted by utterance.

    Raises:
        InputError: a line does not have two fields, or an utterance has two speakers; no tool can know the right one.
    """
    lines, _ = read_mended(path)
    columns = pairs_of(sorted_lines(lines))
    if columns is not None and ascending(columns[0]):
        return dict(zip(*columns, strict=True))
    utt2spk: dict[str, str] = {}
    for first, lines in mended_blocks(path):
        columns = pairs_of(lines)
        if columns is None:
            refuse_fields(path, first, lines)
        for number, (utt_id, spk_id) in enumerate(zip(*columns, strict=True), first):
            if utt2spk.setdefault(utt_id, spk_id) != spk_id:
                raise InputError(
                    f'{path}:{number}: "{utt_id}" has another speaker above; remove the line that is wrong'
                )
    return by_utterance(utt2spk)


def keys_in(path: Path, utt2spk: dict[str, str], heads: Sequence[str]) -> Collection[str]:
    """The keys of a table; `utt2spk` itself if the keys are the same. `heads` are the beginnings of its lines."""
    lines, _ = read_mended(path)
    return utt2spk if have_heads(lines, heads) else set(keys_of(lines))


def read_recordings(path: Path) -> dict[str, str]:
    """utt_id -> rec_id of segments, the first line of each utterance.

    Raises:
        InputError: a line without a recording.
    """
    utt2rec: dict[str, str] = {}
    for first, lines in mended_blocks(path):
        for number, line in enumerate(lines, first):
            fields = fields_of(line, 2)
            if len(fields) < 2:
                raise InputError(f'{path}:{number}: found "{line}", expected `utt_id rec_id start end`')
            utt2rec.setdefault(fields[0], fields[1])
    return utt2rec


@dataclass
class Selection:
    """The ids that stay.

    Attributes:
        utt2spk: the utterances and their speakers, sorted.
        recordings: the recordings, sorted.
        reasons: for each reason, how many utterances were dropped.
    """

    utt2spk: dict[str, str]
    recordings: Collection[str]
    reasons: list[str]

    def of(self, level: str) -> Collection[str]:
        """Ids of a level "utt", "spk" or "rec", sorted."""
        if level == "spk":
            return dict.fromkeys(c_sorted(list(set(self.utt2spk.values()))))
        return self.recordings if level == "rec" else self.utt2spk


def select(directory: Path, utt2spk: dict[str, str], keys: Mapping[str, Collection[str]]) -> Selection:
    """Decide which ids stay.

    Args:
        directory: the data directory.
        utt2spk: all utterances and their speakers.
        keys: the keys of every deciding table that exists.
    """
    reasons = []

    def narrow(name: str, ids: Iterable[str], why: str) -> None:
        """Drop the utterances whose id in a table, the item of `ids`, is missing there."""
        nonlocal utt2spk
        if ids is keys[name]:
            return
        stays = list(map(keys[name].__contains__, ids))
        if not all(stays):
            first = next(compress(utt2spk, map(not_, stays)))
            reasons.append(f"{stays.count(False)} {why} {name} (first: {first})")
            utt2spk = dict(compress(utt2spk.items(), stays))

    for name in SPEAKER_TABLES:
        if name in keys:
            narrow(name, utt2spk.values(), "whose speaker is not in")
    for name in UTTERANCE_TABLES:
        if name in keys:
            narrow(name, utt2spk, "not in")
    utt2rec = read_recordings(directory / "segments") if "segments" in keys else None
    for name in RECORDING_TABLES:
        if name in keys:
            narrow(name, utt2spk if utt2rec is None else map(utt2rec.__getitem__, utt2spk), "without a recording in")
    if utt2rec is None:
        return Selection(utt2spk, utt2spk, reasons)
    recordings = c_sorted(list({utt2rec[utt] for utt in utt2spk}))
    return Selection(utt2spk, dict.fromkeys(recordings), reasons)


def require_speaker_order(directory: Path, utt2spk: dict[str, str]) -> None:
    """Refuse speakers that are not sorted although their utterances are; sorting cannot repair it.

    Raises:
        InputError: names the two utterances.
    """
    if in_order(list(utt2spk.values())):
        return
    for (last_utt, last_spk), (utt_id, spk_id) in pairwise(utt2spk.items()):
        if not in_order([last_spk, spk_id]):
            raise InputError(
                f'{directory}/utt2spk: "{utt_id}" of "{spk_id}" sorts after "{last_utt}" of "{last_spk}": '
                "sorted by utterance (LC_ALL=C), the speakers are not sorted. Make each speaker id the prefix of its "
                "utterance ids, <spk>-<utt>; if one speaker id is the beginning of another's, make all of one length"
            )


def fix(directory: Path, utt_extra: Sequence[str] = (), spk_extra: Sequence[str] = ()) -> list[str]:
    """Fix a data directory in place; returns messages for the user.

    Args:
        directory: the data directory.
        utt_extra: other tables whose keys are utterances.
        spk_extra: other tables whose keys are speakers.

    Raises:
        InputError: nothing would remain, or there is a fault that no tool can repair. The directory is unchanged.
    """
    require_directory(directory)
    utt2spk = read_speakers(directory / "utt2spk")
    heads, total = line_heads(utt2spk), len(utt2spk)
    names = [name for name in tables_of(directory, [*utt_extra, *spk_extra]) if name not in ("utt2spk", "spk2utt")]
    deciding = (*SPEAKER_TABLES, *UTTERANCE_TABLES, *RECORDING_TABLES)
    keep = select(
        directory, utt2spk, {name: keys_in(directory / name, utt2spk, heads) for name in names if name in deciding}
    )
    if not keep.utt2spk:
        raise InputError(
            f"{directory}: no utterance of {total} would remain: {'; '.join(keep.reasons)}; nothing was changed"
        )
    require_speaker_order(directory, keep.utt2spk)
    notes = []
    with DirectoryWriter(directory, backup=True) as writer:
        writer.write_speakers(keep.utt2spk)
        wanted = {level: keep.of(level) for level in ("utt", "spk", "rec")}
        heads_of_level = {level: line_heads(ids) for level, ids in wanted.items()}
        for name in names:
            level = KINDS[name].level if name in KINDS else ("spk" if name in spk_extra else "utt")
            mended = mend(directory / name, wanted[level], heads_of_level[level])
            notes += mended.notes
            if mended.lines is not None:
                writer.write(name, mended.lines, are_sorted=True)
    if len(keep.utt2spk) == total:
        return [*notes, f"kept all {total} utterances."]
    return [*notes, f"kept {len(keep.utt2spk)} utterances out of {total}: dropped {'; '.join(keep.reasons)}"]


def main(argv: Sequence[str]) -> int:
    """Command line of utils/fix_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("data")
    parser.add_argument("--utt-extra-files", default="", help="other tables whose keys are utterances")
    parser.add_argument("--spk-extra-files", default="", help="other tables whose keys are speakers")
    options = parser.parse(argv)
    directory = Path(options.data)
    notes = fix(directory, options.utt_extra_files.split(), options.spk_extra_files.split())
    for note in notes:
        log_message(note)
    return 0
