"""Reading of trials and scores, EER, minDCF and their intervals: seconds of one core, and memory.

    python3 benchmarks/scoring.py [--sizes 1000000,10000000] [--resamples 1000] [--before COMMIT]

Synthetic trials: ids as VoxCeleb's (26 bytes), pairs in random order, a tenth of them targets; scores with seven
digits, whose mean differs from speaker to speaker. Each measurement is a process of its own with one thread. With
--before, the same is measured with the code of an earlier commit, in turns, and the figures of both must be equal.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# --before measures another checkout's code in a process of its own.
sys.path.insert(0, os.environ.get("SCORING_CODE") or str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import Parser, run_program
from scoring.bootstrap import summarize
from scoring.metrics import P_TARGETS, SortedTrials, eer_of_rates, min_dcf_of_rates
from scoring.trials import align, read_scores, read_trials

ROOT = Path(__file__).resolve().parent.parent
UTTERANCES = 117  # of a speaker, as in VoxCeleb1
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))
LINES_AT_ONCE = 100_000


def write_lists(folder: Path, num_trials: int, num_speakers: int, seed: int) -> None:
    """`trials`, `scores`, `shuffled` (the scores in another order) and `arrays.npz`, with about so many trials."""
    rng = np.random.default_rng(seed)
    num_utts = num_speakers * UTTERANCES
    speaker = np.arange(num_utts) // UTTERANCES
    videos = rng.choice(LETTERS, (num_utts, 11))
    names = [f"id{10000 + speaker[utt]}-{''.join(videos[utt])}-{utt % UTTERANCES:05d}" for utt in range(num_utts)]
    ids = np.array(names)
    enroll, test = rng.integers(num_utts, size=(2, num_trials))
    same = rng.random(num_trials) < 0.1
    test[same] = speaker[enroll[same]] * UTTERANCES + rng.integers(UTTERANCES, size=int(same.sum()))
    first = np.unique(enroll.astype(np.int64) * num_utts + test, return_index=True)[1]
    chosen = first[rng.permutation(len(first))]
    enroll, test = enroll[chosen], test[chosen]
    is_target = speaker[enroll] == speaker[test]
    ease = 0.02 * rng.normal(size=num_speakers)
    scores = 0.15 * rng.normal(size=len(chosen)) + 0.6 * is_target + ease[speaker[enroll]] + ease[speaker[test]]
    label = np.where(is_target, "target", "nontarget")
    digits = np.array([f"{score:.7g}" for score in scores.tolist()])
    write_lines(folder / "trials", ids, enroll, test, label)
    write_lines(folder / "scores", ids, enroll, test, digits)
    order = rng.permutation(len(chosen))
    write_lines(folder / "shuffled", ids, enroll[order], test[order], digits[order])
    arrays = {"scores": digits.astype(float), "is_target": is_target}
    np.savez(folder / "arrays.npz", **arrays, enroll=speaker[enroll], test=speaker[test])


def write_lines(path: Path, ids: NDArray[Any], enroll: NDArray[Any], test: NDArray[Any], last: NDArray[Any]) -> None:
    """Lines of two ids, by their numbers, and a last field."""
    with path.open("w", encoding="utf-8") as stream:
        for first in range(0, len(last), LINES_AT_ONCE):
            some = slice(first, first + LINES_AT_ONCE)
            columns = (ids[enroll[some]].tolist(), ids[test[some]].tolist(), last[some].tolist())
            stream.writelines(" ".join(row) + "\n" for row in zip(*columns, strict=True))


def measured(what: str, folder: Path, num_resamples: int) -> dict[str, Any]:
    """Seconds of one task in this process, and its figures."""
    started, cpu = time.perf_counter(), time.process_time()
    if what == "intervals":
        data = np.load(folder / "arrays.npz")
        scores, is_target, enroll, test = (data[name] for name in ("scores", "is_target", "enroll", "test"))
        started, cpu = time.perf_counter(), time.process_time()
        summary = summarize(scores, is_target, enroll, test, num_resamples=num_resamples)
        figures = [summary.eer, *summary.min_dcf.values()]
        found: list[float] = [number for one in figures for number in (one.value, one.low, one.high)]
    else:
        trials = read_trials(folder / "trials")
        rates = SortedTrials(align(read_scores(folder / what), trials), trials.is_target).rates()
        found = [eer_of_rates(rates), *(min_dcf_of_rates(rates, p_target)[0] for p_target in P_TARGETS)]
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu_seconds, "peak": peak_megabytes(), "figures": found}


def peak_megabytes() -> float:
    """The most memory that this process has had; getrusage would count that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


def in_a_process(code: Path, what: str, folder: Path, num_resamples: int) -> dict[str, Any]:
    """`measured` in a process with one thread, of some checkout's code.

    Raises:
        InputError: it failed, and has printed why.
    """
    env = {**os.environ, "SCORING_CODE": str(code), **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    command = [sys.executable, __file__, "--measure", what, "--resamples", str(num_resamples), "--folder", str(folder)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise InputError(f"{what} of {folder} by {code} failed")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


TASKS = {
    "scores": "trials and scores read, EER, minDCF",
    "shuffled": "the same, scores in another order",
    "intervals": "intervals of EER and 3 minDCF, {resamples} resamples",
}


def print_rows(size: int, folder: Path, codes: dict[str, Path], num_resamples: int) -> None:
    """Print the lines of the table for one size; the codes must agree in every figure.

    Raises:
        InputError: they do not.
    """
    for what, title in TASKS.items():
        found = {name: in_a_process(code, what, folder, num_resamples) for name, code in codes.items()}
        if len({tuple(one["figures"]) for one in found.values()}) > 1:
            raise InputError(f"{what} of {size} trials: the figures differ: {found}")
        for name, one in found.items():
            times = f"{one['seconds']:.1f} | {one['cpu']:.1f} | {one['peak']:,.0f}"
            print(f"| {size:,} | {title.format(resamples=f'{num_resamples:,}')} | {name} | {times} |", flush=True)


def extracted(commit: str, to: Path) -> Path:
    """The code of a commit, in a folder of its own."""
    command = ["git", "archive", commit, "common", "minikaldi", "scoring"]
    archive = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(to)], input=archive, check=True)
    return to


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = Parser(prog="python3 benchmarks/scoring.py", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000000,10000000", help="numbers of trials (default %(default)s)")
    parser.add_argument("--speakers", type=int, default=1251, help="number of speakers (default %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="resamples of the speakers (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the lists (default %(default)s)")
    parser.add_argument("--before", metavar="COMMIT", help="measure an earlier commit's code too")
    parser.add_argument("--before-sizes", default="1000000", help="the sizes for it (default %(default)s)")
    parser.add_argument("--measure", choices=tuple(TASKS), help="one task in this process; prints JSON")
    parser.add_argument("--folder", type=Path, help="the lists for --measure")
    args = parser.parse_args(argv)
    if args.measure:
        print(json.dumps(measured(args.measure, args.folder, args.resamples)))
        return 0
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print("| trials | what | code | s | s CPU | peak MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        earlier = Path(temporary, "before")
        earlier.mkdir()
        codes = {args.before: extracted(args.before, earlier)} if args.before else {}
        for size in map(int, args.sizes.split(",")):
            folder = Path(temporary, str(size))
            folder.mkdir()
            write_lists(folder, size, args.speakers, args.seed)
            also = codes if str(size) in args.before_sizes.split(",") else {}
            print_rows(size, folder, {**also, "now": ROOT}, args.resamples)
    return 0


if __name__ == "__main__":
    run_program(main)
