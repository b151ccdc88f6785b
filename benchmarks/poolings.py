"""Train networks that differ in their pooling alone, and compare their error rates and loss curves.

    ./pipeline.sh --mini-seed 11 --name lde-11 --stop-stage 5            # the data, once
    python3 benchmarks/poolings.py --data data/lde-11/fbank --cases benchmarks/pooling_cases/choice.yaml

The file of cases has `config`, `steps`, `set` (changes of all cases) and `cases` (name -> further changes, each
`section.key=value`). A case that is finished is not trained again; an interrupted one is resumed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # as in benchmarks/minikaldi.py

from benchmarks.minikaldi_cases.report import machine  # noqa: E402
from common.program import Parser, log_message, run_program  # noqa: E402
from common.whole_files import write_whole  # noqa: E402
from common.yaml_text import read_yaml  # noqa: E402
from nnet.config.experiment import load  # noqa: E402
from nnet.config.shortening import shortened  # noqa: E402

LDA_DIM = 50  # of conf/pipeline/mini.conf
BATCH_FRAMES = 12000
BACK_ENDS = ("PLDA", "cosine", "cosine, AS-norm")


def options(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="features, data/<name>/fbank")
    parser.add_argument("--cases", type=Path, required=True, metavar="FILE", help="what is compared")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases (default: all)")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="of training; several: each case (default 1)")
    parser.add_argument("--exp", type=Path, default=Path("exp/poolings"), metavar="DIR", help="(default %(default)s)")
    parser.add_argument("--table", action="store_true", help="print the finished cases as Markdown, and run nothing")
    return parser.parse_args(argv)


def table(file: dict[str, Any], results: dict[str, Any]) -> list[str]:
    """Lines of Markdown: a row for each run, with intervals, and for the mean of a case's seeds."""
    lines = [f"| case | seed | {' | '.join(BACK_ENDS)} | loss, right |", f"|{' --- |' * 6}"]
    for name in file["cases"]:
        seeds = sorted(int(key.rpartition("-")[2]) for key in results if key.rpartition("-")[0] == name)
        runs = [results[f"{name}-{seed}"] for seed in seeds]
        for seed, run in zip(seeds, runs, strict=True):
            cells = [rate_and_interval(run, back_end) for back_end in BACK_ENDS]
            last = run["curve"][-1]
            end = f"{float(last['loss']):.2f}, {100 * float(last['accuracy']):.0f} %"
            lines.append(f"| {name} | {seed} | {' | '.join(cells)} | {end} |")
        if len(runs) > 1:
            means = [sum(run["eer"][back_end] for run in runs) / len(runs) for back_end in BACK_ENDS]
            lines.append(f"| {name} | mean | {' | '.join(f'**{100 * mean:.2f}**' for mean in means)} | |")
    return lines


def rate_and_interval(run: dict[str, Any], back_end: str) -> str:
    """`9.10 [7.80, 10.40]`, in percent."""
    shown = f"{100 * run['eer'][back_end]:.2f}"
    low, high = run.get("interval", {}).get(back_end, (None, None))
    return shown if low is None else f"{shown} [{100 * low:.2f}, {100 * high:.2f}]"


def changes_of(file: dict[str, Any], name: str, seed: int) -> list[str]:
    """All changes of the YAML in one case: augmentation and a shorter run as by ./pipeline.sh, then the file's."""
    online = ["data.source=audio", "augment=conf/augment/kaldi.yaml", f"training.seed={seed}"]
    own = [*file.get("set", []), *file["cases"][name]]
    short = [f"{k}={v}" for k, v in shortened(load(ROOT / file["config"], online + own), file["steps"]).items()]
    return [*online, *short, "training.cpu_threads=1", "data.workers=0", *own]


def curve_of(exp: Path) -> list[dict[str, str]]:
    """The lines of curve.tsv."""
    with (exp / "curve.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def embed(exp: Path, data: Path, name: str) -> Any:
    """Embeddings of data/<name>_no_sil by the best model."""
    from nnet.device import choose_device
    from nnet.extract import extract_embeddings
    from nnet.inference.limits import BatchLimits
    from nnet.inference.loading import load_model
    from scoring.embeddings import read_embeddings

    model = load_model(exp / "best.pt", choose_device("cpu"))
    limits = BatchLimits(BATCH_FRAMES, 5 * BATCH_FRAMES)
    extract_embeddings(model, f"scp:{data}/{name}_no_sil/feats.scp", f"ark:{exp}/{name}.ark", limits)
    return read_embeddings(f"ark:{exp}/{name}.ark")


def one(file: dict[str, Any], name: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Train and score one case."""
    from benchmarks.pooling_cases.scores import error_rates
    from nnet.train import main as train

    exp = given.exp / f"{name}-{seed}"
    changes = changes_of(file, name, seed)
    words = ["--config", str(ROOT / file["config"]), "--lists", str(given.data / "lists_online"), "--exp", str(exp)]
    code = train([*words, "--device", "cpu", *(word for change in changes for word in ("--set", change))])
    if code:
        raise SystemExit(code)
    begin = time.monotonic()
    tables = [embed(exp, given.data, each) for each in ("train", "test")]
    rates = error_rates(tables[0], tables[1], given.data.parent, LDA_DIM)
    curve = curve_of(exp)
    return {
        "changes": changes, "eer": {back_end: each.value for back_end, each in rates.items()},
        "interval": {back_end: [each.low, each.high] for back_end, each in rates.items()},
        "seconds": float(curve[-1]["seconds"]), "step": int(curve[-1]["step"]),
        "scoring_seconds": time.monotonic() - begin, "curve": curve,
    }  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run the cases; the results go to <exp>/results.json, and a line for each to stdout."""
    given = options(argv)
    file = read_yaml(given.cases)
    path = given.exp / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.is_file() else {}
    if given.table:
        print("\n".join(table(file, results)))
        return 0
    for name in given.only or file["cases"]:
        for seed in given.seed:
            key = f"{name}-{seed}"
            if results.get(key, {}).get("changes") != changes_of(file, name, seed):
                log_message(f"{key}: {' '.join(file['cases'][name]) or 'as the YAML'}")
                results[key] = one(file, name, seed, given)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, (json.dumps({"machine": machine(), "cases": results}, indent=1) + "\n").encode())
            done = results[key]
            rates = "  ".join(f"{back_end} {100 * rate:5.2f}" for back_end, rate in done["eer"].items())
            last, pace = done["curve"][-1], 1000 * done["seconds"] / done["step"]
            print(f"{key:24s} {rates}  loss {last['loss']} hits {last['accuracy']}  {pace:.0f} ms/step", flush=True)
    return 0


if __name__ == "__main__":
    run_program(main, "%(message)s")
