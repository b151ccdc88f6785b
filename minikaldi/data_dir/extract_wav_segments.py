"""extract_wav_segments_data_dir.sh: the audio of each segment written out, so that no segments file is needed.

The audio is in archives in <dest>/data; wav.scp has lines `utt_id wav-copy <archive>:<offset> - |`, as Kaldi's has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message, positive_int
from common.whole_files import writing_folder
from minikaldi.data_dir.copy_dir import Renaming, refuse_same, renamed
from minikaldi.data_dir.directory import KINDS, DirectoryWriter, read_segments, read_utt2spk, tables_of
from minikaldi.data_dir.fix import fix
from minikaldi.data_dir.lines import all_lines, split_keys
from minikaldi.jobs.parts import Jobs, run_over

USAGE = "extract_wav_segments_data_dir.sh [--nj N] [--cmd RUNNER] <src-dir> <dest-dir>"
ABOUT = "Copy a data directory, with the audio of each segment written out, so that no segments file is needed."


def extract_audio(source: Path, target: Path, jobs: Jobs) -> list[str]:
    """Write the audio of the segments to <target>/data; returns the lines of wav.scp.

    Raises:
        InputError: the source has no segments, a job failed, or no segment could be extracted.
    """
    if read_segments(source) is None:
        raise InputError(f"{source}/segments: no such file; without it each recording already is an utterance")
    with writing_folder(target / "data") as building:
        audio = f"ark,scp:{building}/wav_segments.JOB.ark,{{out}}"
        command = ["extract-segments", f"scp,p:{source}/wav.scp", "{in}", audio]
        written = run_over(target, all_lines(source / "segments"), command, jobs, f"{source}/segments")
        if not written:
            raise InputError(f"{source}/segments: not one segment could be extracted; see {target}/log")
    places = ((utt, place.replace(str(building), f"{target}/data", 1)) for utt, place in split_keys(written))
    return [f"{utt} wav-copy {place} - |" for utt, place in places]


def copy_extracted(source: Path, target: Path, wav_lines: list[str]) -> None:
    """Write the tables of utterances and speakers as they are; the recordings are now the utterances."""
    with DirectoryWriter(target) as writer:
        writer.write_speakers(read_utt2spk(source))
        for name in tables_of(source):
            if name not in ("utt2spk", "spk2utt", "segments") and KINDS[name].level != "rec":
                writer.write(name, renamed(source / name, Renaming()))
        writer.write("wav.scp", wav_lines)
        writer.remove_others()


def main(argv: Sequence[str]) -> int:
    """Command line of utils/data/extract_wav_segments_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--nj", type=positive_int, default=4, help="jobs at once (default 4)")
    parser.add_argument("--cmd", default="run.pl", help="program that runs them (default run.pl)")
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse(argv)
    source, target = Path(options.source), Path(options.target)
    refuse_same(source, target)
    num_utts = len(read_utt2spk(source))
    wav_lines = extract_audio(source, target, Jobs(options.cmd, options.nj))
    copy_extracted(source, target, wav_lines)
    if len(wav_lines) < num_utts:
        log_message(f"{num_utts - len(wav_lines)} utterances of {source} have no audio; see {target}/log")
    for note in fix(target):
        log_message(note)
    return 0
