"""Training: it learns, an interrupted run equals an uninterrupted one, and what goes wrong stops it with its name."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnet import train as train_module
from nnet.data.lists import StringTable, read_lists
from nnet.train import main
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from nnet.training.data import list_digest
from tests.nnet.helpers.refusals import refusal
from tests.nnet.helpers.training_runs import curve, equal_states, terminated_at


def test_training_learns_the_speakers_and_keeps_the_best_model(tiny_corpus: Any, tmp_path: Path) -> None:
    exp = tmp_path / "exp"
    assert main(tiny_corpus.command(exp, "training.steps=60")) == 0
    rows = curve(exp)
    assert rows[0] == ["step", "loss", "accuracy", "lr", "valid_eer"]
    assert float(rows[-1][2]) > 0.6 > 2 * float(rows[1][2]) - 0.6  # 6 speakers: chance is 0.17
    eers = {int(row[0]): float(row[4]) for row in rows[1:] if row[4]}
    assert list(eers) == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    best = load_checkpoint(exp / "best.pt")
    assert best.best_eer == pytest.approx(min(eers.values()), abs=1e-6)
    assert best.step == max(step for step, eer in eers.items() if eer == min(eers.values()))  # ties: the later
    assert sorted(p.name for p in exp.iterdir()) == [
        "best.pt",
        "config.yaml",
        "curve.tsv",
        "last-1.pt",
        "last.pt",
        "trained.yaml",
    ]


def test_the_log_and_the_curve_tell_the_pace_and_the_wait_for_data(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=8")) == 0
    header, *rows = [line.split("\t") for line in (tmp_path / "exp" / "curve.tsv").read_text().splitlines()]
    assert header[-3:] == ["seconds", "chunks_per_second", "data_wait"]
    assert rows and all(float(row[-2]) > 0 and 0 <= float(row[-1]) <= 1 for row in rows)
    line = r"step 8/8 .* \d+ chunks/s data wait \d+ % \(a loader makes \d+/s\) left 0:00 valid EER"
    assert re.search(line, caplog.text)


AUGMENT = (
    "augment={speed: {factors: [0.9, 1.1]}, audio: [{name: room, probability: 0.5}, {one_of: [{name: noise},"
    " {name: babble, voices: [1, 2]}]}], features: [{name: time_mask, probability: 0.5}]}"
)


def test_training_from_audio_stopped_and_resumed_equals_an_uninterrupted_one(audio_corpus: Any, tmp_path: Path) -> None:
    settings = (AUGMENT, "training.steps=9", "training.valid_every=4")
    assert main(audio_corpus.command(tmp_path / "whole", *settings)) == 0
    with terminated_at(5):
        assert main(audio_corpus.command(tmp_path / "parts", *settings, "data.workers=2")) == 128 + signal.SIGTERM
    assert main(audio_corpus.command(tmp_path / "parts", *settings, "data.workers=1", "data.audio_cache_mb=0")) == 0
    assert equal_states(
        load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "parts" / "last.pt")
    )
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")
    state = load_checkpoint(tmp_path / "parts" / "last.pt")
    assert len(state.speaker_ids) == 18 and "sp1.1-s0" in state.speaker_ids  # six speakers at three speeds
    assert "interval: 1.0" in (tmp_path / "parts" / "config.yaml").read_text()


def test_another_augmentation_or_other_noises_do_not_take_up_a_run(audio_corpus: Any, tmp_path: Path) -> None:
    settings = ("augment.audio=[{name: noise}]", "training.steps=3")
    assert main(audio_corpus.command(tmp_path / "exp", *settings)) == 0
    message = refusal(main, audio_corpus.command(tmp_path / "exp", "augment.audio=[{name: music}]", "training.steps=3"))
    assert "was trained with another config: augment.audio" in message
    noises = audio_corpus.lists / "noise.list"
    noises.write_text("".join(noises.read_text().splitlines(keepends=True)[1:]))
    message = refusal(main, audio_corpus.command(tmp_path / "exp", *settings))
    assert "was trained on other utterances" in message


def test_a_checkpoint_of_a_time_without_these_options_is_taken_up(tiny_corpus: Any, tmp_path: Path) -> None:
    exp = tmp_path / "exp"
    assert main(tiny_corpus.command(exp, "training.steps=4")) == 0
    state = load_checkpoint(exp / "last.pt")
    del state.config["augment"], state.config["data"]["source"], state.config["data"]["cmn_window"]
    save_checkpoint(exp / "last.pt", state)
    assert main(tiny_corpus.command(exp, "training.steps=4")) == 0


def test_audio_that_cannot_be_used_stops_training_with_its_name(audio_corpus: Any, tmp_path: Path) -> None:
    path = audio_corpus.lists / "wav.scp"
    path.write_text(path.read_text().replace("/train/audio/", "/nowhere/"))
    for workers in (0, 1):
        message = refusal(main, audio_corpus.command(tmp_path / "exp", f"data.workers={workers}"))
        assert "cannot read" in message and "/nowhere/s" in message and "Traceback" not in message
    (audio_corpus.lists / "vad.scp").unlink()
    message = refusal(main, audio_corpus.command(tmp_path / "exp"))
    assert "no vad.scp, which data.source audio reads" in message


def test_masks_hide_parts_of_features_that_are_read_too(tiny_corpus: Any, tmp_path: Path) -> None:
    masks = "augment.features=[{name: frequency_mask, width: 2}]"
    for exp, settings in (("a", (masks,)), ("b", (masks, "data.workers=2")), ("c", ())):
        assert main(tiny_corpus.command(tmp_path / exp, "training.steps=4", *settings)) == 0
    assert equal_states(load_checkpoint(tmp_path / "a" / "last.pt"), load_checkpoint(tmp_path / "b" / "last.pt"))
    assert not equal_states(load_checkpoint(tmp_path / "a" / "last.pt"), load_checkpoint(tmp_path / "c" / "last.pt"))


def test_the_same_seed_gives_the_same_run_whatever_the_workers(tiny_corpus: Any, tmp_path: Path) -> None:
    for exp, workers in (("a", 0), ("b", 2)):
        assert main(tiny_corpus.command(tmp_path / exp, f"data.workers={workers}", "training.steps=8")) == 0
    assert equal_states(load_checkpoint(tmp_path / "a" / "last.pt"), load_checkpoint(tmp_path / "b" / "last.pt"))
    assert curve(tmp_path / "a") == curve(tmp_path / "b")


@pytest.mark.parametrize("stop", [5, 10, 11])
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(tiny_corpus: Any, tmp_path: Path, stop: int) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole")) == 0
    with terminated_at(stop):
        assert main(tiny_corpus.command(tmp_path / "parts")) == 128 + signal.SIGTERM
    assert load_checkpoint(tmp_path / "parts" / "last.pt").step == stop
    assert main(tiny_corpus.command(tmp_path / "parts")) == 0
    assert equal_states(
        load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "parts" / "last.pt")
    )
    assert equal_states(
        load_checkpoint(tmp_path / "whole" / "best.pt"), load_checkpoint(tmp_path / "parts" / "best.pt")
    )
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")


def test_a_killed_run_goes_on_from_its_checkpoint_and_the_curve_is_cut_there(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole")) == 0
    real = train_module.timed

    def killed_at_9(batches):  # type: ignore[no-untyped-def]
        for batch, waited in real(batches):
            if batch.step == 9:  # after the curve's lines of steps 7 and 8, saved was step 7 (a best one)
                raise KeyboardInterrupt
            yield batch, waited

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train_module, "timed", killed_at_9)
        main(tiny_corpus.command(tmp_path / "parts"))
    assert [row[0] for row in curve(tmp_path / "parts")] == ["step", "4", "7", "8"]
    assert load_checkpoint(tmp_path / "parts" / "last.pt").step == 7
    assert main(tiny_corpus.command(tmp_path / "parts")) == 0
    assert equal_states(
        load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(tmp_path / "parts" / "last.pt")
    )
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")


def test_a_signal_after_the_save_stops_the_next_step_with_its_own_save(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AfterTheSave(train_module.Interrupts):
        """The signal comes after the seventh question; asked twice a step, that were within step 4, after its save."""

        asked = 0

        @property
        def received(self) -> int:
            self.asked += 1
            return signal.SIGTERM if self.asked > 7 else 0

        @received.setter
        def received(self, number: int) -> None:
            """Left as it is."""

    monkeypatch.setattr(train_module, "Interrupts", AfterTheSave)
    assert main(tiny_corpus.command(tmp_path / "exp")) == 128 + signal.SIGTERM
    assert load_checkpoint(tmp_path / "exp" / "last.pt").step == 8


def test_no_space_for_the_curve_or_the_config_is_reported_with_the_file(tiny_corpus: Any, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size, name in ((60, "config.yaml"), (2500, "curve.tsv")):
        exp = tmp_path / name.partition(".")[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # a longer file fails, as on a full disk
        try:
            settings = (f"training.{key}" for key in ("log_every=1", "save_every=100", "valid_every=100", "steps=60"))
            message = refusal(main, tiny_corpus.command(exp, *settings))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert f"{exp}/{name}: cannot be written" in message and "Traceback" not in message


def test_a_finished_run_is_left_alone(tiny_corpus: Any, tmp_path: Path) -> None:
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5")) == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "exp").iterdir()}
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5")) == 0
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "exp").iterdir()}


def test_another_config_does_not_take_up_a_run(tiny_corpus: Any, tmp_path: Path) -> None:
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5")) == 0
    before = (tmp_path / "exp" / "last.pt").read_bytes()
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", "training.steps=5", "embedding.dim=7"))
    assert "embedding.dim (was 6, now 7)" in message and "to start again" in message
    assert (tmp_path / "exp" / "last.pt").read_bytes() == before
    assert "dim: 6" in (tmp_path / "exp" / "config.yaml").read_text()
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5", "data.workers=1")) == 0


def test_the_rate_is_set_before_the_update(tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def record(self: torch.optim.Adam, *args: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    noam = "schedule={name: noam, d_model: 64, warmup_steps: 8000}"
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=2", noam)) == 0
    assert rates == pytest.approx([1.74693e-7, 2 * 1.74693e-7], rel=5e-6)


def test_a_loss_that_is_not_finite_stops_training_and_spares_the_checkpoint(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nnet.model import SpeakerNet

    real = SpeakerNet.loss

    def diverging(self: SpeakerNet, embedding: torch.Tensor, labels: torch.Tensor, step: int) -> Any:
        loss, hits = real(self, embedding, labels, step)
        return (loss * float("inf") if step == 8 else loss), hits

    monkeypatch.setattr(SpeakerNet, "loss", diverging)
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", "training.valid_every=100"))
    assert "step 8: the loss is inf" in message and "at lr" in message
    assert "last.pt (step 5) is intact" in message
    assert "batch: s" in message
    state = load_checkpoint(tmp_path / "exp" / "last.pt")
    assert state.step == 5 and all(torch.isfinite(t).all() for t in state.model.values())


def test_nan_features_stop_training_and_name_utterance_file_and_frame(
    make_tiny_corpus: Callable[..., Any], tmp_path: Path
) -> None:
    def poison(utt_id: str, rows: np.ndarray) -> np.ndarray:
        rows[:, 2] = np.nan
        return rows

    corpus = make_tiny_corpus(poison)
    for workers in (0, 1):
        message = refusal(main, corpus.command(tmp_path / "exp", f"data.workers={workers}"))
        assert "feats.ark:" in message and "bin 2 is nan" in message and "Traceback" not in message


def test_a_device_without_enough_memory_is_reported_with_the_way_out(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")

    monkeypatch.setattr(train_module, "train", full)
    message = refusal(main, tiny_corpus.command(tmp_path / "exp"))
    assert "Tried to allocate 9 GiB." in message and "lower data.batch_size" in message


def test_lists_with_other_lengths_labels_or_trials_do_not_take_up_a_run(tiny_corpus: Any) -> None:
    lists = read_lists(tiny_corpus.lists)
    train = lists.train
    changed = (
        replace(lists, train=replace(train, num_frames=train.num_frames + 1)),
        replace(lists, train=replace(train, speakers=train.speakers[::-1].copy())),
        replace(lists, trials=replace(lists.trials, target=~lists.trials.target)),
        replace(lists, train=replace(train, utt_ids=StringTable(f"{n}" for n in range(len(train))))),
        replace(lists, valid=train),
    )
    digests = [list_digest(each) for each in (lists, read_lists(tiny_corpus.lists), *changed)]
    assert digests[0] == digests[1] and len(set(digests)) == 1 + len(changed)


def test_ids_of_other_bytes_than_utf8_are_hashed(tiny_corpus: Any) -> None:
    lists = read_lists(tiny_corpus.lists)
    digests = set()
    for letter in ("\udcf6", "\udce6"):  # of Latin-1
        ids = StringTable([f"j{letter}rg"] * len(lists.train))
        digests.add(list_digest(replace(lists, train=replace(lists.train, utt_ids=ids))))
    assert len(digests) == 2


def test_an_option_file_that_is_no_text_is_named(tiny_corpus: Any, tmp_path: Path) -> None:
    (tmp_path / "feats.conf").write_bytes(b"--sample-frequency=16000 # \xe6\n")
    message = refusal(main, [*tiny_corpus.command(tmp_path / "exp"), "--features-conf", str(tmp_path / "feats.conf")])
    assert f"{tmp_path}/feats.conf: cannot be read as text" in message


def test_a_truncated_archive_names_utterance_and_file(tiny_corpus: Any, tmp_path: Path) -> None:
    ark = tiny_corpus.root / "feats.ark"
    ark.write_bytes(ark.read_bytes()[:2000])
    message = refusal(main, tiny_corpus.command(tmp_path / "exp"))
    assert message.startswith("s") and "cannot read frames" in message and "feats.ark:" in message
    ark.unlink()
    message = refusal(main, tiny_corpus.command(tmp_path / "exp"))
    assert "No such file" in message


def test_other_feature_columns_than_the_config_says_are_an_error(tiny_corpus: Any, tmp_path: Path) -> None:
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", "features.dim=9"))
    assert "of 8 bins, expected" in message and "of 9 bins (features.dim)" in message


def test_without_held_out_trials_the_last_model_is_the_best(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from nnet.data.hold_out import HoldOutOptions
    from nnet.make_lists import make_lists

    make_lists(tiny_corpus.root, tiny_corpus.lists, 15, 2, HoldOutOptions(valid_share=0.0))
    caplog.set_level("INFO")
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5")) == 0
    assert load_checkpoint(tmp_path / "exp" / "best.pt").step == 5
    assert "nothing was held out" in caplog.text


def test_the_log_line_reports_step_loss_speed_and_time_left(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert main(tiny_corpus.command(tmp_path / "exp", "training.steps=5")) == 0
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("step 4/5 ")]
    words = ("loss ", " acc ", " % lr ", " chunks/s data wait ", " left 0:0")
    assert len(lines) == 1 and all(word in lines[0] for word in words)


@pytest.mark.slow
def test_a_terminated_process_saves_and_exits_with_143(tiny_corpus: Any, tmp_path: Path, root: Path) -> None:
    exp = tmp_path / "exp"
    command = [sys.executable, "-m", "nnet.train", *tiny_corpus.command(exp, "training.steps=100000", "data.workers=1")]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (exp / "best.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)  # as a batch system does: the loader process gets it too
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "stopped by SIGTERM after step" in stderr and "Traceback" not in stderr
    assert load_checkpoint(exp / "last.pt").step > 0


def test_cuda_that_is_not_there_is_an_error(tiny_corpus: Any, tmp_path: Path) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    message = refusal(main, [*tiny_corpus.command(tmp_path / "exp"), "--device", f"cuda:{count}"])
    assert f"finds {count} CUDA devices" in message
    message = refusal(main, [*tiny_corpus.command(tmp_path / "exp"), "--device", "tpu"])
    assert "choose one of: auto, cpu, cuda" in message
