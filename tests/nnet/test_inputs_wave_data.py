"""Training from audio on librosa's MFCC and on samples: the chunks are those of features on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, INT32, sequential, writer
from nnet import make_feats
from nnet.augment.features import read_feature_maker
from nnet.config.experiment import load
from nnet.data.batches import FeatureChunks
from nnet.data.hold_out import HoldOutOptions
from nnet.data.lists import TrainingLists, read_lists
from nnet.data.sampler import BatchPlan, BatchPlanner
from nnet.data.wave_data import WaveChunks, open_waves
from nnet.data.wave_lists import AudioSources
from nnet.features import fit_vad
from nnet.make_lists import make_lists
from tests.nnet.helpers.audio_corpus import run

LIBROSA = "{type: librosa_mfcc, config: unused, dim: 40, vad: false, cmvn: false}"
WAVE = "{type: samples, config: unused, dim: 160, cmvn: false}"


def prepared(corpus: Any, kind: str, conf: Path, voiced: bool, min_frames: int) -> Path:
    """Lists of features of that kind, all frames or the voiced ones, with the audio."""
    out, lists = corpus.root / f"{kind}_no_sil", corpus.root / f"{kind}_lists"
    out.mkdir()
    raw, feats = f"ark:{out}/raw.ark", f"ark,scp:{out}/feats.ark,{out}/feats.scp"
    assert make_feats.main([kind, f"--config={conf}", f"scp:{corpus.data}/wav.scp", raw]) == 0
    if voiced:
        with sequential(raw, FLOAT_MATRIX) as table, writer(f"ark:{out}/counts.ark", INT32) as counts:
            for key, rows in table:
                counts.write(key, len(rows))
        words = [f"ark:{out}/counts.ark", f"scp:{corpus.data}/vad.scp", f"ark:{out}/vad.ark"]
        assert fit_vad.run_command(["fit-vad", *words], declared=fit_vad.COMMAND) == 0
        run("select-voiced-frames", raw, f"ark:{out}/vad.ark", f"ark:{out}/voiced.ark")
        raw = f"ark:{out}/voiced.ark"
    run("copy-feats", f"--write-num-frames=ark,t:{out}/utt2num_frames", raw, feats)
    (out / "utt2spk").write_text((corpus.data / "utt2spk").read_text())
    sources = AudioSources(corpus.data, corpus.root / "noise", corpus.root / "music", None, corpus.root / "rir_sets")
    make_lists(out, lists, min_frames, 2, HoldOutOptions(valid_share=0.2), sources)
    return lists


def opened(corpus: Any, features: str, conf: Path, lists: Path, *more: str) -> tuple[WaveChunks, TrainingLists]:
    """The source of chunks, and the lists."""
    config = load(corpus.config, [f"features={features}", *more])
    chunks, read, _ = open_waves(config, read_lists(lists), lists, conf)
    return chunks, read


def plans(lists: TrainingLists, frames: tuple[int, int]) -> list[BatchPlan]:
    """Some batches, and each utterance whole."""
    planner = BatchPlanner(lists.train, frames, 8, "speakers", 3)
    lengths = lists.train.num_frames.tolist()
    whole = [BatchPlan(1, length, np.array([utt]), np.array([0])) for utt, length in enumerate(lengths)]
    return [planner.plan(step) for step in range(1, 6)] + whole


@pytest.mark.parametrize("voiced", [True, False])
def test_chunks_of_samples_are_those_of_the_archive(audio_corpus: Any, root: Path, voiced: bool) -> None:
    conf = root / "conf" / "samples.conf"
    lists_dir = prepared(audio_corpus, "samples", conf, voiced, 20)
    section = WAVE if voiced else WAVE.replace("cmvn", "vad: false, cmvn")
    chunks, lists = opened(audio_corpus, section, conf, lists_dir)
    feats = FeatureChunks(lists.train, 160)
    for plan in plans(lists, (20, 60)):
        np.testing.assert_array_equal(chunks.chunks(plan), feats.chunks(plan))  # whole numbers over 32768


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_chunks_of_librosa_mfcc_are_those_of_the_archive(audio_corpus: Any, tmp_path: Path, pad_mode: str) -> None:
    conf = tmp_path / "librosa.conf"
    conf.write_text(f"--pad-mode={pad_mode}\n--top-db=0\n")  # the chunk's own maximum is not the utterance's
    lists_dir = prepared(audio_corpus, "librosa_mfcc", conf, False, 8)
    chunks, lists = opened(audio_corpus, LIBROSA, conf, lists_dir)
    feats = FeatureChunks(lists.train, 40)
    for plan in plans(lists, (8, 20)):
        # FFTs in float64, then float32 of values to 600
        np.testing.assert_allclose(chunks.chunks(plan), feats.chunks(plan), atol=1e-3)


def test_the_sliding_mean_is_subtracted_where_the_experiment_says_so(audio_corpus: Any, root: Path) -> None:
    conf = root / "conf" / "librosa_mfcc.conf"
    lists_dir = prepared(audio_corpus, "librosa_mfcc", conf, False, 8)
    chunks, lists = opened(audio_corpus, LIBROSA, conf, lists_dir)
    centred, _ = opened(audio_corpus, LIBROSA.replace(", cmvn: false", ""), conf, lists_dir)
    for plan in plans(lists, (8, 20))[5:9]:  # whole utterances, shorter than the window
        with_mean = chunks.chunks(plan)
        expected = with_mean - with_mean.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(centred.chunks(plan), expected, atol=1e-3)  # float32 of values to 600


def test_augmentation_changes_samples_within_full_scale(audio_corpus: Any, root: Path) -> None:
    conf = root / "conf" / "samples.conf"
    lists_dir = prepared(audio_corpus, "samples", conf, True, 20)
    section = "augment={speed: {factors: [0.9, 1.1]}, audio: [{name: room}, {name: noise}, {name: gain}]}"
    plain, _ = opened(audio_corpus, WAVE, conf, lists_dir)
    changed, lists = opened(audio_corpus, WAVE, conf, lists_dir, section)
    plan = BatchPlan(1, 40, np.arange(6), np.zeros(6, np.int64))
    made = changed.chunks(plan)
    assert made.shape == (6, 40, 160) and np.abs(made).max() <= 1
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(made, plain.chunks(plan), strict=True))
    assert np.array_equal(made, changed.chunks(plan))
    number = len(lists.train) // 3
    fast = changed.chunks(BatchPlan(1, 40, np.array([2 * number]), np.array([0])))
    assert fast.shape == (1, 40, 160) and np.isfinite(fast).all()


def test_what_does_not_fit_is_refused_with_its_name(audio_corpus: Any, root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"logmel features are of another rate .*--augment ondisk"):
        read_feature_maker("logmel", root / "conf" / "logmel.conf", 80)
    with pytest.raises(InputError, match=r"gives samples of 160 columns, features\.dim is 80"):
        read_feature_maker("samples", root / "conf" / "samples.conf", 80)
    (tmp_path / "bad.conf").write_text("--pad-mode=wrap\n")
    with pytest.raises(InputError, match=r"bad\.conf: --pad-mode=\"wrap\" is unknown"):
        read_feature_maker("librosa_mfcc", tmp_path / "bad.conf", 40)
    conf = root / "conf" / "samples.conf"
    lists_dir = prepared(audio_corpus, "samples", conf, True, 20)
    all_frames, lists = opened(audio_corpus, WAVE.replace("cmvn", "vad: false, cmvn"), conf, lists_dir)
    with pytest.raises(InputError, match=r"the audio has \d+ frames, utt2num_frames says \d+; make the lists again"):
        for plan in plans(lists, (20, 60)):
            all_frames.chunks(plan)
    vad = audio_corpus.root / "longer.ark"
    with writer(f"ark,scp:{vad},{lists_dir}/vad.scp", FLOAT_VECTOR) as table:
        for utt in range(len(lists.train)):
            table.write(lists.train.utt_ids[utt], np.ones(400))
    chunks, _ = opened(audio_corpus, WAVE, conf, lists_dir)
    with pytest.raises(InputError, match=r"has 400 frames, the audio \d+; make the voice activity of this audio again"):
        chunks.chunks(BatchPlan(1, 20, np.array([0]), np.array([0])))
