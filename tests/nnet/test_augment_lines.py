"""Bands, companding, level, masks: by hand, by the formula, and by what they must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnet.augment import (
    ClippingOptions,
    ColourOptions,
    CompandingOptions,
    FrequencyMaskOptions,
    GainOptions,
    HighPassOptions,
    LowPassOptions,
    MaskOptions,
    ResampledOptions,
    Step,
    TelephoneOptions,
    TimeMaskOptions,
)
from nnet.augment.audio import AudioReader
from nnet.augment.band import (
    Colour,
    Companding,
    HighPass,
    LowPass,
    Resampled,
    Telephone,
    band_pass,
    coloured,
    companded,
    high_pass,
    low_pass,
)
from nnet.augment.level import Clean, Clipping, Gain, amplified, cut_peaks
from nnet.augment.masks import apply_masks, filling_of, mask_bins, mask_frames
from nnet.augment.material import Material
from nnet.augment.signal import FloatArray, Signal, signal_power

RNG = np.random.default_rng(0)
WHITE = (1000 * RNG.standard_normal(16000)).astype(np.float32)


def material(rate: float = 16000.0) -> Material:
    return Material(rate, AudioReader(rate, 10**6), {}, (), 10**6)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng([0, *seed])


def db_between(samples: np.ndarray, low: float, high: float, rate: float = 16000.0) -> float:
    """Power of a band in dB, beside that of white noise at the same place."""
    spectra = [np.abs(np.fft.rfft(each.astype(np.float64) * np.hanning(len(each)))) ** 2 for each in (samples, WHITE)]
    hz = np.arange(len(spectra[0])) * rate / len(samples)
    found, white = (spectrum[(hz >= low) & (hz < high)].sum() for spectrum in spectra)
    return float(10 * np.log10(max(found, 1e-20) / white))


def test_responses_by_hand() -> None:
    hz = np.array([0, 500, 1000, 2000], np.float32)
    np.testing.assert_allclose(low_pass(hz, 1000, 1), [1, 1 / np.sqrt(1.25), np.sqrt(0.5), 1 / np.sqrt(5)], rtol=1e-6)
    np.testing.assert_allclose(high_pass(hz, 1000, 1), [0, 1 / np.sqrt(5), np.sqrt(0.5), 1 / np.sqrt(1.25)], rtol=1e-6)
    # the powers by squaring are those of the definition, infinite ones among them
    steep = low_pass(np.array([999, 8000], np.float32), 50, 20)
    np.testing.assert_allclose(steep, [0, 0], atol=1e-20)
    np.testing.assert_allclose(low_pass(hz, 700, 7), 1 / np.sqrt(1 + (hz.astype(float) / 700) ** 14), rtol=1e-4)


@pytest.mark.parametrize(
    ("step", "passed", "stopped"),
    [
        (LowPass(LowPassOptions(cutoff=(3000, 3000), order=8), material()), (50, 2000), (5000, 8000)),
        (HighPass(HighPassOptions(cutoff=(400, 400), order=4), material()), (900, 8000), (10, 100)),
        (Resampled(ResampledOptions(rates=(8000,)), material()), (50, 3700), (4050, 8000)),
    ],
)
def test_a_filter_passes_its_band_and_moves_nothing(
    step: LowPass, passed: tuple[float, float], stopped: tuple[float, float]
) -> None:
    (found,) = step.apply([Signal(WHITE)], [rng(0)])
    assert len(found.samples) == len(WHITE)
    assert db_between(found.samples, *passed) == pytest.approx(0, abs=0.2)
    assert db_between(found.samples, *stopped) < -30
    click = np.zeros(4000, np.float32)
    click[1234] = 1000
    assert np.argmax(step.apply([Signal(click)], [rng(0)])[0].samples) == 1234


def test_a_filter_is_the_slow_convolution_with_its_response() -> None:
    options = LowPassOptions(cutoff=(2000, 2000), order=2)
    (found,) = LowPass(options, material()).apply([Signal(WHITE[:3000])], [rng(0)])
    grid = np.arange(8193) * 16000 / 16384
    impulse = np.fft.irfft(1 / np.sqrt(1 + (grid / 2000) ** 4))
    kernel = np.concatenate([impulse[-4000:], impulse[:4000]])
    expected = np.convolve(WHITE[:3000].astype(np.float64), kernel)[4000:7000]
    np.testing.assert_allclose(found.samples, expected, atol=1.0)  # the response rings on, and wraps, below 0.1 %


def test_a_filter_has_the_power_of_speech_taken_again() -> None:
    step = LowPass(LowPassOptions(cutoff=(2000, 2000)), material())
    (found,) = step.apply([Signal(WHITE, context=5, speech_power=7.0)], [rng(0)])
    assert found.speech_power is None and found.context == 5


def test_a_curve_goes_straight_between_its_points_on_the_log_scale() -> None:
    hz = np.array([0, 60, 60 * np.sqrt(2), 120, 240, 8000], np.float32)
    expected = 10 ** (np.array([6.0, 6.0, 3.0, 0.0, -12.0, -12.0]) / 20)  # level before and after
    np.testing.assert_allclose(coloured(hz, 1.0, np.array([6.0, 0.0, -12.0])), expected, rtol=1e-5)  # float32
    np.testing.assert_allclose(
        coloured(hz[:4], 0.5, np.array([0.0, 6.0, 0.0])), 10 ** (np.array([0, 0, 6, 0]) / 20), rtol=1e-5
    )


def test_colours_differ_stay_within_their_bounds_and_move_nothing() -> None:
    step = Colour(ColourOptions(db=(9, 9)), material())
    signals = step.apply([Signal(WHITE, speech_power=7.0)] * 40, [rng(n) for n in range(40)])
    levels = np.array([[db_between(s.samples, low, 1.2 * low) for low in (100, 400, 1500, 5000)] for s in signals])
    assert np.abs(levels).max() <= 9.1  # the 0.1 is the leakage of the window that measures
    # a point is even within 9 dB, 5.2 dB of standard deviation; between two points it may be 0.71 of that
    assert (levels.std(axis=0) > 2.5).all()
    assert np.abs(np.corrcoef(levels.T)[0, 2:]).max() < 0.5  # two octaves away nothing is shared: 3 standard errors
    click = np.zeros(4000, np.float32)
    click[1234] = 1000
    coloured_click = step.apply([Signal(click)], [rng(1)])[0]
    assert np.argmax(coloured_click.samples) == 1234
    assert signals[0].speech_power is None


def test_no_swing_leaves_the_wave_alone() -> None:
    (found,) = Colour(ColourOptions(db=(0, 0)), material()).apply([Signal(WHITE)], [rng(0)])
    np.testing.assert_allclose(found.samples, WHITE, atol=0.01)  # float32 FFT of samples of 1,000


def test_cutoffs_are_drawn_within_their_bounds_on_the_log_scale() -> None:
    step = LowPass(LowPassOptions(cutoff=(500, 8000), order=8), material())
    signals = step.apply([Signal(WHITE)] * 60, [rng(n) for n in range(60)])
    upper = [db_between(signal.samples, 2000, 8000) for signal in signals]
    # A quarter of the band is left at 3,500 Hz, below which lie 0.7 of the four octaves: 42 ± 3.4 standard deviations.
    assert 30 <= sum(level < -6 for level in upper) <= 54


def mu_law(value: float) -> float:
    """One sample by the formula."""
    x = value / 32768
    code = round(127 * np.log(1 + 255 * abs(x)) / np.log(256)) / 127
    return float(np.sign(x) * (256**code - 1) / 255 * 32768)


def test_mu_law_is_its_formula_and_a_law_its_own() -> None:
    values = [0, 1, -1, 100, -5000, 32767, -32768]
    found = companded(np.array(values, np.float32), "mu")
    np.testing.assert_allclose(found, [mu_law(value) for value in values], rtol=1e-5)
    alaw = companded(np.array([0, 16384, -16384, 10], np.float32), "a")
    code = round(127 * (1 + np.log(87.6 / 2)) / (1 + np.log(87.6))) / 127
    expected = np.exp(code * (1 + np.log(87.6)) - 1) / 87.6 * 32768
    np.testing.assert_allclose(alaw[:3], [0, expected, -expected], rtol=1e-5)
    low = round(127 * 87.6 * 10 / 32768 / (1 + np.log(87.6))) / 127 * (1 + np.log(87.6)) / 87.6 * 32768
    assert alaw[3] == pytest.approx(low, rel=1e-5)


@pytest.mark.parametrize("law", ["mu", "a"])
def test_companding_is_monotone_symmetric_and_near(law: str) -> None:
    values = np.arange(-32767, 32768, dtype=np.float32)
    found = companded(values, law)
    assert (np.diff(found) >= 0).all() and len(np.unique(found)) == 255
    np.testing.assert_array_equal(found[::-1], -found)
    assert np.abs(found - values)[np.abs(values) > 1000].max() / 32768 < 0.025
    noise = companded(WHITE, law) - np.rint(WHITE)
    assert 30 < 10 * np.log10(signal_power(WHITE) / signal_power(noise)) < 45  # eight bits of a law give 35 to 40 dB


def test_a_telephone_line_has_its_band_and_eight_bits() -> None:
    (found,) = Telephone(TelephoneOptions(), material()).apply([Signal(WHITE)], [rng(0)])
    assert db_between(found.samples, 500, 3000) == pytest.approx(0, abs=0.3)
    assert db_between(found.samples, 0, 100) < -30 and db_between(found.samples, 4000, 8000) < -50


def test_a_telephone_line_of_a_wave_at_8_khz_is_taken_at_its_own_rate() -> None:
    (found,) = Telephone(TelephoneOptions(), material(8000.0)).apply([Signal(WHITE)], [rng(0)])
    assert db_between(found.samples, 500, 3000, 8000.0) == pytest.approx(0, abs=0.3)


def test_lines_draw_either_law() -> None:
    step = Companding(CompandingOptions(), material())
    kinds = {step.apply([Signal(WHITE[:50])], [rng(n)])[0].samples.tobytes() for n in range(20)}
    assert kinds == {companded(WHITE[:50], law).tobytes() for law in ("mu", "a")}


def test_gain_is_in_db_and_takes_the_levels_with_it() -> None:
    np.testing.assert_allclose(amplified(np.array([1, -2], np.float32), 20), [10, -20], rtol=1e-6)
    signal = Signal(WHITE, speech_power=100.0)
    (found,) = Gain(GainOptions(db=(-20, -20)), material()).apply([signal], [rng(0)])
    assert signal_power(found.samples) == pytest.approx(signal_power(WHITE) / 100, rel=1e-4)
    assert found.speech_power == pytest.approx(1.0)


def test_clipping_cuts_what_is_nearer_to_the_peak() -> None:
    assert cut_peaks(np.array([10, -4, -10, 5], np.float32), 20 * np.log10(2)).tolist() == [5, -4, -5, 5]
    assert cut_peaks(np.zeros(3, np.float32), 6).tolist() == [0, 0, 0]
    (found,) = Clipping(ClippingOptions(db=(6, 6)), material()).apply([Signal(WHITE)], [rng(0)])
    assert np.abs(found.samples).max() == pytest.approx(np.abs(WHITE).max() * 10**-0.3, rel=1e-6)


def test_a_telephone_band_falls_from_one_to_nothing_at_its_edges() -> None:
    hz = np.array([0, 120, 160, 200, 1000, 3400, 3485, 3570, 8000], np.float32)
    np.testing.assert_allclose(band_pass(hz, 200, 3400), [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], atol=1e-6)


def test_clean_changes_nothing() -> None:
    signals = [Signal(WHITE)]
    assert Clean(None, material()).apply(signals, [rng(0)]) is signals


FRAMES = RNG.standard_normal((60, 30)).astype(np.float32)
Mask = Callable[[FloatArray, MaskOptions, FloatArray, np.random.Generator], FloatArray]


def masked_by(mask: Mask, frames: FloatArray, options: MaskOptions, seed: int) -> FloatArray:
    """One kind of mask, filled as its options say."""
    return mask(frames, options, filling_of(frames, options.fill), rng(seed))


def test_a_band_of_bins_is_hidden_over_all_frames() -> None:
    widths = set()
    for n in range(60):
        masked = masked_by(mask_bins, FRAMES, FrequencyMaskOptions(width=(2, 5)), n)
        hidden = np.flatnonzero((masked == 0).all(axis=0))
        widths.add(len(hidden))
        assert np.array_equal(hidden, np.arange(hidden[0], hidden[0] + len(hidden)))
        kept = np.setdiff1d(np.arange(30), hidden)
        assert np.array_equal(masked[:, kept], FRAMES[:, kept])
    assert widths == {2, 3, 4, 5}


def test_a_stretch_of_frames_is_filled_with_each_bins_mean() -> None:
    masked = masked_by(mask_frames, FRAMES, TimeMaskOptions(width=(7, 7), fill="mean"), 0)
    changed = np.flatnonzero((masked != FRAMES).any(axis=1))
    assert len(changed) == 7 and changed[-1] - changed[0] == 6
    np.testing.assert_array_equal(masked[changed], np.tile(FRAMES.mean(axis=0), (7, 1)))


def test_masks_of_crop_mean_hold_the_one_mean_of_all_the_chunk() -> None:
    hand = np.array([[8.0, 0.0], [2.0, 2.0], [0.0, 0.0], [4.0, 0.0]], np.float32)  # 16 / 8; the bins' own: 3.5 and 0.5
    for mask, options in (
        (mask_frames, TimeMaskOptions(width=(1, 1), fill="crop_mean")),
        (mask_bins, FrequencyMaskOptions(width=(1, 1), fill="crop_mean")),
    ):
        for n in range(20):
            masked = masked_by(mask, hand, options, n)
            axis = 1 if mask is mask_frames else 0
            hidden = np.flatnonzero((masked == 2.0).all(axis=axis))
            assert len(np.flatnonzero((masked != hand).any(axis=axis))) <= 1 <= len(hidden)
    masked = masked_by(mask_bins, FRAMES, FrequencyMaskOptions(width=(4, 4), fill="crop_mean"), 0)
    changed = np.flatnonzero((masked != FRAMES).any(axis=0))
    assert len(changed) == 4 and (masked[:, changed] == np.float32(FRAMES.astype(np.float64).mean())).all()


def test_masks_reach_both_ends_and_the_frames_given_are_left_alone() -> None:
    before = FRAMES.copy()
    whole = TimeMaskOptions(width=(50, 50))
    starts = {int(np.flatnonzero((masked_by(mask_frames, FRAMES, whole, n) == 0).all(1))[0]) for n in range(200)}
    assert starts == set(range(31))  # 50 is cut to half of 60
    assert np.array_equal(before, FRAMES)


def test_one_frame_and_one_bin_are_never_hidden() -> None:
    one = np.ones((1, 1), np.float32)
    assert masked_by(mask_frames, one, TimeMaskOptions(), 0) == one
    assert masked_by(mask_bins, one, FrequencyMaskOptions(), 0) == one


def test_several_masks_and_their_probability() -> None:
    steps = (Step(TimeMaskOptions(width=(1, 1), count=(3, 3)), 0.25), Step(FrequencyMaskOptions(), 0.0))
    hidden = [int((apply_masks(FRAMES, steps, rng(n)) == 0).all(axis=1).sum()) for n in range(400)]
    assert max(hidden) == 3 and 65 <= sum(each > 0 for each in hidden) <= 135  # 100 ± 4 standard deviations
    assert isinstance(steps[0].options, MaskOptions)


def test_the_second_mask_is_filled_with_the_mean_of_the_chunk_before_the_first() -> None:
    frames = np.full((20, 6), 1.0, np.float32)
    frames[:, 0] = 7.0  # the mean is 2; if the first bin were replaced by it first, the mean of the rest would be less
    bins = FrequencyMaskOptions(width=(3, 3), fill="crop_mean")
    steps = (Step(bins), Step(TimeMaskOptions(width=(2, 2), fill="crop_mean")))
    for n in range(20):
        masked = apply_masks(frames, steps, rng(n))
        hidden = (masked == 2.0).all(axis=1)
        assert hidden.sum() == 2
        assert set(np.unique(masked)) <= {np.float32(1), np.float32(2), np.float32(7)}


def test_the_features_given_to_the_steps_may_be_read_only(tmp_path: Path) -> None:
    frozen = FRAMES.copy()
    frozen.flags.writeable = False
    assert apply_masks(frozen, (Step(TimeMaskOptions()),), rng(0)).shape == FRAMES.shape
