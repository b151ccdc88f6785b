#!/usr/bin/env python3
"""Check that enough speakers can be left for training, by the data directory of stage 0.

    check_speakers.py --min-utts 8 --min-frames 400 --frame-rate 100 --copies 4 --valid-share 0.1 data/train

Stage 5 drops short utterances, then speakers with few utterances, and holds out a share of the recordings. Too few or
too short files for that are an error here, before features are made.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import run_program
from local.program import new_parser
from minikaldi.data_dir.directory import read_utt2spk
from minikaldi.data_dir.tables import read_numbers, read_pairs

MIN_SPEAKERS = 2  # for classification, and to hold out
MIN_RECORDINGS = 3  # of a held-out speaker: two are held out, one is trained on
SPARE_FRAMES = 2  # the last frames of an utterance, with or without --snip-edges


def long_enough(data: Path, utt2spk: dict[str, str], min_frames: float, frame_rate: float) -> list[str]:
    """The utterances that may have enough frames; those of unknown length are included."""
    if not (data / "utt2dur").is_file():
        return list(utt2spk)
    seconds = read_numbers(data / "utt2dur")
    return [utt for utt in utt2spk if utt not in seconds or seconds[utt] * frame_rate + SPARE_FRAMES >= min_frames]


def check_speakers(data: Path, options: argparse.Namespace) -> None:
    """Refuse a training set that stage 5 would refuse.

    Raises:
        InputError: fewer than two speakers have enough utterances, or recordings to hold out.
    """
    utt2spk = read_utt2spk(data)
    utts = long_enough(data, utt2spk, options.min_frames, options.frame_rate)
    counts = Counter(utt2spk[utt] for utt in utts)
    most = max(counts.values(), default=0)
    usable = {spk for spk, count in counts.items() if count * (1 + options.copies) >= options.min_utts}
    found = f"{data}: {len(utt2spk)} utterances of {len(set(utt2spk.values()))} speakers"
    if len(usable) < MIN_SPEAKERS:
        raise InputError(
            f"{found}: {len(usable)} speakers have {options.min_utts} utterances of {options.min_frames:g} frames (the"
            f" most is {most}), expected two speakers at least; give more data, or lower --min-utts, --min-seconds or"
            " --min-frames"
        )
    if options.valid_share <= 0:
        return
    recording = read_pairs(data / "utt2rec") if (data / "utt2rec").is_file() else {}
    recordings: dict[str, set[str]] = defaultdict(set)
    for utt in utts:
        if utt2spk[utt] in usable:
            recordings[utt2spk[utt]].add(recording.get(utt, utt))
    able = sum(len(own) >= MIN_RECORDINGS for own in recordings.values())
    if able < MIN_SPEAKERS:
        most = max(map(len, recordings.values()))
        raise InputError(
            f"{found}: {able} speakers have three or more recordings (the most is {most}), expected two speakers at"
            " least: two recordings of each are held out and one trained on; give more data, or train without"
            " validation by --valid-share 0"
        )


def main(argv: Sequence[str]) -> None:
    """Command line of local/check_speakers.py."""
    parser = new_parser("check_speakers.py", __doc__)
    parser.add_argument("--min-utts", type=int, default=1, help="utterances that a training speaker must have")
    parser.add_argument("--min-frames", type=float, default=0, help="frames that an utterance must have")
    parser.add_argument("--frame-rate", type=float, default=100, help="frames per second (default %(default)s)")
    parser.add_argument("--copies", type=int, default=0, help="augmented copies of an utterance, at most")
    parser.add_argument("--valid-share", type=float, default=0, help="share of the recordings that is held out")
    parser.add_argument("data", type=Path)
    options = parser.parse_args(argv)
    check_speakers(options.data, options)


if __name__ == "__main__":
    run_program(main)
