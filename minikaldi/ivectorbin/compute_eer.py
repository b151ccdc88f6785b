"""compute-eer: the equal error rate of a list of scores with labels.

Differs from Kaldi: a score that is NaN is an error; Kaldi's sorting puts it anywhere.
"""

from __future__ import annotations

import math

import numpy as np

from common.errors import KaldiError
from common.text_lines import clean_lines, number_of
from minikaldi.command import CommandRun, command
from minikaldi.ivector.equal_error_rate import kaldi_eer
from minikaldi.options import NoOptions


@command(
    "compute-eer",
    usage="<scores-in>",
    num_args=(1, 1),
    about="Compute the equal error rate of lines `score target|nontarget`; per cent on the standard output.",
)
def main(run: CommandRun, options: NoOptions, args: list[str]) -> int:
    """Source: ivectorbin/compute-eer.cc."""
    scores: dict[str, list[float]] = {"target": [], "nontarget": []}
    with run.open_read(args[0]) as lines:
        for number, line in enumerate(clean_lines(lines, args[0], KaldiError), 1):
            score, label = parse_line(line, f"{args[0]}:{number}")
            scores[label].append(score)
    if not scores["target"] and not scores["nontarget"]:
        raise KaldiError(f"{args[0]}: Empty input.")
    eer, threshold = kaldi_eer(np.array(scores["target"]), np.array(scores["nontarget"]))
    run.log(f"Equal error rate is {100.0 * eer:.6g}%, at threshold {threshold:.6g}")
    run.stdout.write(f"{100.0 * eer:.4g}".encode())
    return 0


def parse_line(line: bytes, where: str) -> tuple[float, str]:
    """Score and label of a line.

    Raises:
        KaldiError: not two fields, not a number, or another label than target and nontarget; the text names the line.
    """
    fields = line.split()
    if len(fields) != 2:
        raise KaldiError(f"{where}: Invalid input line (must have two fields): {_shown(line)}")
    if fields[1] not in (b"target", b"nontarget"):
        raise KaldiError(f"{where}: Invalid input line (second field must be 'target' or 'nontarget'): {_shown(line)}")
    text = fields[0].decode("utf-8", "replace")
    score = number_of(text)
    if math.isnan(score) and text.lower().lstrip("+-") != "nan":
        raise KaldiError(f"{where}: Invalid input line (first field must be float): {_shown(line)}")
    return score, fields[1].decode()


def _shown(line: bytes) -> str:
    return line.strip().decode("utf-8", "backslashreplace")
