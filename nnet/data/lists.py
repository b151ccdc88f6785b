"""Reading the training lists that make_lists.py writes, in a form that holds millions of utterances.

Without torch. Ids and file names are kept as one block of bytes with offsets: a list of a million Python strings would
take ten times the memory, and reading it in a forked worker would copy each page of it (reference counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.text_lines import numbered_fields
from common.trial_forms import KALDI_FORM

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")  # all fit into int32
LIST_FILES = ("train.scp", "valid.scp", "utt2num_frames", "utt2spk", "spk2int", "valid.trials", "dropped")


def read_id_table(path: Path) -> dict[str, str]:
    """Lines `id value` as a dict in file order; values keep their inner blanks.

    Raises:
        InputError: no such file, UTF-16, a line without a value, or an id that occurs twice.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    table: dict[str, str] = {}
    for number, fields in numbered_fields(path, InputError, most=1):
        if len(fields) == 1:
            raise InputError(f"{path}:{number}: found {fields[0]!r} alone, expected an id and a value")
        if fields[0] in table:
            raise InputError(f"{path}:{number}: the id {fields[0]} occurs twice; remove one of the lines")
        table[fields[0]] = fields[1]
    return table


def read_int_table(path: Path) -> dict[str, int]:
    """Lines `id integer`.

    Raises:
        InputError: as in `read_id_table`, or a value that is not an integer.
    """
    table = read_id_table(path)
    for key, value in table.items():
        if not _WHOLE_NUMBER.fullmatch(value):
            raise InputError(f"{path}: {key} has {value!r}, expected an integer of at most nine digits")
    return {key: int(value) for key, value in table.items()}


def look_up(table: dict[str, str] | dict[str, int], keys: Iterable[str], path: Path) -> None:
    """Check that `table`, read from `path`, has all the keys.

    Raises:
        InputError: names the first that is missing, and how many are.
    """
    missing = [key for key in keys if key not in table]
    if missing:
        raise InputError(f"{path}: {len(missing)} utterances of the feature list are missing (first: {missing[0]})")


class StringTable:
    """An immutable sequence of strings in two arrays."""

    def __init__(self, strings: Iterable[str]) -> None:
        encoded = [text.encode("utf-8", "surrogateescape") for text in strings]
        lengths = np.fromiter((len(text) for text in encoded), dtype=np.int64, count=len(encoded))
        self._ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        self._bytes = np.frombuffer(b"".join(encoded), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} strings")
        return self._bytes[self._ends[index] : self._ends[index + 1]].tobytes().decode("utf-8", "surrogateescape")


class CopiedStrings:
    """`strings`, and then again with each of the prefixes before them; nothing is copied.

    Args:
        strings: N of them.
        prefixes: of the second N, the third N, and so on.
    """

    def __init__(self, strings: StringTable, prefixes: Sequence[str]) -> None:
        self._strings, self._prefixes = strings, ("", *prefixes)

    def __len__(self) -> int:
        return len(self._strings) * len(self._prefixes)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} strings")
        copy, place = divmod(index, len(self._strings))
        return self._prefixes[copy] + self._strings[place]


@dataclass(frozen=True)
class UtteranceList:
    """Utterances of one list; row n of each field belongs to the n-th.

    Args:
        utt_ids: the ids.
        feats: Kaldi rxfilenames of the feature matrices.
        num_frames: int32 (N,).
        speakers: int32 (N,), places in the list of speakers.
    """

    utt_ids: StringTable | CopiedStrings
    feats: StringTable | CopiedStrings
    num_frames: npt.NDArray[np.int32]
    speakers: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.utt_ids)


@dataclass(frozen=True)
class HeldOutTrials:
    """Pairs of the held-out utterances: places in `valid`, and whether both are of one speaker; each of shape (N,)."""

    enroll: npt.NDArray[np.int32]
    test: npt.NDArray[np.int32]
    target: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class TrainingLists:
    """What a lists directory holds: the speaker of class n is `speaker_ids[n]`."""

    train: UtteranceList
    valid: UtteranceList
    speaker_ids: tuple[str, ...]
    trials: HeldOutTrials


def with_speed_copies(lists: TrainingLists, factors: Sequence[float]) -> TrainingLists:
    """The lists with virtual copies of the training utterances at other speeds, as speakers of their own.

    Copy c (from 1 on) of utterance n of N is utterance c N + n, and its speaker c S + s: `sp0.9-<utt>` of
    `sp0.9-<spk>`. A copy's voiced frames are counted as those of the original over the factor, rounded down; the
    reader maps the original's voice activity, and may find a few more or fewer.

    Args:
        lists: N training utterances of S speakers.
        factors: speeds; none leaves the lists as they are.
    """
    if not factors:
        return lists
    train, num_speakers = lists.train, len(lists.speaker_ids)
    assert isinstance(train.utt_ids, StringTable) and isinstance(train.feats, StringTable)  # not copied before
    prefixes = [f"sp{factor:g}-" for factor in factors]
    counts = [np.maximum(1, (train.num_frames / factor).astype(np.int32)) for factor in factors]
    copied = UtteranceList(
        CopiedStrings(train.utt_ids, prefixes),
        CopiedStrings(train.feats, [""] * len(prefixes)),
        np.concatenate([train.num_frames, *counts]),
        np.concatenate([train.speakers + np.int32(copy * num_speakers) for copy in range(len(prefixes) + 1)]),
    )
    speaker_ids = tuple(prefix + spk_id for prefix in ("", *prefixes) for spk_id in lists.speaker_ids)
    return replace(lists, train=copied, speaker_ids=speaker_ids)


def read_lists(lists_dir: Path) -> TrainingLists:
    """Read a directory that `python3 -m nnet.make_lists` wrote.

    Raises:
        InputError: a missing or inconsistent file, or no training utterances.
    """
    missing = [name for name in LIST_FILES if not (lists_dir / name).is_file()]
    if missing:
        raise InputError(f"{lists_dir}: no {', '.join(missing)}; make the lists with python3 -m nnet.make_lists")
    spk2int = read_int_table(lists_dir / "spk2int")
    if sorted(spk2int.values()) != list(range(len(spk2int))):
        raise InputError(f"{lists_dir}/spk2int: the classes are not 0 … {len(spk2int) - 1}, each once")
    num_frames = read_int_table(lists_dir / "utt2num_frames")
    utt2spk = read_id_table(lists_dir / "utt2spk")
    train_scp, valid_scp = read_id_table(lists_dir / "train.scp"), read_id_table(lists_dir / "valid.scp")
    if not train_scp:
        raise InputError(f"{lists_dir}/train.scp: is empty, expected training utterances")
    for scp in (train_scp, valid_scp):
        look_up(num_frames, scp, lists_dir / "utt2num_frames")
        look_up(utt2spk, scp, lists_dir / "utt2spk")
    return TrainingLists(
        train=_utterances(train_scp, num_frames, utt2spk, spk2int, lists_dir),
        valid=_utterances(valid_scp, num_frames, utt2spk, spk2int, lists_dir),
        speaker_ids=tuple(sorted(spk2int, key=lambda spk_id: spk2int[spk_id])),
        trials=read_valid_trials(lists_dir / "valid.trials", list(valid_scp)),
    )


def _utterances(
    scp: dict[str, str], num_frames: dict[str, int], utt2spk: dict[str, str], spk2int: dict[str, int], lists_dir: Path
) -> UtteranceList:
    empty = [utt_id for utt_id in scp if num_frames[utt_id] < 1]
    if empty:
        found = f"{empty[0]} has {num_frames[empty[0]]} frames"
        raise InputError(f"{lists_dir}/utt2num_frames: {found}, expected >= 1")
    unknown = [utt_id for utt_id in scp if utt2spk[utt_id] not in spk2int]
    if unknown:
        raise InputError(f"{lists_dir}/spk2int: no speaker {utt2spk[unknown[0]]} (of {unknown[0]})")
    return UtteranceList(
        StringTable(scp),
        StringTable(scp.values()),
        np.fromiter((num_frames[utt_id] for utt_id in scp), dtype=np.int32, count=len(scp)),
        np.fromiter((spk2int[utt2spk[utt_id]] for utt_id in scp), dtype=np.int32, count=len(scp)),
    )


def read_valid_trials(path: Path, utt_ids: list[str]) -> HeldOutTrials:
    """Lines `enroll_id test_id target|nontarget` over `utt_ids`.

    Raises:
        InputError: another form of line, or an id that is not in `utt_ids`.
    """
    places = {utt_id: place for place, utt_id in enumerate(utt_ids)}
    pairs: list[tuple[int, int, bool]] = []
    for number, fields in numbered_fields(path, InputError):
        trial = KALDI_FORM.parse(fields)
        if trial is None:
            raise InputError(f"{path}:{number}: found {' '.join(fields)!r}, expected {KALDI_FORM.example}")
        for utt_id in trial[:2]:
            if utt_id not in places:
                raise InputError(f"{path}:{number}: {utt_id} is not in valid.scp")
        pairs.append((places[trial[0]], places[trial[1]], trial[2]))
    enroll, test, target = zip(*pairs, strict=True) if pairs else ((), (), ())
    return HeldOutTrials(np.array(enroll, np.int32), np.array(test, np.int32), np.array(target, np.bool_))
