"""A corpus of random features in which each speaker has a mean of its own, and a network that learns it in seconds."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, writer
from nnet.data.hold_out import HoldOutOptions
from nnet.make_lists import make_lists
from tests.nnet.helpers.audio_corpus import AudioCorpus, make_audio_corpus
from tests.nnet.helpers.tiny_corpus import CONFIG, DIM, TinyCorpus


@pytest.fixture(autouse=True)
def readable_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaldi tables may be read from standard input; the one that pytest puts in place cannot be."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO())))


@pytest.fixture
def make_tiny_corpus(tmp_path: Path) -> Callable[..., TinyCorpus]:
    """A function that writes the corpus; `change` may alter the features of an utterance."""

    def make(change: Callable[[str, np.ndarray], np.ndarray] | None = None) -> TinyCorpus:
        rng = np.random.default_rng(0)
        data = tmp_path / "data"
        data.mkdir()
        means = rng.normal(size=(6, DIM))
        frames, utt2spk, utt2rec = [], [], []
        with writer(f"ark,scp:{data}/feats.ark,{data}/feats.scp", FLOAT_MATRIX) as feats:
            for number in range(48):
                spk, rec = number // 8, number // 2
                utt_id = f"s{spk}-{number:02}"
                rows = (means[spk] + rng.normal(size=(int(rng.integers(15, 80)), DIM))).astype(np.float32)
                feats.write(utt_id, rows if change is None else change(utt_id, rows))
                frames.append(f"{utt_id} {len(rows)}\n")
                utt2spk.append(f"{utt_id} s{spk}\n")
                utt2rec.append(f"{utt_id} r{rec}\n")
        for name, lines in (("utt2num_frames", frames), ("utt2spk", utt2spk), ("utt2rec", utt2rec)):
            (data / name).write_text("".join(lines))
        make_lists(data, tmp_path / "lists", 15, 2, HoldOutOptions(valid_share=0.3))
        (tmp_path / "tiny.yaml").write_text(CONFIG)
        (tmp_path / "fbank.conf").write_text("--num-mel-bins=8\n")
        return TinyCorpus(data, tmp_path / "lists", tmp_path / "tiny.yaml", tmp_path / "fbank.conf")

    return make


@pytest.fixture
def tiny_corpus(make_tiny_corpus: Callable[..., TinyCorpus]) -> TinyCorpus:
    """The corpus as it is."""
    return make_tiny_corpus()


@pytest.fixture
def audio_corpus(tmp_path: Path) -> AudioCorpus:
    """A corpus of audio, its features and lists."""
    return make_audio_corpus(tmp_path)
