"""Augmented copies on the other side of the split: a test utterance whose source, or another copy of it, is trained on.

The table `utt2uniq` (`copy source`) says so for certain; names as `<utt_id>-noise` or `sp0.9-<utt_id>` suggest it
(minikaldi/copies/copy_names.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minikaldi.copies.sources import find_sources, root_of
from minikaldi.data_dir.directory import read_utt2spk
from minikaldi.data_dir.tables import read_pairs


@dataclass(frozen=True)
class Copies:
    """Utterances of a test set with the training utterance of the same source: test utterance -> training utterance.

    Attributes:
        certain: by utt2uniq, or since the ids are equal.
        suggested: by their names alone.
    """

    certain: dict[str, str]
    suggested: dict[str, str]


def find_copies(train: Path, test: Path) -> Copies:
    """The utterances of a test set that have the same source as one of the training set.

    Raises:
        InputError: a table has an invalid line, or utt2uniq names an utterance as a copy of its own copy.
    """
    speakers = read_utt2spk(train), read_utt2spk(test)
    tables = [read_pairs(side / "utt2uniq") if (side / "utt2uniq").is_file() else None for side in (train, test)]
    where = f"{train} and {test}"
    by_table = [
        {utt_id: root_of(utt_id, table or {}, str(side)) for utt_id in utt2spk}
        for side, utt2spk, table in zip((train, test), speakers, tables, strict=True)
    ]
    certain = _shared(*by_table)
    known = {**(tables[0] or {}), **(tables[1] or {})} if any(table is not None for table in tables) else None
    sources = find_sources({**speakers[0], **speakers[1]}, known, where).of
    guessed = _shared(*({utt_id: sources[utt_id] for utt_id in utt2spk} for utt2spk in speakers))
    return Copies(certain, {test_id: other for test_id, other in guessed.items() if test_id not in certain})


def _shared(train: Mapping[str, str], test: Mapping[str, str]) -> dict[str, str]:
    """Test utterance -> a training utterance of the same source, of maps utterance -> source."""
    wanted = set(test.values())
    trained_on = {source: utt_id for utt_id, source in list(train.items())[::-1] if source in wanted}
    return {utt_id: trained_on[source] for utt_id, source in test.items() if source in trained_on}
