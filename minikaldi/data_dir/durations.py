"""get_utt2dur.sh, get_reco2dur.sh, get_utt2num_frames.sh: lengths, from the cheapest source that has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message, positive_int, program_name
from minikaldi.data_dir.directory import DirectoryWriter, read_segments, require_directory
from minikaldi.data_dir.lines import all_lines, have_heads, keys_of, line_heads, pairs_of
from minikaldi.data_dir.tables import lines_with_keys, read_numbers, read_pairs
from minikaldi.jobs.parts import DEFAULT_JOBS, Jobs, run_over

ABOUT = """Write the table in the program's name, unless it exists and is complete: durations in seconds from segments,
utt2num_frames (with --frame-shift), the audio (wav-to-duration) or the features; frames from feats.scp or utt2dur."""


def number_text(value: float) -> str:
    """A number as awk prints it: six significant digits."""
    return f"{value:.6g}"


def utterances_of(directory: Path) -> list[str]:
    """The utterances in the order of utt2spk.

    Raises:
        InputError: no such directory, or no utterances.
    """
    require_directory(directory)
    return keys_of(all_lines(directory / "utt2spk"))


def is_complete(directory: Path, name: str, keys: Sequence[str]) -> bool:
    """Whether a table exists and has a line for every key."""
    path = directory / name
    if not path.is_file():
        return False
    lines = all_lines(path)
    return have_heads(lines, line_heads(keys)) or sorted(keys_of(lines)) == sorted(keys)


def values_of(
    directory: Path, table: str, command: Sequence[str], jobs: Jobs, only: Collection[str] | None = None
) -> dict[str, str]:
    """Run a command over a table, or over some of its ids; returns the value of each id.

    Args:
        directory: the data directory.
        table: name of the table.
        command: words of the command; an rspecifier and a wspecifier are added.
        jobs: how it is run.
        only: the ids; None: all.

    Raises:
        InputError: a job failed, or its output is not ids and values.
    """
    lines = all_lines(directory / table) if only is None else list(lines_with_keys(directory / table, only))
    written = run_over(directory, lines, [*command, "scp:{in}", "ark,t:{out}"], jobs, str(directory / table))
    columns = pairs_of(written) if written else ([], [])
    if columns is None:
        raise InputError(f"{directory / table}: {command[0]} did not write lines `id value`; see {directory}/log")
    return dict(zip(*columns, strict=True))


def write_table(directory: Path, name: str, values: Mapping[str, str], keys: Sequence[str]) -> None:
    """Write a table; ids without a value are reported, and left out.

    Raises:
        InputError: no id has a value.
    """
    known = values if list(values) == keys else {key: values[key] for key in keys if key in values}
    missing = [key for key in keys if key not in values] if len(known) < len(keys) else []
    if not known:
        raise InputError(f"{directory}/{name}: none of {len(missing)} lengths is known; see {directory}/log")
    if missing:
        log_message(f"{directory}/{name}: {len(missing)} ids have no length (first: {missing[0]}); see {directory}/log")
    with DirectoryWriter(directory) as writer:
        writer.write(name, map(" ".join, known.items()))


def audio_command(read_entire_file: bool) -> list[str]:
    """The words of wav-to-duration."""
    return ["wav-to-duration", f"--read-entire-file={'true' if read_entire_file else 'false'}"]


def utterance_durations(
    directory: Path, jobs: Jobs, read_entire_file: bool = False, frame_shift: float | None = None
) -> dict[str, str]:
    """utt_id -> seconds as text.

    Raises:
        InputError: the directory has no source of durations.
    """
    segments = read_segments(directory)
    if segments is not None:
        return segment_durations(directory, segments, jobs, read_entire_file)
    if frame_shift is not None and (directory / "utt2num_frames").is_file():
        frames = read_numbers(directory / "utt2num_frames")
        return {utt: number_text(count * frame_shift) for utt, count in frames.items()}
    if (directory / "wav.scp").is_file():
        return values_of(directory, "wav.scp", audio_command(read_entire_file), jobs)
    if (directory / "feats.scp").is_file():
        counts = values_of(directory, "feats.scp", ["feat-to-len"], jobs)
        return {utt: number_text(int(count) * (frame_shift or 0.01)) for utt, count in counts.items()}
    raise InputError(f"{directory}: has none of segments, wav.scp and feats.scp, so durations are not known")


def segment_durations(
    directory: Path, segments: Mapping[str, tuple[str, list[str]]], jobs: Jobs, read_entire_file: bool
) -> dict[str, str]:
    """utt_id -> seconds as text; if a segment ends at -1, the end of its recording, the recordings are measured."""
    recordings: dict[str, float] = {}
    if any(float(times[1]) == -1 for _, times in segments.values()):
        make_reco2dur(directory, jobs, read_entire_file)
        recordings = read_numbers(directory / "reco2dur")
    seconds = {}
    for utt, (recording, (start, end, *_)) in segments.items():
        stop = recordings.get(recording) if float(end) == -1 else float(end)
        if stop is not None:  # None: the recording could not be measured; `write_table` reports it
            seconds[utt] = number_text(stop - float(start))
    return seconds


def make_utt2dur(
    directory: Path, jobs: Jobs = DEFAULT_JOBS, read_entire_file: bool = False, frame_shift: float | None = None
) -> None:
    """Write utt2dur (seconds), unless it exists and is complete."""
    utts = utterances_of(directory)
    if not is_complete(directory, "utt2dur", utts):
        write_table(directory, "utt2dur", utterance_durations(directory, jobs, read_entire_file, frame_shift), utts)


def make_reco2dur(directory: Path, jobs: Jobs = DEFAULT_JOBS, read_entire_file: bool = False) -> None:
    """Write reco2dur (seconds), unless it exists and is complete; without segments it is a copy of utt2dur."""
    segments = read_segments(directory)
    if segments is None:
        make_utt2dur(directory, jobs, read_entire_file)
        utts = utterances_of(directory)
        if not is_complete(directory, "reco2dur", utts):
            write_table(directory, "reco2dur", read_pairs(directory / "utt2dur"), utts)
        return
    recordings = sorted({recording for recording, _ in segments.values()})
    if not is_complete(directory, "reco2dur", recordings):
        values = values_of(directory, "wav.scp", audio_command(read_entire_file), jobs)
        write_table(directory, "reco2dur", values, recordings)


def make_utt2num_frames(
    directory: Path, jobs: Jobs = DEFAULT_JOBS, frame_shift: float = 0.01, frame_overlap: float = 0.015
) -> None:
    """Write utt2num_frames, unless it exists and is complete: from the features, else from the durations.

    Args:
        directory: the data directory.
        jobs: how feat-to-len is run.
        frame_shift: seconds.
        frame_overlap: seconds, window less shift.
    """
    utts = utterances_of(directory)
    if is_complete(directory, "utt2num_frames", utts):
        return
    if (directory / "feats.scp").is_file():
        values = values_of(directory, "feats.scp", ["feat-to-len"], jobs)
    else:
        make_utt2dur(directory, jobs)
        seconds = read_numbers(directory / "utt2dur")
        values = {utt: str(int((length - frame_overlap) / frame_shift)) for utt, length in seconds.items()}
    write_table(directory, "utt2num_frames", values, utts)


def main(argv: Sequence[str]) -> int:
    """Command line of the three scripts; the name of the program decides."""
    name = program_name()
    parser = Parser(f"{name} [--nj N] [--cmd RUNNER] [options] <data-dir>", ABOUT)
    parser.add_argument("--nj", type=positive_int, default=4, help="jobs at once (default 4)")
    parser.add_argument("--cmd", default="run.pl", help="program that runs them (default run.pl)")
    parser.add_argument("--read-entire-file", type=boolean, default=False, help="true: do not trust the WAV headers")
    parser.add_argument("--frame-shift", type=float, help="seconds (default 0.01)")
    parser.add_argument("--frame-overlap", type=float, default=0.015, help="seconds, window less shift (default 0.015)")
    parser.add_argument("data")
    options = parser.parse(argv)
    directory, jobs = Path(options.data), Jobs(options.cmd, options.nj)
    if name.startswith("get_reco2dur"):
        make_reco2dur(directory, jobs, options.read_entire_file)
    elif name.startswith("get_utt2num_frames"):
        make_utt2num_frames(directory, jobs, options.frame_shift or 0.01, options.frame_overlap)
    else:
        make_utt2dur(directory, jobs, options.read_entire_file, options.frame_shift)
    return 0
