"""What a run reports: the mean loss over chunks, accuracy over decisions, the pace in chunks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from nnet.losses.triplet import Triplet
from nnet.train import main
from nnet.training import curve as curve_module
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from nnet.training.curve import Curve, Meter, Pace, Stopwatch
from tests.nnet.helpers.training_runs import curve

PACE = Pace(seconds=1.0, chunks_per_second=12.0, data_wait=0.0, made_per_second=24.0)
TRIPLETS = ("loss={name: triplet}", "data.balance=triplets", "data.batch_size=12", "training.steps=5")


def test_the_loss_is_a_mean_over_chunks_and_accuracy_one_over_decisions() -> None:
    meter = Meter()
    meter.add(2.0, correct=3, decisions=4, chunks=12)
    meter.add(5.0, correct=0, decisions=2, chunks=6)
    assert meter.mean_loss == (12 * 2.0 + 6 * 5.0) / 18
    assert meter.accuracy == 3 / 6
    assert Meter.from_dict(meter.as_dict()) == meter


def test_without_decisions_there_is_no_accuracy_and_the_loss_is_reported(tmp_path: Path) -> None:
    meter = Meter()
    meter.add(0.25, correct=0, decisions=0, chunks=8)
    assert meter.accuracy is None
    Curve(tmp_path / "curve.tsv", 0).add(7, meter, 0.01, 0.5, PACE)
    row = (tmp_path / "curve.tsv").read_text().splitlines()[1].split("\t")
    assert row[:5] == ["7", "0.250000", "", "0.01", "0.500000"]
    assert "loss 0.25 acc - lr" in Stopwatch(0, 10, 0.0).line(7, meter, 0.01, PACE)


def test_a_meter_from_before_decisions_were_reported_from_chunks_goes_on() -> None:
    old = Meter.from_dict({"loss": 6.0, "correct": 2.0, "chunks": 8.0})
    assert (old.mean_loss, old.accuracy) == (0.75, 0.25)
    assert Meter.from_dict({}) == Meter()


def test_a_checkpoint_with_such_a_meter_is_taken_up(tiny_corpus: Any, tmp_path: Path) -> None:
    settings = ("training.valid_every=100", "training.log_every=3", "training.save_every=2")
    assert main(tiny_corpus.command(tmp_path / "whole", *settings, "training.steps=6")) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nnet.train.timed", lambda batches: ((b, 0.0) for b in batches if b.step < 3 or 1 / 0))
        with pytest.raises(ZeroDivisionError):
            main(tiny_corpus.command(tmp_path / "parts", *settings, "training.steps=6"))
    state = load_checkpoint(tmp_path / "parts" / "last.pt")
    assert state.step == 2 and state.meter.pop("decisions") == state.meter["chunks"] == 16
    save_checkpoint(tmp_path / "parts" / "last.pt", state)
    assert main(tiny_corpus.command(tmp_path / "parts", *settings, "training.steps=6")) == 0
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")


def test_until_the_first_lap_a_line_each_ten_seconds_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(curve_module.time, "monotonic", lambda: now[0])
    watch = Stopwatch(10, 110, 0.0)
    lines = []
    for step in range(11, 17):
        now[0] += 6.0
        lines.append(watch.early_line(step))
    shown = ["step 12/110 left 9:48", "step 14/110 left 9:36", "step 16/110 left 9:24"]  # 6 s a step
    assert lines == [None, shown[0], None, shown[1], None, shown[2]]
    watch.lap()
    now[0] += 60.0
    assert watch.early_line(17) is None


def test_the_pace_is_in_chunks_since_the_last_lap(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(curve_module.time, "monotonic", lambda: now[0])
    watch = Stopwatch(0, 10, 5.0)
    for seconds, chunks in ((2.0, 12), (2.0, 36)):
        now[0] += seconds
        watch.count(waited=0.5, chunks=chunks, making=1.5)
    assert watch.lap() == Pace(seconds=9.0, chunks_per_second=48 / 4, data_wait=1 / 4, made_per_second=48 / 3)
    now[0] += 1.0
    watch.count(waited=0.0, chunks=7, making=1.0)
    assert watch.lap() == Pace(seconds=10.0, chunks_per_second=7.0, data_wait=0.0, made_per_second=7.0)


def test_triplets_are_counted_as_decisions_and_their_chunks_as_chunks(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    real = Stopwatch.count

    def count(self: Stopwatch, waited: float, chunks: int, making: float) -> None:
        counted.append(chunks)
        real(self, waited, chunks, making)

    monkeypatch.setattr(Stopwatch, "count", count)
    shown: list[Meter] = []
    monkeypatch.setattr(Curve, "add", lambda self, step, meter, *_: shown.append(meter))
    assert main(tiny_corpus.command(tmp_path / "exp", *TRIPLETS)) == 0
    assert counted == [12] * 5
    assert [(meter.decisions, meter.chunks) for meter in shown] == [(16, 48), (4, 12)]  # of steps 1 to 4, and 5


def test_a_loss_that_decides_nothing_trains_without_an_accuracy(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Those that are here always decide something: a batch has a triplet or two groups at least. Others may be added.
    real = Triplet.forward

    def undecided(self: Triplet, *arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        loss, hits = real(self, *arguments)
        return loss, hits[:0]

    monkeypatch.setattr(Triplet, "forward", undecided)
    with caplog.at_level("INFO"):
        assert main(tiny_corpus.command(tmp_path / "exp", *TRIPLETS)) == 0
    assert [row[2] for row in curve(tmp_path / "exp")] == ["accuracy", "", ""]
    assert all(float(row[1]) > 0 for row in curve(tmp_path / "exp")[1:])
    assert re.search(r"step 5/5 loss \S+ acc - lr .* [1-9]\d* chunks/s data wait", caplog.text)
