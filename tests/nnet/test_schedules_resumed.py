"""Plateau in training: a run that was stopped and taken up has the rates of an uninterrupted one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from nnet import train as train_module
from nnet.train import main
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from tests.nnet.helpers.refusals import refusal

SETTINGS = ("schedule={name: plateau, peak_lr: 0.01, patience: 1}", "training.valid_every=3", "training.log_every=1")


def rates(exp: Path) -> list[str]:
    return [line.split("\t")[3] for line in (exp / "curve.tsv").read_text().splitlines()[1:]]


@pytest.mark.parametrize("stop", [4, 6])
def test_a_plateau_resumed_equals_an_uninterrupted_one(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    # error rates by the number of the validation: stale at 6, 9, 15 and 18
    eers = [0.4, 0.4, 0.5, 0.2, 0.2, 0.3, 0.3]
    monkeypatch.setattr(train_module, "valid_error", lambda *_: eers[len(seen.setdefault(exp, [])) - 1])
    seen: dict[Path, list[int]] = {}
    stopped: list[int] = []
    real = train_module.timed

    def counting(batches):  # type: ignore[no-untyped-def]
        for batch, waited in real(batches):
            if batch.step % 3 == 0 or batch.step == 20:
                seen.setdefault(exp, []).append(batch.step)
            if exp.name == "parts" and batch.step == stop and not stopped:
                stopped.append(stop)
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch, waited

    monkeypatch.setattr(train_module, "timed", counting)
    settings = (*SETTINGS, "training.save_every=100")
    exp = tmp_path / "whole"
    assert main(tiny_corpus.command(exp, *settings)) == 0
    assert list(dict.fromkeys(rates(exp))) == ["0.01", "0.005", "0.0025", "0.00125", "0.000625"]
    exp = tmp_path / "parts"
    assert main(tiny_corpus.command(exp, *settings)) == 128 + signal.SIGTERM
    assert load_checkpoint(exp / "last.pt").valid_eers == ({3: 0.4} if stop == 4 else {3: 0.4, 6: 0.4})
    assert main(tiny_corpus.command(exp, *settings)) == 0
    assert rates(tmp_path / "whole") == rates(exp)
    whole, parts = load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(exp / "last.pt")
    assert whole.valid_eers == parts.valid_eers and list(whole.valid_eers) == [3, 6, 9, 12, 15, 18, 20]
    assert all(torch.equal(whole.model[name], parts.model[name]) for name in whole.model)


def test_a_schedule_that_looks_at_error_rates_needs_held_out_trials(tiny_corpus: Any, tmp_path: Path) -> None:
    (tiny_corpus.lists / "valid.trials").write_text("")
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", *SETTINGS))
    assert "the rate depends on the held-out error rate, but valid.trials is empty" in message


def test_a_checkpoint_of_a_time_without_error_rates_and_decay_groups_is_taken_up(
    tiny_corpus: Any, tmp_path: Path
) -> None:
    exp = tmp_path / "exp"
    assert main(tiny_corpus.command(exp, "training.steps=4", "optimizer.decay=all")) == 0
    state = load_checkpoint(exp / "last.pt")
    del state.config["optimizer"]["decay"], state.config["training"]["start_from"], state.config["inference"]
    save_checkpoint(exp / "last.pt", state)
    content = torch.load(exp / "last.pt", weights_only=True)
    del content["valid_eers"], content["start_hash"]
    torch.save(content, exp / "last.pt")
    assert load_checkpoint(exp / "last.pt").valid_eers == {}
    assert main(tiny_corpus.command(exp, "training.steps=4", "optimizer.decay=all")) == 0
    message = refusal(main, tiny_corpus.command(exp, "training.steps=4"))
    assert "optimizer.decay (was 'all', now 'weights')" in message


def test_a_clip_norm_of_the_loss_holds_its_weights_alone(tiny_corpus: Any, tmp_path: Path) -> None:
    plain = ("optimizer={name: sgd, momentum: 0.0, nesterov: false, weight_decay: 0.0}", "schedule={name: constant}")
    states = []
    for name, setting in (("free", "null"), ("held", "1e-9")):
        settings = (*plain, "training.steps=1", f"training.loss_clip_norm={setting}")
        assert main(tiny_corpus.command(tmp_path / name, *settings)) == 0
        states.append(load_checkpoint(tmp_path / name / "last.pt").model)
    free, held = states
    assert {name for name in free if not torch.equal(free[name], held[name])} == {"loss_function.weight"}
