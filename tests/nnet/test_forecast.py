"""How long a session will take is said once, after its first steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nnet.config.sections import DataOptions, TrainingOptions
from nnet.train import main
from nnet.training import forecast as forecast_module
from nnet.training import precision
from nnet.training.forecast import Forecast, forecast_line
from tests.nnet.helpers.training_runs import terminated_at

DATA = DataOptions(chunk_frames=(100, 300), batch_size=10)  # 2000 frames a batch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved on."""
    now = [100.0]
    monkeypatch.setattr(forecast_module.time, "monotonic", lambda: now[0])
    return now


def answers(forecast: Forecast, clock: list[float], steps: list[tuple[int, float]]) -> list[float | None]:
    found = []
    for frames, seconds in steps:
        clock[0] += seconds
        found.append(forecast.step(frames))
    return found


def test_the_first_step_sets_things_up_and_is_not_measured(clock: list[float]) -> None:
    forecast = Forecast(0, TrainingOptions(steps=1000, valid_every=1000), DATA, 0)
    # 1 ms for each 2 frames: a mean step takes 1 s, 1000 of them 1000 s.
    steps = [(2000, 60.0), (1000, 0.5), (3000, 1.5), *[(2000, 1.0)] * 4]
    assert answers(forecast, clock, steps) == [None] * 5 + [pytest.approx(1000.0), None]


@pytest.mark.parametrize(
    ("steps", "valid_every", "done", "expected"),
    [
        (100, 10, 0, 100 + 10 * 2),
        (100, 30, 0, 100 + 4 * 2),  # after steps 30, 60, 90, 100
        (100, 30, 65, 35 + 2 * 2),  # after 90, 100
        (100, 100, 99, None),
    ],
)
def test_validations_to_come_count_a_third_for_each_frame(
    clock: list[float], steps: int, valid_every: int, done: int, expected: float | None
) -> None:
    forecast = Forecast(done, TrainingOptions(steps=steps, valid_every=valid_every), DATA, 12000)
    found = answers(forecast, clock, [(2000, 1.0)] * min(7, steps - done))
    assert [each for each in found if each is not None] == ([] if expected is None else [pytest.approx(expected)])


def test_one_slow_step_is_enough(clock: list[float]) -> None:
    known = answers(Forecast(0, TrainingOptions(steps=100, valid_every=100), DATA, 0), clock, [(2000, 40.0)] * 4)
    assert known == [None, pytest.approx(4000.0), None, None]


def test_fast_steps_are_measured_twenty_times_or_to_the_last(clock: list[float]) -> None:
    known = answers(Forecast(0, TrainingOptions(steps=100), DATA, 0), clock, [(2000, 0.01)] * 30)
    assert [place for place, each in enumerate(known) if each is not None] == [20]
    known = answers(Forecast(0, TrainingOptions(steps=5), DATA, 0), clock, [(2000, 0.01)] * 5)
    assert [place for place, each in enumerate(known) if each is not None] == [4]


def test_the_line_names_device_precision_and_steps() -> None:
    line = forecast_line(250.0, 1200, "cpu, 2 threads", "bf16")
    assert line == "expected: about 4 min for 1200 steps on cpu, 2 threads, bf16"


def test_each_session_says_once_what_it_expects(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    command = tiny_corpus.command(tmp_path / "exp", "training.precision=bf16", "training.steps=40")
    pattern = (
        r"expected: about \S+ (s|min) for {} steps on cpu, \d+ threads, bf16 \(emulated, slower than float32: .*\)"
    )
    with caplog.at_level("INFO"), terminated_at(25):
        assert main(command) != 0
    for steps in (40, 15):
        said = [record.message for record in caplog.records if record.message.startswith("expected: ")]
        assert len(said) == 1 and re.fullmatch(pattern.format(steps), said[0])
        if steps == 40:
            caplog.clear()
            with caplog.at_level("INFO"):
                assert main(command) == 0
