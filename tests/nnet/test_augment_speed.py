"""Another speed: the samples that to_wav.py makes, from any place of the wave."""

from __future__ import annotations

import numpy as np
import pytest

from minikaldi.feat.audio import changed_rate
from minikaldi.feat.frames import FrameOptions
from nnet.augment.crop import chunk_frames, crop, voiced_at
from nnet.augment.speed import change_speed, num_samples_at, passage, ratio
from nnet.features.framing import kaldi_framing

RNG = np.random.default_rng(0)
WAVE = np.rint(3000 * RNG.standard_normal(30000)).astype(np.float32)


def part(factor: float, start: int, stop: int, wave: np.ndarray = WAVE) -> np.ndarray:
    """Samples start … stop - 1 at a speed, from just the samples that they need."""
    wanted = passage(factor, start, stop)
    first, last = max(0, wanted.first), min(len(wave), wanted.last)
    taken = np.pad(wave[first:last], (first - wanted.first, wanted.last - last))
    return change_speed(taken, wanted, factor)


@pytest.mark.parametrize("factor", [0.9, 1.1, 0.5, 2.0, 0.97, 1.25])
def test_the_whole_wave_is_that_of_to_wav(factor: float) -> None:
    total = num_samples_at(factor, len(WAVE))
    expected = np.clip(np.rint(changed_rate(WAVE, 16000, 16000, factor)), -32768, 32767)
    assert total == len(expected)
    difference = np.abs(part(factor, 0, total) - expected)
    # the filter's stop band is 80 dB down, 0.3 of a sample's standard deviation of 3,000; then both are rounded
    assert difference.max() <= 2 and difference.mean() < 0.3


@pytest.mark.parametrize("factor", [0.9, 1.1, 0.97])
def test_a_passage_is_the_same_from_its_own_samples_as_from_the_whole_wave(factor: float) -> None:
    total = num_samples_at(factor, len(WAVE))
    whole = part(factor, 0, total)
    for start, stop in ((0, 1), (1, 500), (7777, 17778), (total - 300, total), (total - 1, total)):
        found = part(factor, start, stop)
        assert len(found) == stop - start
        assert np.abs(found - whole[start:stop]).max() <= 1  # FFTs of other lengths round a few samples otherwise


def test_a_tone_rises_by_the_factor() -> None:
    tone = (8000 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(16000))).astype(np.float32)
    fast = part(1.1, 0, num_samples_at(1.1, 16000), tone)
    spectrum = np.abs(np.fft.rfft(fast * np.hanning(len(fast))))
    assert np.argmax(spectrum) * 16000 / len(fast) == pytest.approx(1100, abs=1.2)  # a bin is 1.1 Hz
    assert np.abs(fast[100:-100]).max() == pytest.approx(8000, rel=2e-3)


def test_loud_waves_are_clipped_to_sixteen_bits() -> None:
    square = np.where(np.arange(4000) // 40 % 2, 32767, -32768).astype(np.float32)
    fast = part(1.1, 0, num_samples_at(1.1, 4000), square)
    assert fast.max() == 32767 and fast.min() == -32768


def test_speeds_are_fractions() -> None:
    assert ratio(1.1) == (11, 10) and ratio(0.97) == (97, 100)
    assert num_samples_at(1.1, 11) == 10 and num_samples_at(1.1, 12) == 11 and num_samples_at(0.9, 9) == 10


def test_voice_activity_follows_the_speed() -> None:
    voiced = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0, 0], bool)
    assert voiced_at(voiced, 1.0, 10) is voiced
    assert voiced_at(voiced, 2.0, 5).tolist() == [True, False, True, False, False]  # frames 1, 3, 5, 7, 9
    slow = voiced_at(voiced, 0.5, 20)
    assert slow.tolist() == np.repeat(voiced, 2).tolist()
    assert voiced_at(voiced, 2.0, 6)[-1] == voiced[-1]  # a frame more than there is: the last


def test_a_chunk_is_consecutive_voiced_frames_and_a_late_start_is_moved_back() -> None:
    voiced = np.array([0, 1, 1, 0, 1, 0, 1, 1], bool)  # voiced: 1 2 4 6 7
    assert chunk_frames(voiced, 1, 3)[0].tolist() == [2, 4, 6]
    assert chunk_frames(voiced, 4, 3)[0].tolist() == [4, 6, 7]
    frames, all_of_them = chunk_frames(voiced, 3, 8)
    assert frames.tolist() == [6, 7, 1, 2, 4, 6, 7, 1] and all_of_them
    assert chunk_frames(voiced, 0, 5)[1] and not chunk_frames(voiced, 0, 4)[1]


def test_a_crop_covers_its_frames_and_is_mirrored_at_the_ends_alone() -> None:
    framing = kaldi_framing(FrameOptions(snip_edges=False))  # 400 samples every 160, the first from sample -120 on
    middle = crop(np.array([5, 6, 9]), 0, 16000, framing)
    assert (middle.start, middle.stop, middle.left, middle.right) == (680, 680 + 4 * 160 + 400, 0, 0)
    assert middle.num_frames == 5 and middle.rows.tolist() == [0, 1, 4]
    ends = crop(np.array([0, 99]), 3, 16000, framing)
    assert (ends.start, ends.stop, ends.left, ends.right, ends.num_frames) == (0, 16000, 120, 120, 100)
    wider = crop(np.array([5, 6]), 2, 16000, framing)
    assert wider.num_frames == 6 and wider.rows.tolist() == [2, 3]
    snipped = crop(np.array([0, 1]), 0, 16000, kaldi_framing(FrameOptions(snip_edges=True)))
    assert (snipped.start, snipped.stop, snipped.left, snipped.right) == (0, 560, 0, 0)
