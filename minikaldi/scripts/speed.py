"""perturb_data_dir_speed.sh and perturb_data_dir_speed_3way.sh: copies that are spoken faster or slower.

Each copy is a speaker of its own (sp1.1-<spk>). The audio goes through utils/to_wav.py --speed, where Kaldi calls sox.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from minikaldi.scripts.cli import Parser, ScriptError, boolean, script_name, tell
from minikaldi.scripts.combine import combine
from minikaldi.scripts.copy_dir import Renaming, affix, copy_directory, refuse_same, uniq_lines, write_renamed
from minikaldi.scripts.data_dir import DirectoryWriter, read_segments
from minikaldi.scripts.durations import make_reco2dur, make_utt2dur, number_text
from minikaldi.scripts.fix import fix
from minikaldi.scripts.tables import read_numbers, read_table
from minikaldi.scripts.wav_lines import through_to_wav

USAGE = "perturb_data_dir_speed.sh <factor> <src-dir> <dest-dir>"
USAGE_3WAY = "perturb_data_dir_speed_3way.sh [--always-include-prefix true] <src-dir> <dest-dir>"
ABOUT = "Copy a data directory, spoken <factor> times as fast; ids are sp<factor>-<id>."
ABOUT_3WAY = "The data as it is, and copies spoken 0.9 and 1.1 times as fast, as one data directory."
# What holds of the audio as it was, not of the copy.
NOT_COPIED = ("feats.scp", "vad.scp", "cmvn.scp", "utt2num_frames", "utt2uniq", "utt2warp", "spk2warp", "wav.scp")
DURATIONS = ("utt2dur", "reco2dur", "segments")


def scaled_lines(path: Path, factor: float, prefix: str) -> Iterator[str]:
    """The lines of utt2dur or reco2dur (seconds) for the copy."""
    for key, seconds in read_numbers(path).items():
        yield f"{prefix}{key} {number_text(seconds / factor)}"


def segment_lines(source: Path, factor: float, prefix: str) -> Iterator[str]:
    """The lines of segments (seconds, to the hundredth) for the copy; none without segments."""
    for utt, (recording, (start, end, *channel)) in (read_segments(source) or {}).items():
        times = [time if time == "-1" else f"{float(time) / factor:.2f}" for time in (start, end)]
        yield " ".join([prefix + utt, prefix + recording, *times, *channel])


def perturb(factor_text: str, source: Path, target: Path) -> None:
    """Write the copy; `source` gets utt2dur and reco2dur where it lacks them.

    Raises:
        ScriptError: the factor is no positive number.
    """
    if not re.fullmatch(r"\d+(\.\d+)?", factor_text) or float(factor_text) <= 0:
        raise ScriptError(f'the factor is "{factor_text}", expected a number above zero, e.g. 1.1')
    refuse_same(source, target)
    make_utt2dur(source)
    make_reco2dur(source)
    factor, prefix = float(factor_text), f"sp{factor_text}-"
    add = affix(prefix, "")
    with DirectoryWriter(target) as writer:
        write_renamed(source, writer, Renaming(add, add, add), leave_out=(*NOT_COPIED, *DURATIONS))
        for name in ("utt2dur", "reco2dur"):
            writer.write(name, scaled_lines(source / name, factor, prefix))
        if (source / "segments").is_file():
            writer.write("segments", segment_lines(source, factor, prefix))
        audio = read_table(source / "wav.scp")
        speed = f"--speed {factor_text}"
        writer.write("wav.scp", (f"{prefix}{key} {through_to_wav(value, speed)}" for key, value in audio.items()))
        writer.write("utt2uniq", uniq_lines(source, add))
        writer.remove_others()


def perturb_3way(source: Path, target: Path, always_include_prefix: bool) -> None:
    """Write the three versions as one directory.

    Raises:
        ScriptError: as `perturb`.
    """
    refuse_same(source, target)
    parts = [target.with_name(f".{target.name}.{factor}") for factor in ("1.0", "0.9", "1.1")]
    prefix = affix("sp1.0-" if always_include_prefix else "", "")
    try:
        for part, factor in zip(parts[1:], ("0.9", "1.1"), strict=True):
            perturb(factor, source, part)
        copy_directory(source, parts[0], prefix, prefix)
        combine(target, parts, [])
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
    for note in fix(target):
        tell(note)


def main(argv: Sequence[str]) -> int:
    """Command line of both; the name under which it is called says which."""
    three = script_name().endswith("3way.sh")
    parser = Parser(USAGE_3WAY, ABOUT_3WAY) if three else Parser(USAGE, ABOUT)
    if three:
        parser.add_argument("--always-include-prefix", type=boolean, default=False, help="sp1.0- to originals")
    else:
        parser.add_argument("factor")
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse(argv)
    source, target = Path(options.source), Path(options.target)
    if three:
        perturb_3way(source, target, options.always_include_prefix)
    else:
        perturb(options.factor, source, target)
    return 0
