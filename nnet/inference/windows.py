"""Which frames of an utterance are embedded: all at once, or windows whose embeddings are averaged.

Source: sliding windows of 100 frames each 50, as SpeakerRecognitionFromScratch scores with; of 150 each 75, as
kaldi_voxceleb_pytorch diarizes with; slices from the middle, as Speaker_Embedding_Torch has them (5 of 240, 120 apart).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from common.options import ConfigError, OptionError, parse
from common.yaml_text import parse_yaml
from nnet.config.sections import InferenceOptions

Rows = npt.NDArray[np.float32]


def override_inference(options: InferenceOptions, overrides: Sequence[str]) -> InferenceOptions:
    """The section `inference` with some of its options changed.

    Args:
        options: as they were saved.
        overrides: each one or several `key=value`, separated by spaces.

    Raises:
        ConfigError: no `key=value`, an unknown key or a wrong value.
    """
    values = asdict(options)
    for text in overrides:
        for word in text.split():
            key, equals, value = word.partition("=")
            if not equals:
                raise ConfigError(f"--inference {text}: found {word!r}, expected key=value, e.g. mode=windows")
            values[key] = parse_yaml(value, f"--inference {word}")
    try:
        return parse(InferenceOptions, "inference", values)
    except OptionError as error:
        raise ConfigError(f"--inference {' '.join(overrides)}: {error}") from error


@dataclass(frozen=True)
class Windows:
    """The windows of one utterance.

    Attributes:
        spans: (start, stop) of each, in frames of what `lengthened` makes of the utterance.
        left_out: frames at the end that are in no window.
        whole: the utterance is shorter than a window and embedded as it is.
    """

    spans: list[tuple[int, int]]
    left_out: int = 0
    whole: bool = False


def cut_windows(num_frames: int, options: InferenceOptions, min_frames: int = 1) -> Windows:
    """The windows of an utterance.

    Args:
        num_frames: T, 1 or more.
        options: the section `inference`.
        min_frames: an incomplete window with fewer frames is left out, as the network cannot embed it.

    Returns:
        One span or more; none if the utterance is shorter than a window and such are dropped.
    """
    if options.mode == "whole":
        return Windows([(0, num_frames)])
    if options.mode == "slices":
        first = max(0, num_frames - slices_frames(options)) // 2
        starts = [first + number * options.step for number in range(options.count)]
        return Windows([(start, start + options.window) for start in starts])
    if num_frames < options.window:
        return Windows([(0, num_frames)] if options.short == "whole" else [], whole=options.short == "whole")
    return _sliding(num_frames, options, min_frames)


def _sliding(num_frames: int, options: InferenceOptions, min_frames: int) -> Windows:
    """Windows each `step` frames, and what happens to the tail."""
    complete = (num_frames - options.window) // options.step + 1
    spans = [(number * options.step, number * options.step + options.window) for number in range(complete)]
    left_out = num_frames - spans[-1][1]
    tail = complete * options.step  # where the first incomplete window begins; windows that are apart may leave none
    if options.tail == "drop" or left_out == 0 or tail >= num_frames:
        return Windows(spans, left_out)
    if options.tail == "shift":
        return Windows([*spans, (num_frames - options.window, num_frames)])
    if num_frames - tail < min_frames:
        return Windows(spans, left_out)
    return Windows([*spans, (tail, num_frames)])


def slices_frames(options: InferenceOptions) -> int:
    """Frames from the beginning of the first slice to the end of the last."""
    return (options.count - 1) * options.step + options.window


def lengthened(rows: Rows, options: InferenceOptions) -> Rows:
    """The frames that spans are of: the utterance, in mode `slices` reflected at both ends if it is too short.

    The first and the last frame are not repeated: 0 1 2 becomes 2 1 0 1 2 1 0; of one frame all are that frame.

    Args:
        rows: (T, F), T 1 or more.
        options: the section `inference`.
    """
    missing = slices_frames(options) - len(rows)
    if options.mode != "slices" or missing <= 0:
        return rows
    return rows[np.pad(np.arange(len(rows)), (missing // 2, missing - missing // 2), mode="reflect")]


@dataclass
class WindowCounts:
    """What utterances were cut into.

    Attributes:
        utterances: how many.
        windows: how many.
        shorter: utterances shorter than a window.
        tails: utterances whose last frames are in no window.
        tail_frames: these frames.
        reflected: utterances that were too short for all slices.
    """

    utterances: int = 0
    windows: int = 0
    shorter: int = 0
    tails: int = 0
    tail_frames: int = 0
    reflected: int = 0

    def add(self, cuts: Sequence[Windows], num_frames: Sequence[int], options: InferenceOptions) -> None:
        """Count utterances of these lengths."""
        self.utterances += len(cuts)
        self.windows += sum(len(each.spans) for each in cuts)
        self.shorter += sum(each.whole for each in cuts)
        self.tails += sum(each.left_out > 0 for each in cuts)
        self.tail_frames += sum(each.left_out for each in cuts)
        if options.mode == "slices":
            self.reflected += sum(length < slices_frames(options) for length in num_frames)

    def line(self, options: InferenceOptions) -> str:
        """`windows of 100 frames each 50: 310 of 42 utterances, 3 shorter utterances embedded whole, …`."""
        if options.mode == "slices":
            kind = f"{options.count} slices of {options.window} frames each {options.step}"
            return f"{kind}: {self.windows} of {self.utterances} utterances, {self.reflected} of them reflected"
        return (
            f"windows of {options.window} frames each {options.step}: {self.windows} of {self.utterances} utterances,"
            f" {self.shorter} shorter than a window embedded whole, {self.tail_frames} frames at the end of"
            f" {self.tails} in no window"
        )
