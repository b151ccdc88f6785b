"""A corpus of random features in which each speaker has a mean of its own, and a network that learns it in seconds."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, writer
from nnet.hold_out import HoldOutOptions
from nnet.make_lists import make_lists

DIM = 8
CONFIG = """
features: {type: fbank, config: conf/fbank.conf, dim: 8}
encoder: {name: tdnn, width: 8, last_width: 12}
pooling: {name: statistics}
embedding: {dim: 6}
head: {batch_norm: true}
loss: {name: asoftmax, margin: 2}
data: {chunk_frames: [20, 60], batch_size: 8, valid_batch_frames: 300, workers: 0, balance: speakers}
optimizer: {name: adam, weight_decay: 1.0e-4}
schedule: {name: cosine, peak_lr: 1.0e-2, warmup_steps: 3}
training: {steps: 20, valid_every: 7, save_every: 5, log_every: 4, seed: 3, precision: float32}
"""


@dataclass(frozen=True)
class TinyCorpus:
    """Where the files are: features and lists, the experiment's YAML and the features' option file."""

    root: Path
    lists: Path
    config: Path
    features_conf: Path

    def command(self, exp: Path, *settings: str) -> list[str]:
        """Arguments of nnet.train."""
        sets = [part for setting in settings for part in ("--set", setting)]
        files = ["--config", self.config, "--lists", self.lists, "--exp", exp, "--features-conf", self.features_conf]
        return [*map(str, files), "--device", "cpu", *sets]


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
        make_lists(data, tmp_path / "lists", 15, 2, HoldOutOptions(share=0.3))
        (tmp_path / "tiny.yaml").write_text(CONFIG)
        (tmp_path / "fbank.conf").write_text("--num-mel-bins=8\n")
        return TinyCorpus(data, tmp_path / "lists", tmp_path / "tiny.yaml", tmp_path / "fbank.conf")

    return make


@pytest.fixture
def tiny_corpus(make_tiny_corpus: Callable[..., TinyCorpus]) -> TinyCorpus:
    """The corpus as it is."""
    return make_tiny_corpus()
