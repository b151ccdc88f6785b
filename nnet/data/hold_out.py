"""Choosing which recordings are held out of training, and the trials over them.

Of a chosen speaker at least two recordings are held out, because a target trial joins two different recordings: two
utterances of one recording share its channel and would be too easy. At least one recording stays for training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from common.errors import InputError
from common.options import OptionSet, option
from nnet.config.program_options import MOST_VALID_SHARE

NONTARGETS_PER_TARGET = 10  # pairs of two speakers are many and cheap: the more, the finer the error rate
MIN_UTTS = 4  # of a held-out speaker: two utterances make one target pair, four make six
MIN_SPEAKERS = 5  # with fewer, the held-out error rate is mostly chance; a small corpus may exceed its share for them


@dataclass(frozen=True)
class SourcedUtterance:
    """An utterance, its speaker, its source recording, and whether it is an original, not an augmented copy."""

    utt_id: str
    spk_id: str
    rec_id: str
    clean: bool


@dataclass(frozen=True)
class HoldOutOptions(OptionSet):
    """How much to hold out; options of `nnet.make_lists`."""

    valid_share: float = option(
        0.1, "share of clean utterances to hold out; 0: train without validation", least=0, most=MOST_VALID_SHARE
    )
    max_valid: int = option(2000, "utterances to hold out at most, approximately", least=1)
    max_pairs: int = option(10000, "target pairs at most, and nontarget pairs at most", least=1)
    seed: int = option(1, "random seed of the choice", least=0)


@dataclass(frozen=True)
class Split:
    """Training and held-out utterances; `twins` are augmented copies of held-out ones, used on neither side."""

    train: list[SourcedUtterance]
    valid: list[SourcedUtterance]
    twins: list[SourcedUtterance]


def split_by_recording(utterances: Sequence[SourcedUtterance], options: HoldOutOptions) -> Split:
    """Hold out whole recordings of some speakers.

    Speakers come in a random order, until `valid_share` of the clean utterances are held out, or `max_valid`. Each
    gives that share of its recordings, but at least two, and up to half of them while they hold fewer than four
    utterances. A recording of several speakers stays in training.

    Args:
        utterances: in order of their ids, which is also the order of each part of the result.

    Raises:
        InputError: fewer than two speakers have three recordings.
    """
    held_out: set[str] = set()
    if options.valid_share > 0:
        held_out = _choose_recordings(utterances, options)
    valid = [u for u in utterances if u.clean and u.rec_id in held_out]
    twins = [u for u in utterances if not u.clean and u.rec_id in held_out]
    return Split([u for u in utterances if u.rec_id not in held_out], valid, twins)


def _choose_recordings(utterances: Sequence[SourcedUtterance], options: HoldOutOptions) -> set[str]:
    clean_counts: dict[str, int] = defaultdict(int)
    speakers_of: dict[str, set[str]] = defaultdict(set)
    for u in utterances:
        clean_counts[u.rec_id] += u.clean
        if u.clean:  # a copy at another speed is not another speaker of the recording
            speakers_of[u.rec_id].add(u.spk_id)
    recordings: dict[str, list[str]] = defaultdict(list)
    for rec_id in sorted(clean_counts):
        if clean_counts[rec_id] and len(speakers_of[rec_id]) == 1:
            recordings[next(iter(speakers_of[rec_id]))].append(rec_id)
    able = sorted(spk_id for spk_id, own in recordings.items() if len(own) >= 3)
    if len(able) < 2:
        most = max((len(own) for own in recordings.values()), default=0)
        raise InputError(
            f"{len(able)} speakers have three or more recordings (the most is {most}), expected >= 2 such speakers:"
            " two recordings of each are held out and one trained on; give more data, remove utt2rec to split by"
            " utterance, or train without validation by --valid-share 0"
        )
    rng = np.random.default_rng(options.seed)
    wanted = min(options.valid_share * sum(clean_counts.values()), options.max_valid)
    held_out: set[str] = set()
    count = 0
    for done, index in enumerate(rng.permutation(len(able))):
        if count >= wanted and done >= MIN_SPEAKERS:
            break
        own = recordings[able[index]]
        chosen = _some([own[place] for place in rng.permutation(len(own))], clean_counts, options.valid_share)
        held_out.update(chosen)
        count += sum(clean_counts[rec_id] for rec_id in chosen)
    return held_out


def _some(own: Sequence[str], clean_counts: Mapping[str, int], share: float) -> Sequence[str]:
    """The first two recordings and more until there are enough utterances, but no more than half of all."""
    number = max(2, round(share * len(own)))
    while number < len(own) // 2 and sum(clean_counts[rec_id] for rec_id in own[:number]) < MIN_UTTS:
        number += 1
    return own[:number]


def draw_trials(valid: Sequence[SourcedUtterance], options: HoldOutOptions) -> list[tuple[str, str, bool]]:
    """Target pairs across recordings and ten times as many nontarget pairs, each pair once, in order of the ids.

    Returns:
        (enroll_id, test_id, is target); empty if nothing is held out.
    """
    rng = np.random.default_rng([options.seed, 1])
    targets = _target_pairs(valid)
    if len(targets) > options.max_pairs:
        chosen = rng.choice(len(targets), options.max_pairs, replace=False)
        targets = [targets[place] for place in chosen]
    nontargets = _nontarget_pairs(valid, min(NONTARGETS_PER_TARGET * len(targets), options.max_pairs), rng)
    pairs = [(a, b, True) for a, b in targets] + [(a, b, False) for a, b in nontargets]
    return sorted((valid[a].utt_id, valid[b].utt_id, target) for a, b, target in pairs)


def _target_pairs(valid: Sequence[SourcedUtterance]) -> list[tuple[int, int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, u in enumerate(valid):
        places[u.spk_id].append(place)
    pairs = (pair for own in places.values() for pair in combinations(own, 2))
    return [(a, b) for a, b in pairs if valid[a].rec_id != valid[b].rec_id]


def _nontarget_pairs(valid: Sequence[SourcedUtterance], wanted: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """`wanted` different pairs of two speakers, or all there are."""
    counts = np.unique([u.spk_id for u in valid], return_counts=True)[1] if valid else np.zeros(1, np.int64)
    possible = int((len(valid) ** 2 - (counts**2).sum()) // 2)
    if possible <= 2 * wanted:
        pairs = [(a, b) for a, b in combinations(range(len(valid)), 2) if valid[a].spk_id != valid[b].spk_id]
        return [pairs[place] for place in rng.permutation(len(pairs))[:wanted]]
    drawn: set[tuple[int, int]] = set()
    while len(drawn) < wanted:
        a, b = sorted(rng.integers(len(valid), size=2).tolist())
        if valid[a].spk_id != valid[b].spk_id:
            drawn.add((a, b))
    return sorted(drawn)
