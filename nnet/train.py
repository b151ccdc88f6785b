"""Train a speaker encoder.

    python3 -m nnet.train --config conf/nnet/mini.yaml [--set section.key=value ...] --lists DIR --exp DIR

The experiment directory gets config.yaml, last.pt (the state to go on from; last-1.pt is the one before it), best.pt
(the lowest valid EER), and curve.tsv; its lock is held meanwhile (exp_lock.py). Called again, the program takes up
last.pt where it stopped; SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 save it first. On a CPU an interrupted run equals
an uninterrupted one bit for bit; on CUDA up to the order of sums in the kernels, and up to which values the dropout
between recurrent layers hides: cuDNN draws these from a state that begins anew with the process.
trained.yaml, written beside them, says what trained the network.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from nnet import checkpoint as ckpt
from nnet.checkpoint import Checkpoint
from nnet.config import Config, from_mapping, load, to_mapping, to_yaml
from nnet.curve import Curve, Meter, Stopwatch
from nnet.data import Batch, ChunkSource, Feed, training_batches
from nnet.device import choose_device, describe_device
from nnet.errors import NnetError
from nnet.exp_lock import ExpLock
from nnet.files import write_whole
from nnet.fine_tuning import check_start, refuse_imported, take_start
from nnet.forecast import Forecast, forecast_line
from nnet.interrupts import Interrupts
from nnet.kept import mend_best, newest, save_last
from nnet.lists import TrainingLists
from nnet.model import SpeakerNet, build
from nnet.optimizers import build_optimizer, clip_gradients
from nnet.options import ConfigError
from nnet.overrides import add_arguments
from nnet.paths import given, located
from nnet.precision import autocast, choose_precision, emulation, warn_of_emulation
from nnet.records import TRAINED, training_record, write_record
from nnet.training_data import TrainingData, list_digest, read_data
from nnet.validation import check_lengths, valid_eer

log = logging.getLogger("train")

TIE = 1e-9  # error rates closer than this differ by rounding alone; of equal models the later one is the best


@dataclass
class Run:
    """What is trained, on what, and where the result goes, of which the lock is held.

    source: of the chunks, None for the lists' features.
    """

    config: Config
    lists: TrainingLists
    source: ChunkSource | None
    exp: Path
    lock: ExpLock
    device: torch.device
    net: SpeakerNet
    optimizer: torch.optim.Optimizer
    state: Checkpoint  # what last.pt holds or will hold; its tensors are those of the last save


def train(run: Run, interrupts: Interrupts) -> int:
    """The training loop.

    Returns:
        The number of the signal that stopped it, 0 where all steps are done.

    Raises:
        NnetError: a loss or gradient that is not finite, unusable features, or a checkpoint that cannot be written.
    """
    config, net, state = run.config, run.net, run.state
    options = config.training
    meter = Meter.from_dict(state.meter)
    curve = Curve(run.exp / "curve.tsv", state.step)
    watch = Stopwatch(state.step, options.steps, state.seconds)
    forecast = Forecast(state.step, options, config.data, valid_frames(run))
    net.train()
    step, pin = state.step, run.device.type == "cuda"
    feed = Feed(training_batches(run.lists.train, config, step + 1, pin, run.source, lambda: interrupts.received))
    for batch, waited in timed(iter(feed)):
        step, last = batch.step, batch.step == options.steps
        lr = config.schedule.lr(step, options.steps, state.valid_eers)
        loss, hits = update(run, batch, lr)
        meter.add(loss, int(hits.sum()), len(hits), len(batch.feats))
        watch.count(waited, len(batch.feats), batch.seconds)
        expected = forecast.step(batch.feats.shape[0] * batch.feats.shape[1])
        if expected is not None:
            log.info("%s", forecast_line(expected, forecast.steps, *describe_compute(run)))
        run.lock.touch()

        eer = None
        if last or step % options.valid_every == 0:
            eer = valid_eer(net, run.lists, config.features.dim, config.data.valid_batch_frames, run.device)
        if eer is not None:
            state.valid_eers[step] = eer
        if last or eer is not None or step % options.log_every == 0:
            pace = watch.lap()
            shown = "" if eer is None else f" valid EER {100 * eer:.2f} %"
            log.info("%s", watch.line(step, meter, lr, pace) + shown)
            run.lock.check()
            curve.add(step, meter, lr, eer, pace)
            meter = Meter()
        elif early := watch.early_line(step):
            log.info("%s", early)

        stop = interrupts.received  # asked once: a signal that comes after the save stops the next step
        best = eer is not None and (state.best_eer is None or eer <= state.best_eer + TIE)
        if best:
            state.best_eer, state.best_step = eer, step
        if best or last or step % options.save_every == 0 or stop:
            update_state(run, step, meter, watch.seconds)
            save_state(run, best)
        if stop and not last:
            log.warning("stopped by %s after step %d; the same command goes on from here", interrupts.name, step)
            return stop
    if step >= options.steps:
        return 0
    # No batch came: a signal, or a failure of the loaders. What was learned since the last save is kept.
    if step > state.step or not (feed.failure or (run.exp / "last.pt").is_file()):
        update_state(run, step, meter, watch.seconds)
        save_state(run, best=False)
    if feed.failure:
        raise feed.failure
    log.warning("stopped by %s after step %d; the same command goes on from here", interrupts.name, step)
    return interrupts.received


def save_state(run: Run, best: bool) -> None:
    """Write last.pt and, where the model is the best so far, best.pt.

    Raises:
        NnetError: one cannot be written, or the directory was taken by another; the earlier ones are untouched.
    """
    run.lock.check()
    # Without held-out trials nothing tells the better model: the last one is taken for the best.
    if best or (run.state.step and not len(run.lists.trials)):
        ckpt.save(run.exp / "best.pt", run.state)
    save_last(run.exp, run.state, run.config.training.keep_last)


def update(run: Run, batch: Batch, lr: float) -> tuple[float, torch.Tensor]:
    """One step of the optimizer, at this rate.

    Returns:
        the loss, and whether each of its K decisions was right without margin, bool (K,).

    Raises:
        NnetError: a loss or gradient that is not finite; the weights are as they were.
    """
    net, optimizer, options = run.net, run.optimizer, run.config.training
    for group in optimizer.param_groups:
        group["lr"] = lr
    feats = batch.feats.to(run.device, non_blocking=True)  # (B, T, F)
    lengths = torch.full((len(feats),), feats.shape[1])  # (B,): the chunks of a batch are of one length
    with autocast(run.device, run.state.precision):
        loss, hits = net.training_loss(feats, lengths, batch.labels, batch.step)  # (), (K,)
    optimizer.zero_grad()
    loss.backward()
    norm = clip_gradients(net, options.clip_norm, options.loss_clip_norm)
    # Before the update: the weights, and with them the next checkpoint, stay free of NaN.
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise NnetError(not_finite(run, batch, loss.item(), norm.item(), lr))
    optimizer.step()
    return loss.item(), hits


def timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds that it was waited for."""
    while True:
        begin = time.monotonic()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.monotonic() - begin


def not_finite(run: Run, batch: Batch, loss: float, norm: float, lr: float) -> str:
    """The message for a step that would destroy the weights."""
    names = [run.lists.train.utt_ids[utt] for utt in batch.utts.tolist()]
    shown = " ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    last = run.exp / "last.pt"
    kept = f"{last} (step {run.state.step}) is intact" if last.is_file() else "there is no checkpoint yet"
    return (
        f"step {batch.step}: the loss is {loss}, the norm of its gradient {norm}, at lr {lr:.3g}, precision"
        f" {run.state.precision}; batch: {shown}; {kept}; lower the rate, set training.clip_norm, or look at these"
        " features"
    )


def update_state(run: Run, step: int, meter: Meter, seconds: float) -> None:
    """Bring the state that is saved up to date."""
    state = run.state
    state.step, state.meter, state.seconds = step, meter.as_dict(), seconds
    state.model, state.optimizer = run.net.state_dict(), run.optimizer.state_dict()
    state.rng = ckpt.rng_state(run.device)


def prepare(config: Config, data: TrainingData, lock: ExpLock, device: torch.device) -> Run:
    """A fresh run, or the one that last.pt in the locked directory holds.

    Raises:
        NnetError: last.pt belongs to another run, or cannot be read; training.start_from cannot be used; or a schedule
            that asks for held-out error rates where nothing is held out; an imported network is in `exp`; or a
            held-out utterance is too short for the encoder.
    """
    exp = lock.exp
    refuse_imported(exp)
    torch.manual_seed(config.training.seed)
    if config.training.cpu_threads is not None:
        torch.set_num_threads(config.training.cpu_threads)
    lists, features_conf = data.lists, data.features_conf
    if config.schedule.needs_eers and not len(lists.trials):
        raise NnetError(
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
        mend_best(exp, state, wanted, state.step >= config.training.steps)
        log.info("taking up %s after step %d of %d", last, state.step, config.training.steps)
    else:
        start_hash = take_start(net, config, speaker_ids, features_conf)
        precision, rng = choose_precision(config, device), ckpt.rng_state(device)
        state = Checkpoint(0, {}, {}, rng, to_mapping(config), speaker_ids, digest, features_conf, precision)
        state.start_hash = start_hash
    warn_of_emulation(net, state.precision, device)
    return Run(config, lists, data.source, exp, lock, device, net, optimizer, state)


def fill_in_options(state: Checkpoint, path: Path) -> None:
    """Write into a checkpoint's config the options that it is too old to know, as they were then."""
    state.config.get("optimizer", {}).setdefault("decay", "all")
    state.config = to_mapping(from_mapping(state.config, str(path)))


def valid_frames(run: Run) -> int:
    """Frames that a validation embeds."""
    lengths = run.lists.valid.num_frames.clip(max=run.config.data.valid_batch_frames)
    return int(lengths.sum()) if len(run.lists.trials) else 0


def describe_compute(run: Run) -> tuple[str, str]:
    """The device and the precision, in words."""
    emulated = emulation(run.net, run.state.precision, run.device)
    return describe_device(run.device), run.state.precision + (f" ({emulated})" if emulated else "")


def describe(run: Run) -> str:
    """One line about the run."""
    parameters = sum(p.numel() for p in run.net.parameters())
    return (
        f"{len(run.lists.train)} utterances of {len(run.lists.speaker_ids)} speakers, {len(run.lists.trials)} held-out"
        f" trials, {parameters} parameters, {', '.join(describe_compute(run))}"
    )


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m nnet.train", description="Train a speaker encoder.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the experiment, conf/nnet/*.yaml")
    add_arguments(parser)
    parser.add_argument("--lists", type=Path, required=True, metavar="DIR", help="from nnet.make_lists")
    parser.add_argument("--exp", type=Path, required=True, metavar="DIR", help="experiment directory")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<n> (default auto)")
    parser.add_argument(
        "--features-conf", type=given, metavar="FILE", help="Kaldi options of the features (default: features.config)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code: 0, 1 on an error, 128 + number after a signal."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        config = load(options.config, options.overrides)
        data = read_data(config, options.lists, options.features_conf or located(config.features.config))
        options.exp.mkdir(parents=True, exist_ok=True)
        with ExpLock(options.exp, "training") as lock:
            run = prepare(config, data, lock, choose_device(options.device))
            write_whole(options.exp / "config.yaml", to_yaml(config).encode())
            record(run, options)
            log.info("%s", describe(run))
            with Interrupts() as interrupts:
                number = train(run, interrupts)
                record(run, options)
    except (NnetError, ConfigError, OSError) as error:
        log.error("nnet.train: %s", error)
        return 1
    except torch.OutOfMemoryError as error:
        log.error("nnet.train: %s; lower data.batch_size, data.chunk_frames or data.valid_batch_frames", error)
        return 1
    if number:
        return 128 + number
    log_result(run)
    return 0


def record(run: Run, options: argparse.Namespace) -> None:
    """Write down what trained the network, as far as it is."""
    run.lock.check()
    write_record(run.exp / TRAINED, training_record(run.state, options.config, options.overrides, run.device))


def log_result(run: Run) -> None:
    """Say which model was the best."""
    state = run.state
    if state.best_eer is None:
        log.info("done: nothing was held out, best.pt is the last model")
    else:
        log.info("done: best.pt is of step %d, valid EER %.2f %%", state.best_step, 100 * state.best_eer)


if __name__ == "__main__":
    sys.exit(main())
