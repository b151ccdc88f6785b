"""A random, balanced trial list.

    python3 -m scoring.make_trials [options] <utt2spk> <trials>

Every speaker gets the same number of target trials, as far as its utterances allow. Every target trial has the same
number of nontarget trials: its enrolment utterance against other speakers in turn, of the same gender if genders are
known. With source recordings, target trials are across recordings only: within one recording the room and the
microphone would decide the trial.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from common.program import Parser, run_program
from minikaldi.data_dir.tables import read_pairs
from scoring.pairs import Pair, PairList
from scoring.trials import Trials, write_trials

logger = logging.getLogger(__name__)

MAX_TRIES_PER_NONTARGET = 20


@dataclass(frozen=True)
class TrialCounts:
    """How many trials to draw.

    Attributes:
        targets_per_speaker: target trials of each speaker, at most.
        nontargets_per_target: nontarget trials for each target trial.
    """

    targets_per_speaker: int = 50
    nontargets_per_target: int = 1


def make_trials(
    utt2spk: Mapping[str, str],
    counts: TrialCounts,
    seed: int,
    spk2gender: Mapping[str, str] | None = None,
    utt2rec: Mapping[str, str] | None = None,
) -> Trials:
    """Draw a trial list.

    Args:
        utt2spk: speaker of each utterance.
        counts: trials to draw.
        seed: random seed.
        spk2gender: gender of each speaker; nontarget trials are then within a gender.
        utt2rec: source recording of each utterance; target trials are then across recordings.

    Returns:
        Target and nontarget trials, no unordered pair twice. The number of speakers without a target trial is logged.

    Raises:
        InputError: no speaker allows a target trial, no nontarget trial is possible, or a mapping lacks an entry.
    """
    utts_of: dict[str, list[str]] = defaultdict(list)
    for utt_id in sorted(utt2spk):
        utts_of[utt2spk[utt_id]].append(utt_id)
    _require_entries(utts_of, spk2gender, "spk2gender")
    _require_entries(utt2spk, utt2rec, "utt2rec")
    rng = np.random.default_rng(seed)
    targets = {spk: _draw_targets(utts_of[spk], utt2rec, counts.targets_per_speaker, rng) for spk in sorted(utts_of)}
    _log_speakers_without_targets(targets, utts_of)
    nontargets = _draw_nontargets(targets, utts_of, spk2gender, counts.nontargets_per_target, rng)
    pairs = [(pair, True) for drawn in targets.values() for pair in drawn] + [(pair, False) for pair in nontargets]
    pairs.sort()
    return Trials(PairList.of(pair for pair, _ in pairs), np.array([label for _, label in pairs], dtype=bool))


def _draw_targets(
    utts: Sequence[str], utt2rec: Mapping[str, str] | None, limit: int, rng: np.random.Generator
) -> list[Pair]:
    """At most `limit` pairs of one speaker's utterances, without replacement."""
    first, second = np.triu_indices(len(utts), k=1)
    if utt2rec is not None:
        recordings = np.unique([utt2rec[utt_id] for utt_id in utts], return_inverse=True)[1]
        across = recordings[first] != recordings[second]
        first, second = first[across], second[across]
    chosen = rng.permutation(len(first))[:limit]
    swapped = rng.random(len(chosen)) < 0.5  # either side may enrol, whatever its place in the list
    pairs = zip(first[chosen], second[chosen], swapped, strict=True)
    return [(utts[j], utts[i]) if swap else (utts[i], utts[j]) for i, j, swap in pairs]


def _draw_nontargets(
    targets: Mapping[str, list[Pair]],
    utts_of: Mapping[str, list[str]],
    spk2gender: Mapping[str, str] | None,
    per_target: int,
    rng: np.random.Generator,
) -> list[Pair]:
    """`per_target` pairs for every target pair: its first utterance with one of each next speaker."""
    drawn: dict[Pair, None] = {}
    short, wanted = 0, 0
    for speaker, pairs in targets.items():
        others = [
            other
            for other in utts_of
            if other != speaker and (spk2gender is None or spk2gender[other] == spk2gender[speaker])
        ]
        queue = [others[i] for i in rng.permutation(len(others))]
        for turn, (enroll_id, _) in enumerate(pair for pair in pairs for _ in range(per_target)):
            wanted += 1
            pair = _new_nontarget(enroll_id, queue, turn, utts_of, drawn, rng)
            if pair is None:
                short += 1
            else:
                drawn[pair] = None
    if not drawn:
        raise InputError("no nontarget trial is possible: there is one speaker only, or one of each gender")
    if short:
        logger.warning("%d of %d nontarget trials could not be drawn without repetition", short, wanted)
    return list(drawn)


def _new_nontarget(
    enroll_id: str,
    queue: Sequence[str],
    turn: int,
    utts_of: Mapping[str, list[str]],
    drawn: Mapping[Pair, None],
    rng: np.random.Generator,
) -> Pair | None:
    """A pair of the enrolment utterance and one of another speaker, not drawn before in either order; None if none."""
    for attempt in range(MAX_TRIES_PER_NONTARGET if queue else 0):
        utts = utts_of[queue[(turn + attempt) % len(queue)]]
        test_id = utts[int(rng.integers(len(utts)))]
        if (enroll_id, test_id) not in drawn and (test_id, enroll_id) not in drawn:
            return enroll_id, test_id
    return None


def _log_speakers_without_targets(targets: Mapping[str, list[Pair]], utts_of: Mapping[str, list[str]]) -> None:
    without = [speaker for speaker, pairs in targets.items() if not pairs]
    if len(without) == len(targets):
        raise InputError("no target trial is possible: no speaker has two utterances (of two recordings, if given)")
    if without:
        first = f"{without[0]}, {len(utts_of[without[0]])} utterance(s)"
        logger.warning("%d of %d speakers give no target trial (first: %s)", len(without), len(targets), first)


def _require_entries(ids: Mapping[str, object], known: Mapping[str, str] | None, name: str) -> None:
    missing = [] if known is None else [item for item in ids if item not in known]
    if missing:
        raise InputError(f"{name}: {len(missing)} of {len(ids)} ids are missing (first: {missing[0]})")


def main(argv: Sequence[str] | None = None) -> int:
    """Write a trial list."""
    parser = Parser(prog="python3 -m scoring.make_trials", description="Draw a balanced trial list.")
    parser.add_argument("--spk2gender", help="keep nontargets within a gender")
    parser.add_argument("--utt2rec", help="keep targets across source recordings")
    most = "target trials of a speaker, at most (default %(default)s)"
    parser.add_argument("--targets-per-speaker", type=int, default=50, help=most)
    parser.add_argument("--nontargets-per-target", type=int, default=1, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default %(default)s)")
    parser.add_argument("--source", metavar="DIR", help="source of the utterances, for messages")
    parser.add_argument("utt2spk")
    parser.add_argument("trials", help="file to write")
    args = parser.parse_args(argv)
    if args.targets_per_speaker < 1 or args.nontargets_per_target < 1:
        parser.error("--targets-per-speaker and --nontargets-per-target must be >= 1")
    utt2spk = read_pairs(args.utt2spk)
    gender, recordings = (read_pairs(table) if table else None for table in (args.spk2gender, args.utt2rec))
    counts = TrialCounts(args.targets_per_speaker, args.nontargets_per_target)
    try:
        trials = make_trials(utt2spk, counts, args.seed, gender, recordings)
    except InputError as error:
        where = f"{args.source} ({args.utt2spk})" if args.source else args.utt2spk
        raise InputError(f"{where}: {error}") from error
    write_trials(args.trials, trials)
    logger.info("%s: %d target and %d nontarget trials", args.trials, trials.num_targets, trials.num_nontargets)
    return 0


if __name__ == "__main__":
    run_program(main)
