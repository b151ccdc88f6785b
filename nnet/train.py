"""Train a speaker encoder.

    python3 -m nnet.train --config conf/nnet/mini.yaml [--set section.key=value ...] --lists DIR --exp DIR

The experiment directory gets config.yaml, last.pt (the state to go on from; last-1.pt is the one before it), best.pt
(the lowest valid EER), curve.tsv, and trained.yaml (what trained the network). Its lock is held meanwhile
(exp_lock.py). Called again, the program goes on from last.pt; SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 save it
first. On a CPU, an interrupted run equals an uninterrupted one bit for bit. On CUDA it differs by the order of sums in
the kernels, and by the values that the dropout between recurrent layers hides: cuDNN draws them from a state that
starts again with the process.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from common.errors import InputError
from common.program import Parser, run_program
from common.whole_files import write_whole
from minikaldi.running import run_pipes_inside
from nnet.config.experiment import load, to_yaml
from nnet.config.overrides import add_arguments
from nnet.config.paths import callers, located
from nnet.config.renamed_keys import renamed_file
from nnet.data.batches import Batch, Feed, training_batches
from nnet.device import choose_device, memory_advice
from nnet.training.curve import Curve, Meter, Stopwatch
from nnet.training.data import read_data
from nnet.training.epochs import in_steps
from nnet.training.exp_lock import ExpLock
from nnet.training.forecast import Forecast, forecast_line
from nnet.training.interrupts import Interrupts
from nnet.training.optimizers import clip_gradients
from nnet.training.precision import autocast
from nnet.training.records import TRAINED, num_parameters, training_record, write_record
from nnet.training.run import (
    TrainingRun,
    describe_compute,
    prepare,
    run_summary,
    save_state,
    update_state,
    valid_frames,
)
from nnet.training.validation import MEASURES, valid_error

log = logging.getLogger("train")

TIE = 1e-9  # error rates closer than this differ by rounding alone; of equal models the later one is the best
LESS_MEMORY = "lower data.batch_size, data.chunk_frames or data.valid_batch_frames"


def train(run: TrainingRun, interrupts: Interrupts) -> int:
    """The training loop.

    Returns:
        The number of the signal that stopped it, 0 where all steps are done.

    Raises:
        InputError: a loss or gradient that is not finite, unusable features, or a checkpoint that cannot be written.
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
        session_seconds = forecast.step(batch.feats.shape[0] * batch.feats.shape[1])
        if session_seconds is not None:
            log.info("%s", forecast_line(session_seconds, forecast.steps, *describe_compute(run)))
        run.lock.touch()

        eer = None
        if last or step % options.valid_every == 0:
            eer = valid_error(net, run.lists, config, step, run.device)
        if eer is not None:
            state.valid_eers[step] = eer
        if last or eer is not None or step % options.log_every == 0:
            pace = watch.lap()
            shown = "" if eer is None else f" valid {MEASURES[options.valid_by]} {100 * eer:.2f} %"
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


def update(run: TrainingRun, batch: Batch, lr: float) -> tuple[float, torch.Tensor]:
    """One step of the optimizer, at this rate.

    Returns:
        the loss, and whether each of its K decisions was right without margin, bool (K,).

    Raises:
        InputError: a loss or gradient that is not finite; the weights are as they were.
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
        raise InputError(not_finite(run, batch, loss.item(), norm.item(), lr))
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


def not_finite(run: TrainingRun, batch: Batch, loss: float, norm: float, lr: float) -> str:
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


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="python3 -m nnet.train", description="Train a speaker encoder.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the experiment, conf/nnet/*.yaml")
    add_arguments(parser)
    parser.add_argument("--lists", type=Path, required=True, metavar="DIR", help="from nnet.make_lists")
    parser.add_argument("--exp", type=Path, required=True, metavar="DIR", help="experiment directory")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<n> (default auto)")
    parser.add_argument(
        "--features-conf",
        type=_option_file,
        metavar="FILE",
        help="Kaldi options of the features (default: features.config)",
    )
    return parser.parse_args(argv)


def _option_file(path: str) -> Path:
    """The file that --features-conf means."""
    return located(renamed_file(callers(path), "--features-conf", "features.config"))


def main(argv: Sequence[str]) -> int:
    """Train, or go on with a run.

    Returns:
        The exit code: 0, or 128 + number after a signal.

    Raises:
        InputError: a config, lists or features that cannot be used, or a failure of the training.
    """
    run_pipes_inside()
    options = parse_arguments(argv)
    config = load(options.config, options.overrides)
    data = read_data(config, options.lists, options.features_conf or located(config.features.config))
    config = in_steps(config, data.lists.train)
    options.exp.mkdir(parents=True, exist_ok=True)
    with memory_advice(LESS_MEMORY), ExpLock(options.exp, "training") as lock:
        run = prepare(config, data, lock, choose_device(options.device))
        write_whole(options.exp / "config.yaml", to_yaml(config).encode(), alone=True)
        # A session that has nothing left to train leaves the record of the one that trained.
        finished = run.state.step >= config.training.steps and (options.exp / TRAINED).is_file()
        if not finished:
            write_training_record(run, options)
        log.info("%s", run_summary(run))
        with Interrupts() as interrupts:
            number = train(run, interrupts)
            if not finished:
                write_training_record(run, options)
    if number:
        return 128 + number
    log_result(run)
    return 0


def write_training_record(run: TrainingRun, options: argparse.Namespace) -> None:
    """Write trained.yaml: what has trained the network so far."""
    run.lock.check()
    parameters = num_parameters(run.net)
    record = training_record(run.state, options.config, options.overrides, run.device, parameters)
    write_record(run.exp / TRAINED, record)


def log_result(run: TrainingRun) -> None:
    """Log which model is the best."""
    state = run.state
    if state.best_eer is None:
        log.info("done: nothing was held out, best.pt is the last model")
    else:
        measure = MEASURES[run.config.training.valid_by]
        log.info("done: best.pt is of step %d, valid %s %.2f %%", state.best_step, measure, 100 * state.best_eer)


if __name__ == "__main__":
    run_program(main, "%(message)s")
