"""MFCC and filter bank: against an independent library, a slow version in float64, and by hand."""

from __future__ import annotations

import dataclasses

import kaldi_native_fbank as knf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.feat.fbank import FbankOptions, compute_fbank
from minikaldi.feat.mel import MelOptions, inverse_mel_scale, mel_filters, mel_scale, warped_frequency
from minikaldi.feat.mfcc import MfccOptions, compute_mfcc, lifted_dct

RECIPE = {"dither": 0.0, "low_freq": 20.0, "high_freq": 7600.0, "num_mel_bins": 30, "snip_edges": False}
# Two float32 pipelines (the library's as Kaldi's own) differ by this much on quiet frames.
TOLERANCE_999, TOLERANCE_MAX = 5e-3, 0.1


def speech_like(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Noise whose level swells and falls by 60 dB, so that quiet frames occur, in 16-bit scale and steps."""
    time = np.arange(int(16000 * seconds)) / 16000
    noise = np.random.default_rng(seed).standard_normal(len(time))
    level = 3000 * 10 ** (-1.5 * (1 + np.sin(2 * np.pi * 3 * time)))
    return np.rint(level * noise).astype(np.float32)


def library_features(samples: np.ndarray, options: MfccOptions | FbankOptions, kind: str) -> np.ndarray:
    """The same features by kaldi_native_fbank."""
    theirs = getattr(knf, f"{kind}Options")()
    frame, mel = theirs.frame_opts, theirs.mel_opts
    frame.dither, frame.snip_edges, frame.samp_freq = 0.0, options.snip_edges, options.sample_frequency
    frame.frame_length_ms, frame.frame_shift_ms = options.frame_length, options.frame_shift
    frame.preemph_coeff, frame.window_type = options.preemphasis_coefficient, options.window_type
    frame.remove_dc_offset = options.remove_dc_offset
    mel.num_bins, mel.low_freq, mel.high_freq = options.num_mel_bins, options.low_freq, options.high_freq
    theirs.use_energy, theirs.raw_energy = options.use_energy, options.raw_energy
    theirs.energy_floor, theirs.htk_compat = options.energy_floor, options.htk_compat
    if isinstance(options, MfccOptions):
        theirs.num_ceps, theirs.cepstral_lifter = options.num_ceps, options.cepstral_lifter
    else:
        theirs.use_power, theirs.use_log_fbank = options.use_power, options.use_log_fbank
    computer = getattr(knf, f"Online{kind}")(theirs)
    computer.accept_waveform(options.sample_frequency, samples.tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(t) for t in range(computer.num_frames_ready)])


def assert_features_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    assert np.quantile(difference, 0.999) < TOLERANCE_999
    assert difference.max() < TOLERANCE_MAX


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"snip_edges": True, "use_energy": False},
        {"raw_energy": False, "energy_floor": 1.0},
        {"window_type": "hamming", "frame_length": 20.0, "frame_shift": 5.0, "remove_dc_offset": False},
        {"cepstral_lifter": 0.0, "preemphasis_coefficient": 0.0, "num_ceps": 13},
        {"high_freq": -400.0, "num_mel_bins": 40},
        {"htk_compat": True},
    ],
)
def test_mfcc_equals_the_independent_library(changed: dict) -> None:
    options = MfccOptions(**{**RECIPE, "num_ceps": 30, **changed})
    samples = speech_like()
    assert_features_agree(compute_mfcc(samples, 16000, options), library_features(samples, options, "Mfcc"))


@pytest.mark.parametrize(
    "changed", [{}, {"use_energy": True}, {"use_energy": True, "htk_compat": True}, {"use_power": False}]
)
def test_filter_bank_equals_the_independent_library(changed: dict) -> None:
    options = FbankOptions(**{**RECIPE, **changed})
    samples = speech_like()
    assert_features_agree(compute_fbank(samples, 16000, options), library_features(samples, options, "Fbank"))


def test_linear_filter_bank_is_the_exponential_of_the_logarithmic() -> None:
    samples = speech_like(0.3)
    linear = compute_fbank(samples, 16000, FbankOptions(**RECIPE, use_log_fbank=False))
    logarithmic = compute_fbank(samples, 16000, FbankOptions(**RECIPE))
    np.testing.assert_allclose(np.log(linear), logarithmic, rtol=1e-6, atol=1e-6)  # float32


def test_mfcc_equals_a_slow_version_in_float64() -> None:
    options = MfccOptions(**{**RECIPE, "snip_edges": True}, num_ceps=30)
    samples = speech_like(0.2)
    slow = []
    for begin in range(0, len(samples) - 400 + 1, 160):
        frame = samples[begin : begin + 400].astype(np.float64)
        frame -= frame.mean()
        energy = np.log(np.sum(frame**2))
        frame[1:], frame[0] = frame[1:] - 0.97 * frame[:-1], 0.03 * frame[0]
        window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
        spectrum = np.abs(np.fft.rfft(frame * window, 512)) ** 2
        log_mel = np.log([slow_filter_output(spectrum, m) for m in range(30)])
        k = np.arange(30)[:, None]
        dct = np.cos(np.pi / 30 * k * (np.arange(30) + 0.5)) * np.sqrt(np.where(k == 0, 1, 2) / 30)
        cepstra = dct @ log_mel * (1 + 11 * np.sin(np.pi * np.arange(30) / 22))
        slow.append([energy, *cepstra[1:]])
    # float32 frames against float64 ones: rounding of the pre-emphasis shows in quiet filters
    np.testing.assert_allclose(compute_mfcc(samples, 16000, options), slow, atol=5e-3)


def slow_filter_output(spectrum: np.ndarray, m: int) -> float:
    """The sum of one triangle of 30 between 20 and 7600 Hz, bin by bin."""
    edges = np.linspace(mel_scale(20.0), mel_scale(7600.0), 32)[m : m + 3]
    total = 0.0
    for k in range(256):
        mel = float(mel_scale(k * 16000 / 512))
        if edges[0] < mel <= edges[1]:
            total += spectrum[k] * (mel - edges[0]) / (edges[1] - edges[0])
        elif edges[1] < mel < edges[2]:
            total += spectrum[k] * (edges[2] - mel) / (edges[2] - edges[1])
    return total


def test_unliftered_dct_is_orthonormal() -> None:
    dct = lifted_dct(23, 23, 0.0)
    np.testing.assert_allclose(dct.T @ dct, np.eye(23), atol=1e-6)  # float32


def test_mel_scale_and_its_inverse_cancel() -> None:
    assert float(mel_scale(700.0)) == pytest.approx(1127 * np.log(2))
    frequencies = np.array([0.0, 100.0, 1000.0, 8000.0])
    np.testing.assert_allclose(inverse_mel_scale(mel_scale(frequencies)), frequencies, atol=1e-9)


def test_neighbouring_filters_sum_to_one_between_first_and_last_centre() -> None:
    filters = mel_filters(MelOptions(num_mel_bins=30, low_freq=20.0), 16000.0, 512, 1.0)
    centres = np.linspace(mel_scale(20.0), mel_scale(8000.0), 32)[[1, -2]]
    mel = mel_scale(np.arange(257) * 16000 / 512)
    inside = (mel > centres[0]) & (mel < centres[1])
    np.testing.assert_allclose(filters[inside].sum(axis=1), 1.0, atol=1e-6)  # float32


@given(st.floats(0.8, 1.25))
@settings(max_examples=30, deadline=None)
def test_vtln_warp_keeps_edges_rises_and_is_linear_in_the_middle(warp: float) -> None:
    edges = (20.0, 7600.0, 100.0, 7100.0)
    frequencies = np.linspace(0, 8000, 401)
    warped = warped_frequency(frequencies, warp, *edges)
    assert (np.diff(warped) > 0).all()
    np.testing.assert_allclose(warped[frequencies > 7600], frequencies[frequencies > 7600])
    assert warped_frequency(np.array([1000.0]), warp, *edges)[0] == pytest.approx(1000.0 / warp)


def test_vtln_moves_features_and_a_warp_of_one_does_not() -> None:
    options, samples = MfccOptions(**RECIPE), speech_like(0.3)
    plain = compute_mfcc(samples, 16000, options)
    np.testing.assert_array_equal(plain, compute_mfcc(samples, 16000, options, vtln_warp=1.0))
    assert np.abs(plain - compute_mfcc(samples, 16000, options, vtln_warp=1.1)).max() > 0.1


@pytest.mark.parametrize("level", [0.0, 1234.0])
@pytest.mark.parametrize("num_samples", [320, 8000])
def test_silence_constants_and_20_milliseconds_give_finite_features(level: float, num_samples: int) -> None:
    samples = np.full(num_samples, level, np.float32)
    for options in (MfccOptions(**RECIPE), MfccOptions(**RECIPE, use_energy=False)):
        assert np.isfinite(compute_mfcc(samples, 16000, options)).all()
    features = compute_fbank(samples, 16000, FbankOptions(**RECIPE, use_energy=True))
    assert features.shape == (num_samples // 160, 31)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("num_samples", [0, 1, 79])
def test_a_wave_too_short_for_a_frame_gives_no_rows(num_samples: int) -> None:
    samples = np.zeros(num_samples, np.float32)
    assert compute_mfcc(samples, 16000, MfccOptions(**RECIPE)).shape == (0, 13)
    assert compute_fbank(samples, 16000, FbankOptions(**RECIPE)).shape == (0, 30)


def test_another_rate_is_refused_unless_resampling_is_allowed() -> None:
    samples, options = speech_like(0.5), MfccOptions(dither=0.0, sample_frequency=8000.0)
    with pytest.raises(KaldiError, match=r"audio is 16000 Hz, .* says 8000; resample, or set --allow-downsample"):
        compute_mfcc(samples, 16000, options)
    allowed = dataclasses.replace(options, allow_downsample=True)
    assert compute_mfcc(samples, 16000, allowed).shape == (48, 13)
    with pytest.raises(KaldiError, match="audio is 4000 Hz"):
        compute_mfcc(samples, 4000, allowed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"num_ceps": 31}, "--num-ceps=31"),
        ({"num_mel_bins": 2, "num_ceps": 2}, "at least 3"),
        ({"high_freq": 9000.0}, "half of --sample-frequency"),
        ({"low_freq": 7700.0}, "half of --sample-frequency"),
        ({"num_mel_bins": 200}, "holds no bin of a 512-point FFT"),
    ],
)
def test_contradictory_options_are_refused(changed: dict, said: str) -> None:
    with pytest.raises(KaldiError, match=said):
        compute_mfcc(speech_like(0.1), 16000, MfccOptions(**{**RECIPE, **changed}))


def test_a_warp_that_leaves_the_filters_is_refused() -> None:
    with pytest.raises(KaldiError, match="--vtln-low=10"):
        compute_mfcc(speech_like(0.1), 16000, MfccOptions(**RECIPE, vtln_low=10.0), vtln_warp=1.1)


@given(st.integers(0, 4000), st.sampled_from([1, 3, 8, 64]), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_features_do_not_depend_on_the_size_of_blocks(length: int, size: int, snip: bool, energy: bool) -> None:
    samples = speech_like(0.25)[:length]
    mfcc = MfccOptions(**{**RECIPE, "snip_edges": snip}, use_energy=energy)
    fbank = FbankOptions(**{**RECIPE, "snip_edges": snip}, use_energy=energy)
    whole = compute_mfcc(samples, 16000, mfcc), compute_fbank(samples, 16000, fbank)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minikaldi.feat.frames.BLOCK_FRAMES", size)
        blocks = compute_mfcc(samples, 16000, mfcc), compute_fbank(samples, 16000, fbank)
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)  # matrix products sum in another order; cepstra are near 50


def test_frames_inside_a_piece_of_the_wave_have_the_features_that_they_have_in_the_whole() -> None:
    samples, options = speech_like(2.0), MfccOptions(**{**RECIPE, "snip_edges": True})
    whole = compute_mfcc(samples, 16000, options)
    for start in (0, 1, 57):
        piece = compute_mfcc(samples[160 * start : 160 * (start + 90) + 240], 16000, options)
        np.testing.assert_allclose(piece, whole[start : start + 90], atol=2e-4)  # as above
