"""get_num_frames.sh and get_frame_shift.sh: the number of frames of a data directory, and their distance.

Source: the output of Kaldi's utils/data/get_num_frames.sh and get_frame_shift.sh. If utt2num_frames is complete, the
number of frames is its exact sum; in Kaldi it is the seconds over the frame shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, positive_int, program_name
from common.text_lines import number_of, trimmed
from minikaldi.data_dir.durations import is_complete, make_utt2dur, number_text, utterances_of, values_of
from minikaldi.data_dir.tables import number_blocks, read_numbers
from minikaldi.jobs.parts import Jobs

ABOUT_NUM = "Print the number of frames of a data directory: of utt2num_frames, else seconds over the frame shift."
ABOUT_SHIFT = "Print the frame shift of a data directory in seconds, from the durations and frames of some utterances."
NUM_COMPARED = 10
DEFAULT_SHIFT = 0.01


def frame_shift(directory: Path, jobs: Jobs) -> float:
    """Seconds from frame to frame.

    It is read from the file frame_shift, if there is one; else it is computed from the first utterances. Their windows
    overlap the end a little, so a value just above 0.01 s is taken as 0.01.

    Raises:
        InputError: no features, or frame_shift does not hold a number.
    """
    known = directory / "frame_shift"
    if known.is_file():
        shift = number_of(trimmed(known.read_text(errors="replace")))
        if not 0 < shift < 1:
            raise InputError(f"{known}: expected one number of seconds, e.g. 0.01; remove the file")
        return shift
    utts = utterances_of(directory)[:NUM_COMPARED]
    make_utt2dur(directory, jobs)
    seconds = read_numbers(directory / "utt2dur")
    if (directory / "utt2num_frames").is_file():
        frames = read_numbers(directory / "utt2num_frames")
    elif (directory / "feats.scp").is_file():
        counts = values_of(directory, "feats.scp", ["feat-to-len"], jobs, only=utts)
        frames = {utt: float(count) for utt, count in counts.items()}
    else:
        raise InputError(f"{directory}: has neither feats.scp nor utt2num_frames, so the frame shift is not known")
    both = [utt for utt in utts if utt in seconds and utt in frames]
    if not both:
        raise InputError(f"{directory}: the frames of {', '.join(utts[:3])} … are not known; see {directory}/log")
    shift = sum(seconds[utt] for utt in both) / sum(frames[utt] for utt in both)
    return DEFAULT_SHIFT if DEFAULT_SHIFT < shift < 1.02 * DEFAULT_SHIFT else shift


def total_frames(directory: Path, jobs: Jobs) -> int:
    """The frames of all utterances together."""
    if is_complete(directory, "utt2num_frames", utterances_of(directory)):
        return round(sum(sum(frames) for _, _, frames in number_blocks(directory / "utt2num_frames")))
    make_utt2dur(directory, jobs)
    seconds = sum(sum(lengths) for _, _, lengths in number_blocks(directory / "utt2dur"))
    has_frames = any((directory / name).is_file() for name in ("frame_shift", "feats.scp"))
    return round(seconds / (frame_shift(directory, jobs) if has_frames else DEFAULT_SHIFT))


def main(argv: Sequence[str]) -> int:
    """Command line of both scripts; the name of the program decides."""
    name = program_name()
    shift_alone = name.startswith("get_frame_shift")
    parser = Parser(f"{name} [--nj N] [--cmd RUNNER] <data-dir>", ABOUT_SHIFT if shift_alone else ABOUT_NUM)
    parser.add_argument("--nj", type=positive_int, default=4, help="jobs at once (default 4)")
    parser.add_argument("--cmd", default="run.pl", help="program that runs them (default run.pl)")
    parser.add_argument("data")
    options = parser.parse(argv)
    directory, jobs = Path(options.data), Jobs(options.cmd, options.nj)
    print(number_text(frame_shift(directory, jobs)) if shift_alone else total_frames(directory, jobs))
    return 0
