"""A training run: what it trains and on what, how it begins or resumes, and what it saves and reports."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import InputError
from nnet.config.experiment import Config, to_mapping
from nnet.data.batches import ChunkSource
from nnet.data.lists import TrainingLists
from nnet.device import describe_device
from nnet.model import SpeakerNet, build
from nnet.training import checkpoint as ckpt
from nnet.training.checkpoint import Checkpoint
from nnet.training.curve import Meter
from nnet.training.data import TrainingData, list_digest
from nnet.training.exp_lock import ExpLock
from nnet.training.fine_tuning import check_start, refuse_imported, take_start
from nnet.training.kept import fill_in_options, newest, restore_best, save_last
from nnet.training.optimizers import build_optimizer
from nnet.training.precision import choose_precision, emulation, warn_of_emulation
from nnet.training.validation import check_lengths

log = logging.getLogger("train")


@dataclass
class TrainingRun:
    """What is trained, on what, and where the result goes.

    Attributes:
        config: the experiment.
        lists: what is trained on.
        source: where the chunks come from; None for the lists' features.
        exp: the experiment directory.
        lock: its lock, which is held.
        device: where the network is.
        net: the network with its loss.
        optimizer: of its parameters.
        state: what last.pt holds or will hold; its tensors are those of the last save.
    """

    config: Config
    lists: TrainingLists
    source: ChunkSource | None
    exp: Path
    lock: ExpLock
    device: torch.device
    net: SpeakerNet
    optimizer: torch.optim.Optimizer
    state: Checkpoint


def prepare(config: Config, data: TrainingData, lock: ExpLock, device: torch.device) -> TrainingRun:
    """A fresh run, or the one that last.pt in the locked directory holds.

    Raises:
        InputError: last.pt belongs to another run, or cannot be read; training.start_from cannot be used; the schedule
            needs held-out error rates and nothing is held out; an imported network is in `exp`; or a held-out utterance
            is too short for the encoder.
    """
    exp = lock.exp
    refuse_imported(exp)
    torch.manual_seed(config.training.seed)
    if config.training.cpu_threads is not None:
        torch.set_num_threads(config.training.cpu_threads)
    lists, features_conf = data.lists, data.features_conf
    if config.schedule.needs_eers and not len(lists.trials):
        raise InputError(
            "schedule: the rate depends on the held-out error rate, but valid.trials is empty; hold utterances out"
            " when the lists are made, or choose another schedule"
        )
    speaker_ids, digest = list(lists.speaker_ids), list_digest(lists, data.audio_digest)
    net = build(config, len(speaker_ids)).to(device)
    check_lengths(net, lists.valid, config.data.valid_batch_frames)
    optimizer = build_optimizer(config.optimizer, net)
    found = newest(exp)
    if found is not None:
        last, state = found
        fill_in_options(state, last)
        ckpt.check_same_run(last, state, to_mapping(config), speaker_ids, digest, features_conf)
        check_start(last, state, config)
        net.load_state_dict(state.model)
        optimizer.load_state_dict(state.optimizer)
        ckpt.restore_rng(state.rng, device)
        state.config = to_mapping(config)
        wanted = state.best_step if len(lists.trials) else state.step
        restore_best(exp, state, wanted, state.step >= config.training.steps)
        log.info("resuming %s after step %d of %d", last, state.step, config.training.steps)
    else:
        start_hash = take_start(net, config, speaker_ids, features_conf)
        precision, rng = choose_precision(config, device), ckpt.rng_state(device)
        state = Checkpoint(0, {}, {}, rng, to_mapping(config), speaker_ids, digest, features_conf, precision)
        state.start_hash = start_hash
    warn_of_emulation(net, state.precision, device)
    return TrainingRun(config, lists, data.source, exp, lock, device, net, optimizer, state)


def valid_frames(run: TrainingRun) -> int:
    """Frames that a validation embeds."""
    lengths = run.lists.valid.num_frames.clip(max=run.config.data.valid_batch_frames)
    return int(lengths.sum()) if len(run.lists.trials) else 0


def describe_compute(run: TrainingRun) -> tuple[str, str]:
    """The device and the precision, in words."""
    emulated = emulation(run.net, run.state.precision, run.device)
    return describe_device(run.device), run.state.precision + (f" ({emulated})" if emulated else "")


def run_summary(run: TrainingRun) -> str:
    """One line about the run."""
    parameters = sum(p.numel() for p in run.net.parameters())
    return (
        f"{len(run.lists.train)} utterances of {len(run.lists.speaker_ids)} speakers, {len(run.lists.trials)} held-out"
        f" trials, {parameters} parameters, {', '.join(describe_compute(run))}"
    )


def update_state(run: TrainingRun, step: int, meter: Meter, seconds: float) -> None:
    """Bring the state that will be saved up to date."""
    state = run.state
    state.step, state.meter, state.seconds = step, meter.as_dict(), seconds
    state.model, state.optimizer = run.net.state_dict(), run.optimizer.state_dict()
    state.rng = ckpt.rng_state(run.device)


def save_state(run: TrainingRun, best: bool) -> None:
    """Write last.pt and, if the model is the best so far, best.pt.

    Raises:
        InputError: a file cannot be written, or another process took the directory; the earlier ones are untouched.
    """
    run.lock.check()
    # Without held-out trials no model is known to be better: the last one counts as the best.
    if best or (run.state.step and not len(run.lists.trials)):
        ckpt.save_checkpoint(run.exp / "best.pt", run.state)
    save_last(run.exp, run.state, run.config.training.keep_last)
