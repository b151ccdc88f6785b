"""The same audio under two ids of one data directory: one of them is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.program import log_message
from common.text_lines import fields_of
from common.trial_lines import read_trial_lines
from local.equal_audio import Heard
from local.program import first_of, printable
from minikaldi.data_dir.directory import DirectoryWriter, read_utt2spk
from minikaldi.data_dir.subset import write_kept
from minikaldi.data_dir.tables import read_values


@dataclass(frozen=True)
class Repeated:
    """What a data directory has twice.

    Attributes:
        directory: the data directory.
        others_of: utterance that can go -> the one with the same audio that stays.
        in_trials: `a = b` for further utterances of the same audio, which the trials need.
    """

    directory: Path
    others_of: dict[str, Heard]
    in_trials: list[str]

    def __str__(self) -> str:
        first = first_of([f"{utt_id} = {kept.utt_id}" for utt_id, kept in self.others_of.items()])
        return f"{self.directory}: {len(self.others_of)} utterances have the audio of another: {first}"


def repeated_in(directory: Path, groups: Iterable[Sequence[Heard]]) -> Repeated:
    """Choose what stays of each group of utterances with the same audio: those that trials name, or else the first.

    Raises:
        InputError: a wrong line in the trials.
    """
    groups = [group for group in groups if len(group) > 1]
    needed = _in_trials(directory) if groups else frozenset()
    repeated = Repeated(directory, {}, [])
    for group in groups:
        staying = [one for one in group if one.utt_id in needed] or [group[0]]
        repeated.others_of.update({one.utt_id: staying[0] for one in group if one not in staying})
        repeated.in_trials.extend(f"{one.utt_id} = {staying[0].utt_id}" for one in staying[1:])
    return repeated


def _in_trials(directory: Path) -> frozenset[str]:
    """The utterances that the trials of a data directory compare, or that its models are made of."""
    needed: set[str] = set()
    if (directory / "trials").is_file():
        needed.update(name for trial in read_trial_lines(directory / "trials") for name in (trial.enroll, trial.test))
    if (directory / "enroll2utt").is_file():
        for utt_ids in read_values(directory / "enroll2utt").values():
            needed.update(fields_of(utt_ids))
    return frozenset(needed)


def drop(directory: Path, repeated: Repeated) -> None:
    """Take the utterances that can go out of all tables, and write why to the table `dropped`."""
    utt2spk, table = read_utt2spk(directory), directory / "dropped"
    kept = {utt_id: spk_id for utt_id, spk_id in utt2spk.items() if utt_id not in repeated.others_of}
    reasons = read_values(table) if table.is_file() and table.stat().st_size else {}
    for utt_id, one in repeated.others_of.items():
        speaker = f", of speaker {utt2spk[one.utt_id]}" if utt2spk[one.utt_id] != utt2spk[utt_id] else ""
        reasons[utt_id] = f"has the same audio as {one.utt_id}{speaker} ({printable(one.path)})"
    with DirectoryWriter(directory) as writer:
        write_kept(writer, directory, kept)
        writer.write("dropped", sorted(f"{utt_id} {reason}" for utt_id, reason in reasons.items()))
    counts = f"{len(utt2spk)} utterances in, {len(kept)} out, {len(repeated.others_of)} dropped"
    log_message(f"{repeated}; {counts} (see {table})")
