"""Energy VAD and the selection of voiced frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KaldiError
from minikaldi.ivector.energy_vad import EnergyVadOptions, energy_vad
from minikaldi.ivectorbin.select_voiced_frames import UnusableUtteranceError, voiced_frames


def with_energy(*energy: float) -> np.ndarray:
    """Features whose column 0 is the energy."""
    return np.stack([energy, np.zeros(len(energy))], axis=1).astype(np.float32)


def test_threshold_is_constant_plus_scaled_mean() -> None:
    # mean 6, threshold 5 + 0.5 * 6 = 8
    feats = with_energy(2.0, 9.0, 8.0, 5.0)
    np.testing.assert_array_equal(energy_vad(feats, EnergyVadOptions()), [0, 1, 0, 0])


def test_a_frame_is_voiced_by_the_share_of_its_neighbours() -> None:
    feats = with_energy(0.0, 0.0, 9.0, 0.0, 0.0)
    options = EnergyVadOptions(vad_energy_mean_scale=0.0, vad_frames_context=1, vad_proportion_threshold=0.4)
    # windows of 2, 3, 3, 3, 2 frames hold 0, 1, 1, 1, 0 loud ones: 1/3 < 0.4
    np.testing.assert_array_equal(energy_vad(feats, options), [0, 0, 0, 0, 0])
    options.vad_proportion_threshold = 0.3
    np.testing.assert_array_equal(energy_vad(feats, options), [0, 1, 1, 1, 0])


@given(
    st.lists(st.floats(-20, 30, width=32), min_size=1, max_size=40),
    st.integers(0, 5),
    st.sampled_from([0.12, 0.5, 0.6]),
)
@settings(max_examples=100, deadline=None)
def test_decisions_equal_counting_frame_by_frame(energy: list[float], context: int, proportion: float) -> None:
    options = EnergyVadOptions(vad_frames_context=context, vad_proportion_threshold=proportion)
    threshold = np.float32(5.0 + 0.5 * np.mean(np.float32(energy), dtype=np.float64))
    expected = []
    for t in range(len(energy)):
        window = np.float32(energy[max(0, t - context) : t + context + 1])
        needed = np.float32(len(window)) * np.float32(proportion)
        expected.append(float(np.float32((window > threshold).sum()) >= needed))
    np.testing.assert_array_equal(energy_vad(with_energy(*energy), options), expected)


def test_silence_is_unvoiced_throughout() -> None:
    assert not energy_vad(with_energy(*[-15.94] * 20), EnergyVadOptions()).any()


@pytest.mark.parametrize("changed", [{"vad_frames_context": -1}, {"vad_proportion_threshold": 1.5}])
def test_options_without_meaning_are_refused(changed: dict) -> None:
    with pytest.raises(KaldiError, match="--vad-"):
        energy_vad(with_energy(1.0), EnergyVadOptions(**changed))


def test_selection_keeps_the_voiced_rows_in_order() -> None:
    feats = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_array_equal(voiced_frames(feats, np.float32([1, 0, 0, 1])), feats[[0, 3]])


def test_selection_refuses_what_cannot_be_selected_from() -> None:
    feats = np.ones((2, 3), np.float32)
    with pytest.raises(UnusableUtteranceError, match="2 for features and 3 for VAD"):
        voiced_frames(feats, np.ones(3, np.float32))
    with pytest.raises(UnusableUtteranceError, match="No features were judged as voiced"):
        voiced_frames(feats, np.zeros(2, np.float32))
    with pytest.raises(UnusableUtteranceError, match="No VAD input found"):
        voiced_frames(feats, None)
    with pytest.raises(KaldiError, match="other than 0 and 1"):
        voiced_frames(feats, np.float32([0.5, 1]))
