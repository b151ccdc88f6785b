"""The source of each utterance: a copy belongs to the recording of its source, on the same side of the split.

The tools that make copies write it to the table `utt2uniq` (`copy source`; an original is its own source). For
utterances that are not in the table, the names decide: see minikaldi/copies/copy_names.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from common.errors import InputError
from minikaldi.copies.copy_names import SPEED_PREFIX, Affixes, learn_affixes

FIRST = 3  # examples in a message


@dataclass(frozen=True)
class Sources:
    """The source of each utterance.

    Attributes:
        of: utterance -> source; an original is its own.
        clean: the originals and, of a source that is not in the data itself, one of its copies.
        affixes: what the names of copies have, besides those of their sources.
        warnings: what was guessed or does not fit.
    """

    of: dict[str, str]
    clean: frozenset[str]
    affixes: Affixes
    warnings: list[str] = field(default_factory=list)


def find_sources(utt2spk: Mapping[str, str], utt2uniq: Mapping[str, str] | None, where: str) -> Sources:
    """Find the source of each utterance.

    Args:
        utt2spk: speaker of each utterance.
        utt2uniq: copy -> source; None if there is no such table. It may name utterances that are not in `utt2spk`.
        where: what a message calls the data directory.

    Raises:
        InputError: utt2uniq names an utterance as a copy of its own copy.
    """
    table = utt2uniq or {}
    sources = {utt_id: root_of(utt_id, table, where) for utt_id in utt2spk}
    open_ids = [utt_id for utt_id in utt2spk if sources[utt_id] == utt_id]
    affixes = learn_affixes(utt2spk, set(open_ids))
    stripped = ((utt_id, affixes.stripped(utt_id)) for utt_id in open_ids)
    guessed = {utt_id: name for utt_id, name in stripped if name != utt_id}
    for utt_id, name in guessed.items():
        sources[utt_id] = sources.get(name, name)
    clean = _clean(sources)
    warnings = [*_unfit(utt2uniq, utt2spk, where), *_absent(sources, guessed, where)]
    warnings += _guesses({utt_id: sources[utt_id] for utt_id in guessed if utt_id not in clean}, where)
    return Sources(sources, clean, affixes, warnings)


def root_of(utt_id: str, table: Mapping[str, str], where: str) -> str:
    """The end of the chain copy -> source in a table of copies.

    Raises:
        InputError: it has none, since an utterance is a copy of its own copy.
    """
    if utt_id not in table:  # most utterances are originals
        return utt_id
    chain = [utt_id]
    while (source := table.get(chain[-1], chain[-1])) != chain[-1]:
        if source in chain:
            circle = " -> ".join([*chain, source])
            raise InputError(f"{where}/utt2uniq: {circle}: a copy of its own copy; correct the lines")
        chain.append(source)
    return chain[-1]


def _clean(sources: Mapping[str, str]) -> frozenset[str]:
    """The originals; of copies without their original, the one with the nearest name."""
    orphans: dict[str, list[str]] = defaultdict(list)
    for utt_id, source in sources.items():
        if source not in sources:
            orphans[source].append(utt_id)
    nearest = (min(copies, key=_farness) for copies in orphans.values())
    return frozenset(nearest).union(utt_id for utt_id, source in sources.items() if utt_id == source)


def _farness(utt_id: str) -> tuple[bool, int, str]:
    """Sorts copies at another speed (not `sp1.0-`), with longer or later names, after others."""
    match = SPEED_PREFIX.match(utt_id)
    return match is not None and float(match[0][2:-1]) != 1, len(utt_id), utt_id


def _unfit(utt2uniq: Mapping[str, str] | None, utt2spk: Mapping[str, str], where: str) -> Iterator[str]:
    """Warnings if utt2uniq and the utterances do not match."""
    if utt2uniq is None:
        return
    known = {*utt2uniq, *utt2uniq.values()}
    lacking = [utt_id for utt_id in utt2spk if utt_id not in known]
    if lacking:
        yield (
            f"{where}/utt2uniq: {len(lacking)} of {len(utt2spk)} utterances have no line ({_some(lacking)}): they count"
            " as originals, or as copies if their names say so; add a line `copy source` for each copy"
        )
    unknown = [utt_id for utt_id in utt2uniq if utt_id not in utt2spk]
    if unknown:
        yield f"{where}/utt2uniq: {len(unknown)} utterances are not in the data directory ({_some(unknown)})"


def _absent(sources: Mapping[str, str], guessed: Mapping[str, str], where: str) -> Iterator[str]:
    absent = {
        source: f"{utt_id} of {source}"
        for utt_id, source in sources.items()
        if source not in sources and utt_id not in guessed
    }
    if absent:
        yield (
            f"{where}/utt2uniq: {len(absent)} sources are not in the data directory, only their copies are"
            f" ({_some(list(absent.values()))}): one copy of each counts as the original"
        )


def _guesses(guessed: Mapping[str, str], where: str) -> Iterator[str]:
    if guessed:
        examples = [f"{utt_id} of {source}" for utt_id, source in guessed.items()]
        yield (
            f"{where}: {len(guessed)} utterances look like copies of others by their names ({_some(examples)}), and are"
            f" kept on the side of these; {where}/utt2uniq, lines `copy source`, would say so for certain"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:FIRST]) + (f" and {len(names) - FIRST} more" if len(names) > FIRST else "")
