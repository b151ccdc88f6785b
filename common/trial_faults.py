"""Faults of a trial list as a whole, in which each line has the right form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIRST = 3  # faults in a message


@dataclass(frozen=True)
class Row:
    """A trial.

    Attributes:
        where: its place, as `line 3`.
        enroll: enrolment.
        test: test utterance.
        is_target: whether both are of one speaker.
    """

    where: str
    enroll: str
    test: str
    is_target: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.enroll} {self.test} {'target' if self.is_target else 'nontarget'}"


def trial_fault(rows: Iterable[Row], speaker_of: Mapping[str, str], table: str = "utt2spk") -> str | None:
    """The fault of the trials; None if there is none.

    Args:
        rows: the trials.
        speaker_of: speaker of each utterance and enrolled model; others are ignored.
        table: name of `speaker_of` in messages.
    """
    first: dict[tuple[str, str], Row] = {}
    repeated: list[str] = []
    contradicting: list[str] = []
    for row in rows:
        earlier = first.setdefault((row.enroll, row.test), row)
        if earlier is not row:
            other = "" if earlier.is_target == row.is_target else ", with the other label"
            repeated.append(f"{row} is already on {earlier.where}{other}")
        speakers = [speaker_of[name] for name in (row.enroll, row.test) if name in speaker_of]
        if len(speakers) == 2 and (speakers[0] == speakers[1]) != row.is_target:
            contradicting.append(f"{row}, of {' and '.join(dict.fromkeys(speakers))}")
    if contradicting:
        return (
            f"{len(contradicting)} of {len(first)} labels contradict {table}: {_some(contradicting)}; correct the"
            " labels, or the speakers"
        )
    if repeated:
        return f"{len(repeated)} trials are there twice: {_some(repeated)}; remove one of each"
    return None


def balance_fault(num_targets: int, num_nontargets: int) -> str | None:
    """The fault of a list for an error rate; None if it has targets and nontargets."""
    if num_targets and num_nontargets:
        return None
    there, lacking = ("nontarget", "target") if num_nontargets else ("target", "nontarget")
    return (
        f"has {num_targets + num_nontargets} {there} trials and no {lacking} trial; an error rate needs both kinds: two"
        " utterances of one speaker, and utterances of two speakers"
    )


def _some(faults: list[str]) -> str:
    more = f" and {len(faults) - FIRST} more" if len(faults) > FIRST else ""
    return "; ".join(faults[:FIRST]) + more
