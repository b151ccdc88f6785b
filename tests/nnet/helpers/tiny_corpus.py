"""Where a test corpus is, and the experiment that learns it in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
