"""The time of a training step: forward, backward, clipping and update, on random features."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from common.errors import InputError
from nnet.config.experiment import Config
from nnet.config.sections import DataOptions
from nnet.config.shortening import smaller_batch
from nnet.model import SpeakerNet
from nnet.training.optimizers import build_optimizer, clip_gradients
from nnet.training.precision import autocast, choose_precision

CPU = torch.device("cpu")
PROBE = 16  # the time of a whole step is estimated from this fraction of the batch, 1 / PROBE


@dataclass(frozen=True)
class StepTime:
    """The time of one step, the median of several.

    Attributes:
        wall: elapsed seconds, scaled up to the whole batch.
        cpu: CPU seconds of all threads, scaled up to the whole batch.
        rows: chunks in the batch that was timed.
        batch: chunks in the batch of the YAML.
        frames: frames of a chunk.
        precision: what `training.precision` means here.
        steps: number of steps timed.
    """

    wall: float
    cpu: float
    rows: int
    batch: int
    frames: int
    precision: str
    steps: int

    @property
    def scaled(self) -> bool:
        """Whether a part of the batch was timed."""
        return self.rows < self.batch


def batch_labels(data: DataOptions, rows: int, speakers: int) -> torch.Tensor:
    """Labels (rows,) in the layout of `data.balance`.

    Raises:
        InputError: more speakers in a batch of groups than there are.
    """
    order = torch.arange(rows)
    if data.balance == "triplets":
        return (order // 3 + (order % 3 == 2).long()) % speakers  # the negative is of the next speaker
    if data.balance != "groups":
        return order % speakers
    labels = order // data.utterances_per_speaker
    if int(labels.max()) >= speakers:
        raise InputError(f"a batch of groups holds {int(labels.max()) + 1} speakers, and there are {speakers}")
    return labels


def time_step(net: SpeakerNet, config: Config, speakers: int, steps: int, max_seconds: float) -> StepTime:
    """The median of `steps` steps after a warm-up; of a smaller batch if they would take more than `max_seconds`."""
    precision = choose_precision(config, CPU)
    frames = sum(config.data.chunk_frames) // 2
    step = _Step(net, config, speakers, frames, precision)
    probed = smaller_batch(config.data, config.data.batch_size / PROBE)
    rows = probed
    for _ in range(2):  # the first one sets things up
        wall, _ = step.run(probed)
    if probed < config.data.batch_size:
        rows = smaller_batch(config.data, max_seconds / (steps + 1) / (wall / probed))
        step.run(rows)
    taken = [step.run(rows) for _ in range(steps)]
    scale = config.data.batch_size / rows
    wall, cpu = (scale * statistics.median(seconds) for seconds in zip(*taken, strict=True))
    return StepTime(wall, cpu, rows, config.data.batch_size, frames, precision, steps)


class _Step:
    """A step of training as nnet.train does it."""

    def __init__(self, net: SpeakerNet, config: Config, speakers: int, frames: int, precision: str) -> None:
        self.net, self.config = net.train(), config
        self.speakers, self.frames, self.precision = speakers, frames, precision
        self.optimizer = build_optimizer(config.optimizer, net)

    def run(self, rows: int) -> tuple[float, float]:
        """Elapsed and CPU seconds, without those of making the batch."""
        options, net = self.config.training, self.net
        feats = torch.randn(rows, self.frames, self.config.features.dim)
        labels = batch_labels(self.config.data, rows, self.speakers)
        lr = self.config.schedule.lr(1, options.steps)
        wall, cpu = time.perf_counter(), time.process_time()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with autocast(CPU, self.precision):
            loss, _ = net.training_loss(feats, torch.full((rows,), self.frames), labels, 1)
        self.optimizer.zero_grad()
        loss.backward()
        clip_gradients(net, options.clip_norm, options.loss_clip_norm)
        self.optimizer.step()
        return time.perf_counter() - wall, time.process_time() - cpu
