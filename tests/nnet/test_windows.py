"""Windows of an utterance: counts, tails and reflections worked by hand, and a slow walk over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.options import ConfigError
from nnet.config.sections import InferenceOptions
from nnet.inference.windows import WindowCounts, cut_windows, lengthened, override_inference, slices_frames


def windows(**options: Any) -> InferenceOptions:
    return InferenceOptions(**({"mode": "windows"} | options))


@pytest.mark.parametrize(("num_frames", "count"), [(150, 1), (224, 1), (225, 2), (300, 3)])
def test_windows_of_150_frames_each_75_have_the_golden_counts(num_frames: int, count: int) -> None:
    assert len(cut_windows(num_frames, windows(window=150, step=75)).spans) == count


def test_the_whole_utterance_is_one_span() -> None:
    assert cut_windows(7, InferenceOptions()).spans == [(0, 7)]


@pytest.mark.parametrize(
    ("tail", "spans", "left_out"),
    [("drop", [(0, 4), (2, 6)], 1), ("keep", [(0, 4), (2, 6), (4, 7)], 0), ("shift", [(0, 4), (2, 6), (3, 7)], 0)],
)
def test_the_tail_of_seven_frames_by_hand(tail: Any, spans: list[tuple[int, int]], left_out: int) -> None:
    found = cut_windows(7, windows(window=4, step=2, tail=tail))
    assert (found.spans, found.left_out, found.whole) == (spans, left_out, False)


@pytest.mark.parametrize("tail", ["drop", "keep", "shift"])
def test_an_utterance_that_windows_fill_has_no_tail(tail: Any) -> None:
    assert cut_windows(8, windows(window=4, step=2, tail=tail)).spans == [(0, 4), (2, 6), (4, 8)]
    assert cut_windows(4, windows(window=4, step=2, tail=tail)).spans == [(0, 4)]


@pytest.mark.parametrize("tail", ["drop", "keep", "shift"])
def test_frames_between_windows_that_are_apart_are_no_tail(tail: Any) -> None:
    found = cut_windows(8, windows(window=4, step=8, tail=tail))
    assert (found.spans, found.left_out) == ([(0, 4)], 4)


def test_an_incomplete_window_that_the_network_cannot_embed_is_left_out() -> None:
    options = windows(window=4, step=4, tail="keep")
    assert cut_windows(6, options, min_frames=2).spans == [(0, 4), (4, 6)]
    assert cut_windows(6, options, min_frames=3) == cut_windows(6, windows(window=4, step=4))


def test_a_short_utterance_is_embedded_whole_or_dropped() -> None:
    assert cut_windows(3, windows(window=4)).spans == [(0, 3)] and cut_windows(3, windows(window=4)).whole
    assert cut_windows(1, windows(window=4)).spans == [(0, 1)]
    assert cut_windows(3, windows(window=4, short="drop")).spans == []


@pytest.mark.parametrize("tail", ["drop", "keep", "shift"])
def test_windows_equal_a_slow_walk_over_the_frames(tail: Any) -> None:
    for num_frames in range(1, 40):
        for window, step in ((1, 1), (5, 1), (5, 3), (5, 5), (10, 4)):
            slow = [(at, at + window) for at in range(0, num_frames, step) if at + window <= num_frames]
            covered = max((stop for _, stop in slow), default=0)
            begun = [at for at in range(0, num_frames, step) if at + window > num_frames]
            if not slow:
                slow = [(0, num_frames)]
            elif covered < num_frames and tail == "shift":
                slow.append((num_frames - window, num_frames))
            elif covered < num_frames and tail == "keep":
                slow.append((begun[0], num_frames))
            assert cut_windows(num_frames, windows(window=window, step=step, tail=tail)).spans == slow


def slices(**options: Any) -> InferenceOptions:
    return InferenceOptions(**({"mode": "slices", "count": 3, "window": 4, "step": 2} | options))


def test_five_slices_of_240_frames_each_120_take_720() -> None:
    options = slices(count=5, window=240, step=120)
    assert slices_frames(options) == 720
    assert cut_windows(720, options).spans == [(start, start + 240) for start in (0, 120, 240, 360, 480)]


def test_slices_are_cut_from_the_middle() -> None:
    assert cut_windows(11, slices()).spans == [(1, 5), (3, 7), (5, 9)]  # 8 of 11 frames: one before, two after


def test_a_short_utterance_is_reflected_at_both_ends() -> None:
    rows = np.arange(5, dtype=np.float32)[:, None]
    assert lengthened(rows, slices())[:, 0].tolist() == [1, 0, 1, 2, 3, 4, 3, 2]
    assert cut_windows(5, slices()).spans == [(0, 4), (2, 6), (4, 8)]
    assert lengthened(rows[:2], slices())[:, 0].tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert lengthened(rows[3:4], slices())[:, 0].tolist() == [3] * 8


def test_only_slices_lengthen() -> None:
    rows = np.zeros((3, 2), np.float32)
    assert lengthened(rows, windows()) is rows and lengthened(rows, InferenceOptions()) is rows


def test_windows_are_counted_and_reported() -> None:
    counts, options = WindowCounts(), windows(window=4, step=2)
    counts.add([cut_windows(length, options) for length in (3, 7, 8)], [3, 7, 8], options)
    assert counts == WindowCounts(utterances=3, windows=6, shorter=1, tails=1, tail_frames=1)
    assert counts.line(options) == (
        "windows of 4 frames each 2: 6 of 3 utterances, 1 shorter than a window embedded whole, 1 frames at the end of"
        " 1 in no window"
    )
    counts = WindowCounts()
    counts.add([cut_windows(length, slices()) for length in (3, 9)], [3, 9], slices())
    assert counts.line(slices()) == "3 slices of 4 frames each 2: 6 of 2 utterances, 1 of them reflected"


def test_overrides_change_some_options() -> None:
    saved = windows(window=7)
    assert override_inference(saved, ["step=3 normalise=true", "tail=keep"]) == windows(
        window=7, step=3, normalise=True, tail="keep"
    )
    assert override_inference(saved, []) == saved


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("windows", "--inference windows: found 'windows', expected key=value"),
        ("mode=window", 'inference.mode is "window"; choose one of: slices, whole, windows (did you mean "windows"?)'),
        ("windw=3", "inference.windw is unknown; choose one of: count, mean_of"),
        ("step=0", "inference.step is 0; expected >= 1"),
        ("step=1.5", "inference.step is 1.5; expected an integer"),
        ("step=[", "--inference step=[:1"),
    ],
)
def test_a_wrong_override_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override_inference(InferenceOptions(), [text])
    assert expected in str(caught.value)
