"""How long a session of training will take, from its first steps."""

from __future__ import annotations

import time

from common.progress import about
from nnet.config.sections import DataOptions, TrainingOptions

ENOUGH = ((20, 0.0), (5, 3.0), (1, 30.0))  # measured steps and their seconds: the line comes as soon as a pair is there
FORWARD = 1 / 3  # of a step's time: the backward pass takes about twice as long as the forward one
ANNOUNCED = "expected: "  # how the line begins; steps/train_nnet.sh shows it on the screen


class Forecast:
    """The expected time of a session, known after a few steps; the first, which sets things up, does not count.

    A step takes as long as its frames are many; a validation a third of that, frame by frame.

    Args:
        done: steps of the sessions before.
        training: how many steps there are, and validations.
        data: how many frames a batch has.
        valid_frames: frames of a validation, 0 if nothing is validated.
    """

    def __init__(self, done: int, training: TrainingOptions, data: DataOptions, valid_frames: int) -> None:
        self._left = self.steps = training.steps - done
        validations = training.steps // training.valid_every - done // training.valid_every
        validations += training.steps % training.valid_every > 0  # one after the last step
        batch_frames = data.batch_size * sum(data.chunk_frames) / 2
        self._frames = self.steps * batch_frames + FORWARD * validations * valid_frames
        self._measured = self._steps = 0
        self._begin: float | None = None
        self._known = False

    def step(self, frames: int) -> float | None:
        """Count a step of `frames` in all its chunks. Returns the expected seconds of the session once, else None."""
        now = time.monotonic()
        self._left -= 1
        if self._known:
            return None
        if self._begin is None:
            self._begin = now
            return None
        self._measured, self._steps = self._measured + frames, self._steps + 1
        seconds = now - self._begin
        if self._left > 0 and not any(self._steps >= steps and seconds >= least for steps, least in ENOUGH):
            return None
        self._known = True
        return seconds / self._measured * self._frames


def forecast_line(seconds: float, steps: int, device: str, precision: str) -> str:
    """`expected: about 4 min for 1200 steps on cpu, 2 threads, bf16`."""
    return f"{ANNOUNCED}{about(seconds)} for {steps} steps on {device}, {precision}"
