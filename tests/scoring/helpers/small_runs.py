"""Finished runs of a few speakers with random scores, for tests of the report page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from minikaldi.io import FLOAT_VECTOR, writer

NUM_SPEAKERS, NUM_UTTS = 6, 5
SCRIPT_ID = "s00-<script>fail('corpus')</script>"
"""An utterance that a page without escaping would run; it sorts among the others of speaker s00."""

ODD_TITLE = " <img src=x onerror=fail()> $a$ &"
KINDS = ("plda", "lda_cosine", "cosine", "cosine_asnorm")


@dataclass(frozen=True)
class SmallRuns:
    """Data and experiments in a folder.

    Attributes:
        folder: holds all of it.
        data: holds the data directory `test`.
        rows: names of the experiments below `folder`.
    """

    folder: Path
    data: Path
    rows: tuple[str, ...]

    def exp(self, row: str) -> Path:
        """The experiment of a row."""
        return self.folder / row

    def rows_json(self, **changes: Any) -> Path:
        """The benchmark of all rows, a failed and a missing one; `changes` are of the file's top level."""
        published = {"eer": 3.033, "min_dcf_0.01": 0.314, "eer_normalised": 3.171, "min_dcf_0.01_normalised": None}
        rows = [
            {"name": row, "title": row.upper() + (ODD_TITLE if row == self.rows[-1] else ""),
             "exp": str(self.exp(row)), "status": "done", "log": None,
             "published": published if row == self.rows[0] else None}
            for row in self.rows
        ]  # fmt: skip
        rows.append({**rows[0], "name": "broken", "title": "BROKEN", "status": "failed", "log": "exp/broken/log/a.log"})
        rows.append({**rows[0], "name": "later", "title": "LATER", "status": "missing"})
        texts = {"title": "Small benchmark", "corpus": "random", "command": "./pipeline.sh"}
        path = self.folder / "rows.json"
        path.write_text(json.dumps({**texts, "published_note": "Others.", "rows": rows, **changes}))
        return path


def write_small_runs(folder: Path, *rows: str, utt_ids: int = NUM_UTTS) -> SmallRuns:
    """Write the data and an experiment for each row; the first has normalised embeddings and baselines too.

    Args:
        folder: empty.
        rows: names.
        utt_ids: utterances of each speaker.
    """
    runs = SmallRuns(folder, folder / "data", rows)
    speakers = [f"s{number:02}" for number in range(NUM_SPEAKERS)]
    utts = {f"{speaker}-u{number}": speaker for speaker in speakers for number in range(utt_ids - 1)}
    utts |= {f"{speaker}-z": speaker for speaker in speakers[1:]} | {SCRIPT_ID: speakers[0]}
    _write_data(runs.data / "test", dict(sorted(utts.items())))
    for number, row in enumerate(rows):
        _write_exp(runs, row, utts, number)
    return runs


def _write_data(test: Path, utts: dict[str, str]) -> None:
    test.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pairs = combinations(utts, 2)
    lines = (f"{a} {b} {'target' if utts[a] == utts[b] else 'nontarget'}\n" for a, b in pairs)
    (test / "trials").write_text("".join(lines))
    (test / "utt2spk").write_text("".join(f"{utt_id} {spk}\n" for utt_id, spk in utts.items()))
    (test / "utt2dur").write_text("".join(f"{utt_id} {rng.uniform(2, 6):.2f}\n" for utt_id in utts))
    genders = dict.fromkeys(utts.values())
    (test / "spk2gender").write_text("".join(f"{spk} {'mf'[int(spk[1:]) % 2]}\n" for spk in genders))
    (test / "a b.wav").parent.mkdir(exist_ok=True)
    soundfile.write(test / "a b.wav", np.zeros(1600, dtype=np.int16), 16000)
    sources = [str(test / "a b.wav"), "cat x.wav |", str(test / "gone.wav")]
    audio = [sources[0] if utt_id == SCRIPT_ID else sources[number % 3] for number, utt_id in enumerate(utts)]
    (test / "wav.scp").write_text("".join(f"{utt_id} {source}\n" for utt_id, source in zip(utts, audio, strict=True)))


def _write_exp(runs: SmallRuns, row: str, utts: dict[str, str], number: int) -> None:
    exp, rng = runs.exp(row), np.random.default_rng(number + 1)
    variants = ["", "normalised", "baseline", "baseline_cmvn"] if number == 0 else [""]
    trials = [line.split() for line in (runs.data / "test" / "trials").read_text().splitlines()]
    for variant in variants:
        (exp / variant / "scores").mkdir(parents=True)
        for kind in KINDS:
            scores = [rng.normal() + (2.0 + 0.3 * number) * (label == "target") for _, _, label in trials]
            if kind == "plda":  # the utterance with the odd id is in the worst miss
                worst = next(i for i, (a, b, label) in enumerate(trials) if label == "target" and SCRIPT_ID in (a, b))
                scores[worst] = -9.0
            lines = (f"{a} {b} {score:.6f}\n" for (a, b, _), score in zip(trials, scores, strict=True))
            (exp / variant / "scores" / f"test_{kind}").write_text("".join(lines))
    folder = exp / "embeddings_test"
    folder.mkdir()
    centres = rng.normal(size=(NUM_SPEAKERS, 8))
    with writer(f"ark,scp:{folder}/embedding.ark,{folder}/embedding.scp", FLOAT_VECTOR) as out:
        for utt_id, spk in sorted(utts.items()):
            out.write(utt_id, (centres[int(spk[1:])] + 0.3 * rng.normal(size=8)).astype(np.float32))
    header = "step\tloss\taccuracy\tlr\tvalid_eer\tseconds\tchunks_per_second\tdata_wait\n"
    curve = "".join(f"{s}\t{5 / s:.3f}\t0.5\t0.001\t{'' if s % 20 else 1 / s}\t1\t2\t0\n" for s in range(10, 101, 10))
    (exp / "curve.tsv").write_text(header + curve)
    times = [{"stage": "6", "title": "training", "seconds": 60.0 + number, "cpu_seconds": None}]
    dropped = [{"place": "data/test/dropped", "reason": "# frames <b>&</b>", "count": 3, "first": "s01-x"}]
    (exp / "stage_record.json").write_text(json.dumps({"times": times, "dropped": dropped}))
