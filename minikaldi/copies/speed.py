"""perturb_data_dir_speed.sh and perturb_data_dir_speed_3way.sh: copies at another speed.

Each copy of a speaker is a new speaker (sp1.1-<spk>). utils/to_wav.py --speed changes the audio; Kaldi calls sox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message, program_name
from minikaldi.data_dir.combine import Source, fix_combined, write_merged
from minikaldi.data_dir.copy_dir import Renaming, affix, refuse_same, renamed, uniq_lines
from minikaldi.data_dir.directory import DirectoryWriter, read_segments, read_utt2spk, tables_of
from minikaldi.data_dir.durations import make_reco2dur, make_utt2dur
from minikaldi.data_dir.lines import blocks, split_keys
from minikaldi.data_dir.tables import number_blocks
from minikaldi.data_dir.wav_lines import to_wav_pipe

USAGE = "perturb_data_dir_speed.sh <factor> <src-dir> <dest-dir>"
USAGE_3WAY = "perturb_data_dir_speed_3way.sh [--always-include-prefix true] <src-dir> <dest-dir>"
ABOUT = "Copy a data directory with speech <factor> times as fast; ids are sp<factor>-<id>."
ABOUT_3WAY = "Combine the data and copies with speech 0.9 and 1.1 times as fast into one data directory."
# Tables that are not valid for the copy.
NOT_COPIED = ("feats.scp", "vad.scp", "cmvn.scp", "utt2num_frames", "utt2warp", "spk2warp")
DURATIONS = ("utt2dur", "reco2dur")


def duration_lines(path: Path, factor: float, prefix: str) -> Iterator[str]:
    """The lines of utt2dur or reco2dur (seconds) for the copy."""
    for _, keys, numbers in number_blocks(path):
        for key, seconds in zip(keys, numbers, strict=True):
            yield f"{prefix}{key} {seconds / factor:.6g}"


def segment_lines(source: Path, factor: float, prefix: str) -> Iterator[str]:
    """The lines of segments (seconds, to the hundredth) for the copy; none without segments."""
    for utt, (recording, (start, end, *channel)) in (read_segments(source) or {}).items():
        times = [time if time == "-1" else f"{float(time) / factor:.2f}" for time in (start, end)]
        yield " ".join([prefix + utt, prefix + recording, *times, *channel])


def audio_lines(path: Path, factor: str, prefix: str) -> Iterator[str]:
    """The lines of wav.scp for the copy.

    Raises:
        InputError: a line without audio.
    """
    for first, lines in blocks(path):
        for number, (key, *value) in enumerate(split_keys(lines), first):
            if not value:
                raise InputError(f'{path}:{number}: found "{key}", expected `rec_id file-or-pipe`')
            yield f"{prefix}{key} {to_wav_pipe(value[0], f'--speed {factor}')}"


@dataclass(frozen=True)
class Version:
    """A data directory at another speed, under other ids.

    Attributes:
        source: the data directory.
        speed: factor, as it was written, since it is a part of the ids; "": the data as they are, with all tables.
        prefix: before all ids.
    """

    source: Path
    speed: str
    prefix: str

    def tables(self) -> set[str]:
        """The names of its tables except spk2utt."""
        left_out = ("spk2utt", *NOT_COPIED) if self.speed else ("spk2utt",)
        return {*tables_of(self.source), *DURATIONS, "utt2uniq"}.difference(left_out)

    def lines(self, name: str) -> Iterable[str]:
        """The lines of a table."""
        new_id = affix(self.prefix, "")
        if name == "utt2uniq":
            return uniq_lines(self.source, new_id)
        path = self.source / name
        if self.speed and name in DURATIONS:
            return duration_lines(path, float(self.speed), self.prefix)
        if self.speed and name == "segments":
            return segment_lines(self.source, float(self.speed), self.prefix)
        if self.speed and name == "wav.scp":
            return audio_lines(path, self.speed, self.prefix)
        return renamed(path, Renaming(new_id, new_id, new_id))


def make_durations(source: Path) -> None:
    """Write utt2dur and reco2dur if they are missing; without segments `make_reco2dur` makes both."""
    make_reco2dur(source)
    if (source / "segments").is_file():
        make_utt2dur(source)


def perturb(factor: str, source: Path, target: Path) -> None:
    """Write the copy; utt2dur and reco2dur are added to `source` if it lacks them.

    Raises:
        InputError: the factor is not a number > 0.
    """
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", factor) or float(factor) <= 0:
        raise InputError(f'the factor is "{factor}", expected a number > 0, e.g. 1.1')
    refuse_same(source, target)
    make_durations(source)
    version = Version(source, factor, f"sp{factor}-")
    with DirectoryWriter(target) as writer:
        new_id = affix(version.prefix, "")
        writer.write_speakers({new_id(utt): new_id(spk) for utt, spk in read_utt2spk(source).items()})
        for name in version.tables() - {"utt2spk"}:
            writer.write(name, version.lines(name))
        writer.remove_others()


def perturb_3way(source: Path, target: Path, always_include_prefix: bool) -> None:
    """Write the three versions as one directory.

    Raises:
        InputError: as `perturb`.
    """
    refuse_same(source, target)
    make_durations(source)
    versions = [Version(source, "", "sp1.0-" if always_include_prefix else "")]
    versions += [Version(source, speed, f"sp{speed}-") for speed in ("0.9", "1.1")]
    names = set.intersection(*(version.tables() for version in versions))
    for name in sorted(versions[0].tables() - names):
        log_message(f"{name} is left out: it is not valid for the copies")

    def sources_of(name: str) -> list[Source]:
        """The lines of a table in each version."""
        return [(f"{source}/{name} at speed {version.speed or '1'}", list(version.lines(name))) for version in versions]

    with DirectoryWriter(target) as writer:
        num_utts = write_merged(writer, names, sources_of)
        writer.remove_others()
    for note in fix_combined(target, num_utts):
        log_message(note)


def main(argv: Sequence[str]) -> int:
    """Command line of both scripts; the name of the program decides."""
    three = program_name().endswith("3way.sh")
    parser = Parser(USAGE_3WAY, ABOUT_3WAY) if three else Parser(USAGE, ABOUT)
    if three:
        parser.add_argument("--always-include-prefix", type=boolean, default=False, help="sp1.0- before original ids")
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
