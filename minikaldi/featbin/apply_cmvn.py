"""apply-cmvn: mean and variance normalisation from statistics. Source: Kaldi, featbin/apply-cmvn.cc."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import KaldiError
from common.options import option
from minikaldi.command import CommandRun, command
from minikaldi.featbin.general_matrix import GENERAL_MATRIX
from minikaldi.io import DOUBLE_MATRIX, FLOAT_MATRIX, TOKEN, is_rspecifier
from minikaldi.options import CommandOptions
from minikaldi.transform.cmvn import Stats, apply_cmvn, without_dims


@dataclass
class ApplyCmvnOptions(CommandOptions):
    """What is normalised, in which direction, and whose statistics are used."""

    norm_means: bool = option(True, "Normalise the means; if false, features are copied as they are")
    norm_vars: bool = option(False, "Normalise the variances")
    reverse: bool = option(False, "Give features of mean 0 and variance 1 the mean and variance of the statistics")
    skip_dims: str = option("", "Dimensions that stay as they are, with colons between, as in 13:14:15")
    utt2spk: str = option("", "Utterance to speaker map (rspecifier), if the statistics are by speaker")


StatsOf = Callable[[str], Stats | None]


@command(
    "apply-cmvn",
    usage="[options] (<cmvn-stats-rspecifier>|<cmvn-stats-rxfilename>) <feats-rspecifier> <feats-wspecifier>",
    num_args=(3, 3),
    options=ApplyCmvnOptions,
    about="Apply cepstral mean and (optionally) variance normalization, with the statistics of each utterance, of its "
    "speaker (--utt2spk), or of a file.",
)
def main(run: CommandRun, options: ApplyCmvnOptions, args: list[str]) -> int:
    """Normalise each matrix of a table; one without statistics is counted and left out, with a warning."""
    if options.norm_vars and not options.norm_means:
        raise KaldiError("--norm-vars=true needs --norm-means=true: variances are taken around the mean")
    if not options.norm_means:
        return _copy(run, args[1], args[2])
    num_done = num_errors = 0
    with ExitStack() as stack:
        stats_of = _statistics(run, options, args[0], stack)
        feats = stack.enter_context(run.sequential(args[1], FLOAT_MATRIX))
        normalized = stack.enter_context(run.writer(args[2], FLOAT_MATRIX))
        for utt, matrix in feats:
            result = _normalized(utt, matrix, stats_of, options)
            if result is None:
                run.warning(f"No normalization statistics available for key {utt}, producing no output for it")
                num_errors += 1
                continue
            normalized.write(utt, result)
            num_done += 1
    what = "mean and variance" if options.norm_vars else "mean"
    run.log(f"Applied cepstral {what} normalization to {num_done} utterances, errors on {num_errors}")
    return 0 if num_done else 1


def _normalized(
    utt: str, feats: NDArray[np.float32], stats_of: StatsOf, options: ApplyCmvnOptions
) -> NDArray[np.float32] | None:
    """The features (T, F), normalised; None if they have no statistics."""
    try:
        stats = stats_of(utt)
        return None if stats is None else apply_cmvn(feats, stats, options.norm_vars, options.reverse)
    except KaldiError as error:
        raise KaldiError(f"{utt}: {error}") from error


def _copy(run: CommandRun, rspecifier: str, wspecifier: str) -> int:
    """Copy a table; compressed matrices stay compressed."""
    num_done = 0
    with run.sequential(rspecifier, GENERAL_MATRIX) as feats, run.writer(wspecifier, GENERAL_MATRIX) as copies:
        for utt, matrix in feats:
            copies.write(utt, matrix)
            num_done += 1
    run.log(f"Copied {num_done} utterances.")
    return 0 if num_done else 1


def _statistics(run: CommandRun, options: ApplyCmvnOptions, name: str, stack: ExitStack) -> StatsOf:
    """The function from an utterance to its statistics; it returns None if there are none."""
    skipped = _dims(options.skip_dims)
    if not is_rspecifier(name):
        if options.utt2spk:
            raise KaldiError(f"--utt2spk asks for a table of statistics, and {name} is a file; did you forget ark: ?")
        of_all = _adapted(run.read_object(name, DOUBLE_MATRIX), skipped)
        return lambda utt: of_all
    table = stack.enter_context(run.random_access(name, DOUBLE_MATRIX))
    speakers = stack.enter_context(run.random_access(options.utt2spk, TOKEN)) if options.utt2spk else None

    def stats_of(utt: str) -> Stats | None:
        """The statistics for an utterance; None if there are none."""
        if speakers is not None and utt not in speakers:
            raise KaldiError(f"has no line in {options.utt2spk} (--utt2spk), so its speaker is unknown")
        key = utt if speakers is None else speakers[utt]
        return _adapted(table[key], skipped) if key in table else None

    return stats_of


def _adapted(stats: Stats, skipped: list[int]) -> Stats:
    return without_dims(stats, skipped) if skipped else stats


def _dims(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(":")] if text else []
    except ValueError as error:
        raise KaldiError(f"--skip-dims={text}: expected integers with colons between, as in 13:14:15") from error
