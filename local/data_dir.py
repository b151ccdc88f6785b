"""The data directories of stage 0: written whole, sorted as Kaldi expects, with a table of what was dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from common.errors import InputError
from common.program import log_message
from common.text_lines import is_one_word
from local.program import first_of, printable
from local.speaker_ids import without_blanks
from minikaldi.data_dir.directory import DirectoryWriter


@dataclass(frozen=True)
class CorpusUtterance:
    """One line of each table.

    Attributes:
        utt_id: utterance id.
        spk_id: speaker id.
        audio: the rest of its wav.scp line.
        rec_id: the source recording (session, video), if the corpus has it.
        seconds: its length, if the header has it.
    """

    utt_id: str
    spk_id: str
    audio: str
    rec_id: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Dropped:
    """A file that does not become an utterance.

    Attributes:
        utt_id: the id that it would have.
        reason: why it is dropped.
        lost: whether it should have been an utterance.
    """

    utt_id: str
    reason: str
    lost: bool = True

    @classmethod
    def at(cls, utt_id: str, reason: str, lost: bool = True) -> Dropped:
        """An entry whose id is made from a file's name, which may have any characters."""
        return cls(without_blanks(printable(utt_id)), printable(reason), lost)


def write_data_dir(
    directory: Path,
    utterances: Sequence[CorpusUtterance],
    genders: Mapping[str, str] | None = None,
    dropped: Sequence[Dropped] | None = None,
) -> None:
    """Write wav.scp, utt2spk and spk2utt, and those of utt2rec, utt2dur, reco2dur and spk2gender that are complete.

    A recording is an utterance (there are no segments), so reco2dur repeats utt2dur.

    Args:
        directory: the data directory.
        utterances: its utterances, in any order.
        genders: spk_id -> `m` or `f`, may include other speakers. If one is missing, spk2gender is not written, and
            that is reported.
        dropped: the lines of the table `dropped`.

    Raises:
        InputError: no utterance, an id that appears twice or has a blank, or ids that do not sort by speaker.
    """
    ordered = sorted(utterances, key=lambda utterance: utterance.utt_id)
    if not ordered:
        reasons = first_of([f"{one.utt_id} ({one.reason})" for one in dropped or ()])
        raise InputError(f"{directory}: no utterance is left to write{reasons and ': '}{reasons}")
    check_ids(directory, ordered)
    with DirectoryWriter(directory) as writer:
        writer.write("wav.scp", (f"{u.utt_id} {u.audio}" for u in ordered))
        writer.write_speakers({u.utt_id: u.spk_id for u in ordered})
        if all(u.rec_id is not None for u in ordered):
            writer.write("utt2rec", (f"{u.utt_id} {u.rec_id}" for u in ordered))
        if all(u.seconds is not None for u in ordered):
            for name in ("utt2dur", "reco2dur"):
                writer.write(name, (f"{u.utt_id} {u.seconds:.4f}" for u in ordered))
        if genders:
            _write_genders(writer, genders, sorted({u.spk_id for u in ordered}))
        writer.remove_others()
        writer.remove("trials")
        if dropped is None:
            writer.remove("dropped")
        else:
            writer.write("dropped", sorted(f"{one.utt_id} {one.reason}" for one in dropped))


def check_ids(directory: Path, ordered: Sequence[CorpusUtterance]) -> None:
    """Refuse ids with which Kaldi's tools would fail later.

    Args:
        directory: the data directory, for messages.
        ordered: the utterances, sorted by id.

    Raises:
        InputError: see `write_data_dir`.
    """
    for utterance in ordered:
        if not (is_one_word(utterance.utt_id) and is_one_word(utterance.spk_id)):
            raise InputError(f'{directory}: the id "{utterance.utt_id}" has a blank or is empty; rename the file')
        if not utterance.utt_id.startswith(utterance.spk_id):
            raise InputError(f'{directory}: "{utterance.utt_id}" does not begin with its speaker "{utterance.spk_id}"')
    for first, second in pairwise(ordered):
        if first.utt_id == second.utt_id:
            raise InputError(f'{directory}: "{first.utt_id}" is both {first.audio} and {second.audio}; keep one')
        if first.spk_id > second.spk_id:
            raise InputError(
                f'{directory}: "{first.utt_id}" sorts before "{second.utt_id}", but speaker "{first.spk_id}" after '
                f'"{second.spk_id}"; rename one of the speakers'
            )


def _write_genders(writer: DirectoryWriter, genders: Mapping[str, str], speakers: Sequence[str]) -> None:
    unknown = [spk_id for spk_id in speakers if spk_id not in genders]
    if unknown:
        log_message(
            f"{writer.directory}: the gender of {len(unknown)} of {len(speakers)} speakers is unknown "
            f"({first_of(unknown)}); spk2gender must have all speakers and is left out"
        )
    else:
        writer.write("spk2gender", (f"{spk_id} {genders[spk_id]}" for spk_id in speakers))


def report_counts(directory: Path, num_in: int, num_out: int, dropped: Sequence[Dropped], max_loss: float) -> None:
    """Report `1280 files in, 1278 out, 2 dropped (see data/train/dropped)`.

    Args:
        directory: the data directory.
        num_in: audio files found.
        num_out: utterances written.
        dropped: the files that were dropped.
        max_loss: largest share of lost audio files that is allowed.

    Raises:
        InputError: a larger share was lost.
    """
    where = f" (see {directory}/dropped)" if dropped else ""
    log_message(f"{num_in} files in, {num_out} out, {len(dropped)} dropped{where}")
    lost = [f"{one.utt_id} ({one.reason})" for one in dropped if one.lost]
    if lost and len(lost) > max_loss * (num_out + len(lost)):
        raise InputError(
            f"{len(lost)} of {num_out + len(lost)} audio files are lost, more than {100 * max_loss:g} %: "
            f"{first_of(lost)}; fix them, or allow it with --max-loss"
        )
