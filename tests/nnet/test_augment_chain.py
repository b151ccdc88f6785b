"""The chain of steps, and features of a batch of waves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.feat.fbank import FbankOptions, compute_fbank
from minikaldi.feat.sliding_cmvn import SlidingCmvnOptions, sliding_cmvn
from nnet.augment import AugmentOptions, CleanOptions, GainOptions, OneOf, RoomOptions, Step
from nnet.augment.audio import AudioReader
from nnet.augment.chain import Chain, Costs
from nnet.augment.features import read_feature_maker, without_mean
from nnet.augment.material import Material
from nnet.augment.signal import Signal, signal_power
from nnet.data.wave_lists import RirLine
from tests.nnet.helpers.audio_corpus import write_waves

RNG = np.random.default_rng(0)
WAVE = (500 * RNG.standard_normal(3000)).astype(np.float32)


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng([5, n]) for n in range(count)]


def gain(db: float) -> GainOptions:
    return GainOptions(db=(db, db))


def through(entries: tuple[Step | OneOf, ...], count: int = 1, costs: Costs | None = None) -> list[float]:
    """Gain in dB that each of `count` equal signals got."""
    material = Material(16000.0, AudioReader(16000, 0), {}, (), 0)
    chain = Chain(AugmentOptions(audio=entries), material, costs or Costs())
    done = chain.apply([Signal(WAVE)] * count, rngs(count))
    return [round(10 * np.log10(signal_power(signal.samples) / signal_power(WAVE)), 2) for signal in done]


def test_steps_come_one_after_the_other() -> None:
    assert through((Step(gain(3)), Step(gain(-10)))) == [-7.0]
    assert through(()) == [0.0]


def test_a_step_comes_with_its_probability() -> None:
    gains = through((Step(gain(6), 0.25),), 400)
    assert set(gains) == {0.0, 6.0}
    assert 65 <= gains.count(6.0) <= 135  # 100 ± 4 standard deviations
    assert through((Step(gain(6), 0.0),), 50) == [0.0] * 50


def test_one_of_several_comes_by_its_weight_and_none_with_the_rest_of_the_probability() -> None:
    members = (Step(gain(6), 1.0), Step(CleanOptions(), 2.0), Step(gain(-6), 1.0), Step(gain(20), 0.0))
    gains = through((OneOf(members),), 800)
    assert set(gains) == {6.0, 0.0, -6.0}
    assert all(150 <= gains.count(db) <= 250 for db in (6.0, -6.0))  # 200 ± 4 standard deviations
    half = through((OneOf((Step(gain(6)),), 0.5),), 800)
    assert 340 <= half.count(6.0) <= 460


def test_what_a_signal_draws_does_not_depend_on_the_others() -> None:
    members = OneOf((Step(gain(6)), Step(CleanOptions()), Step(gain(-6))), 0.9)
    assert through((members, Step(gain(1), 0.5)), 40) == through((members, Step(gain(1), 0.5)), 60)[:40]


def test_the_context_is_kept_up_to_the_last_room_and_no_further(tmp_path: Path) -> None:
    write_waves(tmp_path / "r", {"r": np.array([20000.0, 0, 500])})
    rirs = (RirLine("r", 1.0, f"{tmp_path}/r/audio/r.wav"),)
    material = Material(16000.0, AudioReader(16000, 10**6), {}, rirs, 10**6)
    signal = Signal(WAVE, context=1000)
    for wave in ((Step(RoomOptions(), 0.5), Step(gain(0))), (Step(gain(0)),), ()):
        chain = Chain(AugmentOptions(audio=wave), material, Costs())
        done = chain.apply([signal] * 8, rngs(8))
        assert all(each.context == 0 and len(each.samples) == 2000 for each in done)


def test_costs_are_counted_by_step_and_a_step_without_signals_costs_nothing() -> None:
    costs = Costs()
    through((Step(gain(3)), Step(CleanOptions(), 0.0)), 1, costs)
    assert set(costs.seconds) == {"gain"} and costs.seconds["gain"] >= 0


CONF = "--num-mel-bins=10\n--snip-edges=false\n--dither=0\n"


def test_features_of_joined_waves_are_those_of_each(tmp_path: Path) -> None:
    (tmp_path / "fbank.conf").write_text(CONF)
    maker = read_feature_maker("fbank", tmp_path / "fbank.conf", 10)
    counts = [1, 7, 300, 2]
    waves = [np.rint(900 * RNG.standard_normal((n - 1) * 160 + 400)).astype(np.float32) for n in counts]
    options = FbankOptions(num_mel_bins=10, dither=0, snip_edges=True)
    for _ in range(2):  # the memory of the first time holds other waves the second time
        feats, clipped = maker.of_waves(waves, counts, "")
        assert [len(rows) for rows in feats] == counts and not clipped
        for rows, wave in zip(feats, waves, strict=True):
            # float32 products of blocks of other sizes
            np.testing.assert_allclose(rows, compute_fbank(wave, 16000.0, options), atol=1e-5)
        waves, counts = waves[::-1], counts[::-1]


def test_samples_are_rounded_to_sixteen_bits_and_clipping_is_reported(tmp_path: Path) -> None:
    (tmp_path / "fbank.conf").write_text(CONF)
    maker = read_feature_maker("fbank", tmp_path / "fbank.conf", 10)
    exact = np.trunc(900 * RNG.standard_normal(560)).astype(np.float32)
    between = exact + np.float32(0.4) * np.sign(exact)
    assert np.array_equal(maker.of_waves([exact], [2], "")[0][0], maker.of_waves([between], [2], "")[0][0])
    assert maker.of_waves([exact * 100], [2], "")[1]


def test_dither_is_drawn_from_its_key(tmp_path: Path) -> None:
    (tmp_path / "mfcc.conf").write_text("--dither=1\n")
    maker = read_feature_maker("mfcc", tmp_path / "mfcc.conf", 13)
    first, same, other = (maker.of_waves([WAVE[:560]], [2], key)[0][0] for key in ("1 2", "1 2", "1 3"))
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_a_bad_option_file_is_refused_with_its_name(tmp_path: Path) -> None:
    conf = tmp_path / "fbank.conf"
    for text, message in (("--num-mel-bin=10\n", "fbank.conf"), ("--num-mel-bins=12\n", "features.dim is 10")):
        conf.write_text(text)
        with pytest.raises(InputError, match=message):
            read_feature_maker("fbank", conf, 10)
    with pytest.raises(InputError, match=r"none\.conf"):
        read_feature_maker("fbank", tmp_path / "none.conf", 10)


def test_the_mean_is_that_of_the_window_or_of_all_frames() -> None:
    feats = RNG.standard_normal((50, 4)).astype(np.float32) + 7
    options = SlidingCmvnOptions(cmn_window=20, min_cmn_window=1, center=True)
    np.testing.assert_array_equal(without_mean(feats, 20), sliding_cmvn(feats, options))
    np.testing.assert_allclose(without_mean(feats, 50), feats - feats.mean(axis=0), atol=1e-5)  # float32 values near 7
    assert without_mean(feats, 0) is feats
    np.testing.assert_allclose(without_mean(feats[:1], 300), np.zeros((1, 4)))
