"""The steps of the section `audio` in order, each with its probability, over the signals of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import process_time

import numpy as np

from common.options import name_of, part_of
from nnet.augment import AUDIO_STEPS, AugmentOptions, OneOf, Step, WaveStepOptions
from nnet.augment.material import Material
from nnet.augment.signal import Signal
from nnet.augment.wave_step import WaveStep


class Costs:
    """CPU seconds by what they were spent on; they change no number of the result."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Charge the block to `what`."""
        begin = process_time()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + process_time() - begin


def make_step(options: WaveStepOptions, material: Material) -> WaveStep:
    """The step of an option set.

    Raises:
        InputError: the lists lack what it draws from.
    """
    step: WaveStep = part_of(options)(options, material)
    return step


class Chain:
    """The section `augment.audio` of an experiment.

    Args:
        options: the section `augment`.
        material: what its steps draw from.
        costs: where each step's time is counted.
    """

    def __init__(self, options: AugmentOptions, material: Material, costs: Costs) -> None:
        self._entries = [_Entry(entry, material, costs) for entry in options.audio]
        rooms = [place for place, entry in enumerate(self._entries) if "room" in entry.names]
        self._last_room = rooms[-1] if rooms else -1

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """The signals after all steps, without context: after the last room it is not used."""
        for place, entry in enumerate(self._entries):
            if place == self._last_room + 1:
                signals = [signal.without_context() for signal in signals]
            signals = entry.apply(signals, rngs)
        return [signal.without_context() for signal in signals]


class _Entry:
    """A step, or one of several."""

    def __init__(self, entry: Step | OneOf, material: Material, costs: Costs) -> None:
        members = entry.members if isinstance(entry, OneOf) else (Step(entry.options),)
        self._probability = entry.probability if isinstance(entry, OneOf) else entry.share
        self._steps = [make_step(member.options, material) for member in members]
        self.names = [name_of(AUDIO_STEPS, member.options) for member in members]
        sums = np.cumsum([member.share for member in members])
        self._sums, self._costs = sums / sums[-1], costs

    def apply(self, signals: list[Signal], rngs: Sequence[np.random.Generator]) -> list[Signal]:
        """Each signal through the step that it draws, if any."""
        drawn = [self._draw(rng) for rng in rngs]
        changed = list(signals)
        for number, (name, step) in enumerate(zip(self.names, self._steps, strict=True)):
            places = [place for place, each in enumerate(drawn) if each == number]
            if not places:
                continue
            with self._costs.of(name):
                done = step.apply([signals[place] for place in places], [rngs[place] for place in places])
            for place, signal in zip(places, done, strict=True):
                changed[place] = signal
        return changed

    def _draw(self, rng: np.random.Generator) -> int:
        """The number of a step; -1 for none."""
        if rng.random() >= self._probability:
            return -1
        last = len(self._steps) - 1
        return min(last, int(np.searchsorted(self._sums, rng.random(), side="right"))) if last else 0
