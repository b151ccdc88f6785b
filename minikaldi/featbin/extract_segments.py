"""extract-segments: pieces of long recordings as waves. Source: Kaldi, featbin/extract-segments.cc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import InputError, KaldiError
from common.options import option
from common.text_lines import clean_lines, fields_of
from minikaldi.command import CommandRun, command
from minikaldi.io import WAVE, RandomAccessReader, Wave
from minikaldi.io.primitives import decode, to_float, to_int32
from minikaldi.options import CommandOptions

TO_THE_END = -1.0


@dataclass
class ExtractSegmentsOptions(CommandOptions):
    """Which segments are accepted."""

    max_overshoot: float = option(0.5, "Seconds by which a segment may end after its recording; it is cut there")
    min_segment_length: float = option(0.1, "Shortest segment in seconds")


class UnusableSegmentError(InputError):
    """A line of the segments file that must be left out; the text is the reason."""


@dataclass(frozen=True)
class RecordingSegment:
    """A line of the segments file.

    Attributes:
        segment_id: its id.
        recording_id: the recording.
        start: seconds.
        end: seconds; -1: the end of the recording.
        channel: from 0; -1: the recording has one channel.
    """

    segment_id: str
    recording_id: str
    start: float
    end: float
    channel: int


def parse_segment(line: str) -> RecordingSegment:
    """Parse a line `segment recording start end [channel]`.

    Raises:
        UnusableSegmentError: another number of fields, invalid numbers, or no positive length.
    """
    fields = fields_of(line)
    if len(fields) not in (4, 5):
        raise UnusableSegmentError(f"Invalid line in segments file: {line}")
    try:
        start, end = to_float(fields[2]), to_float(fields[3])
        channel = to_int32(fields[4]) if len(fields) == 5 else -1
    except ValueError as error:
        raise UnusableSegmentError(f"Invalid line in segments file [{error}]: {line}") from error
    positive = start >= 0 and (end == TO_THE_END or start < end)
    if not positive or not np.isfinite([start, end]).all() or (len(fields) == 5 and channel < 0):
        raise UnusableSegmentError(f"Invalid line in segments file [empty or invalid segment]: {line}")
    return RecordingSegment(fields[0], fields[1], start, end, channel)


def cut_segment(wave: Wave, segment: RecordingSegment, line: str, options: ExtractSegmentsOptions) -> Wave:
    """Cut a segment out of its recording.

    Args:
        wave: samples (channels, N).
        segment: where to cut.
        line: the line, for messages.
        options: which segments are accepted.

    Returns:
        samples (1, N').

    Raises:
        UnusableSegmentError: it starts after the recording's end, ends too long after it, is too short, or there is no
            such channel.
        KaldiError: the recording has several channels, and the segment names none.
    """
    first, last = _sample_range(wave, segment, line, options)
    channel = _channel(len(wave.samples), segment)
    return Wave(wave.sample_rate, wave.samples[channel : channel + 1, first:last])


def _sample_range(wave: Wave, segment: RecordingSegment, line: str, options: ExtractSegmentsOptions) -> tuple[int, int]:
    """First sample, and last sample plus one. Kaldi's limits are float32: 0.1 s of them is a little more than 0.1 s."""
    rate, num_samples = wave.sample_rate, wave.samples.shape[1]
    length = np.float32(num_samples) / np.float32(rate)
    of_file = f"out of file data range [0,{length:g}s]; skipping segment '{line}'"
    if segment.start > float(length):
        raise UnusableSegmentError(f"Segment start is {of_file}")
    if segment.end > float(length + np.float32(options.max_overshoot)):
        raise UnusableSegmentError(f"Segment end is too far {of_file}")
    end = float(length) if segment.end == TO_THE_END else min(segment.end, float(length))
    first, last = int(segment.start * rate + 0.5), min(int(end * rate + 0.5), num_samples)
    if end - segment.start < float(np.float32(options.min_segment_length)) or first >= last:
        raise UnusableSegmentError(f"Segment {segment.segment_id} too short, skipping it.")
    return first, last


def _channel(num_channels: int, segment: RecordingSegment) -> int:
    if segment.channel >= num_channels:
        raise UnusableSegmentError(
            f"Invalid channel {segment.channel} >= {num_channels}, processing segment {segment.segment_id}"
        )
    if segment.channel == -1 and num_channels > 1:
        raise KaldiError(
            f"segment {segment.segment_id}: recording {segment.recording_id} has {num_channels} channels; name one, "
            "counted from 0, as the fifth field of the segments file"
        )
    return max(0, segment.channel)


def _extracted(waves: RandomAccessReader[Wave], line: str, options: ExtractSegmentsOptions) -> tuple[str, Wave]:
    segment = parse_segment(line)
    if segment.recording_id not in waves:
        raise UnusableSegmentError(
            f"Could not find recording {segment.recording_id}, skipping segment {segment.segment_id}"
        )
    return segment.segment_id, cut_segment(waves[segment.recording_id], segment, line, options)


@command(
    "extract-segments",
    usage="[options] <wav-rspecifier> <segments-file> <wav-wspecifier>",
    num_args=(3, 3),
    options=ExtractSegmentsOptions,
    about="Extract segments from longer waves; a line of the segments file is: segment recording start end [channel], "
    "in seconds, an end of -1 being the recording's.",
)
def main(run: CommandRun, options: ExtractSegmentsOptions, args: list[str]) -> int:
    """Write each segment as a wave; a line that cannot be used is left out, with a warning. Returns 0 in any case."""
    num_done = num_lines = 0
    with (
        run.random_access(args[0], WAVE) as waves,
        run.writer(args[2], WAVE) as segments,
        run.open_read(args[1]) as lines,
    ):
        for raw in clean_lines(lines, args[1], KaldiError):
            num_lines += 1
            try:
                segments.write(*_extracted(waves, decode(raw), options))
                num_done += 1
            except UnusableSegmentError as error:
                run.warning(str(error))
    run.log(f"Successfully processed {num_done} lines out of {num_lines} in the segments file. ")
    return 0
