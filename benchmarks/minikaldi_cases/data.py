"""Seeded synthetic data: waves, features, vectors with speakers, trials.

`in_child` keeps the measuring process small: Linux counts a parent's memory at the start of a child as the child's.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, WAVE, Wave, compressed_matrix, write_object, writer

T = TypeVar("T")

SAMPLE_RATE = 16000
RIR_SECONDS = 0.5
FEATURE_DIM, FEATURE_FRAMES = 30, 1000


def in_child(make: Callable[..., T], *args: Any) -> T:
    """The result of a call in a process of its own; what it raises is raised here."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(make, args)


def write_waves(folder: Path, name: str, count: int, seconds: float, seed: int) -> None:
    """`<name>/<i>.wav`, noise whose level moves as that of speech does, and `<name>.scp` with keys `<name>-<i>`."""
    rng = np.random.default_rng(seed)
    (folder / name).mkdir()
    samples = round(seconds * SAMPLE_RATE)
    lines = []
    for i in range(count):
        level = np.interp(
            np.arange(samples), np.arange(0, samples + 1600, 1600), rng.gamma(0.7, 1500.0, samples // 1600 + 1)
        )
        path = folder / name / f"{i:04}.wav"
        write_object(
            str(path),
            WAVE,
            Wave(SAMPLE_RATE, np.round(level * rng.standard_normal(samples)).astype(np.float32)[None, :]),
        )
        lines.append(f"{name}-{i:04} {path}\n")
    (folder / f"{name}.scp").write_text("".join(lines))


def write_room(folder: Path, seed: int) -> None:
    """`rir.wav`: an impulse and its decaying echoes."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(RIR_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    response = 3000 * rng.standard_normal(time.size) * np.exp(-time / 0.08)
    response[100] = 30000
    write_object(
        str(folder / "rir.wav"),
        WAVE,
        Wave(SAMPLE_RATE, np.round(response.clip(-32768, 32767)).astype(np.float32)[None, :]),
    )


def write_feats(folder: Path, count: int, frames: int, seed: int) -> None:
    """`feats.{ark,scp}` and, compressed, `feats_cm.{ark,scp}`: float32 (frames, 30), column 0 a log energy."""
    rng = np.random.default_rng(seed)
    scale = np.concatenate([[3.0], np.linspace(10, 3, FEATURE_DIM - 1)])
    plain, packed = (
        f"ark,scp:{folder}/feats.ark,{folder}/feats.scp",
        f"ark,scp:{folder}/feats_cm.ark,{folder}/feats_cm.scp",
    )
    with writer(plain, FLOAT_MATRIX) as floats, writer(packed, compressed_matrix(2)) as compressed:
        for i in range(count):
            matrix = (rng.standard_normal((frames, FEATURE_DIM)) * scale).astype(np.float32)
            matrix[:, 0] += 12
            floats.write(f"utt-{i:07}", matrix)
            compressed.write(f"utt-{i:07}", matrix)


def write_vectors(folder: Path, name: str, count: int, dim: int, speakers: int, seed: int) -> None:
    """`<name>.ark` of float32 (dim,), `<name>.utt2spk` and `<name>.spk2utt`."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((speakers, dim))
    width = np.linspace(0.3, 1.5, dim)  # within a speaker, so that the directions are not alike
    per_speaker = -(-count // speakers)
    utts: dict[str, list[str]] = {}
    with writer(f"ark:{folder}/{name}.ark", FLOAT_VECTOR) as vectors:
        for i in range(count):
            speaker = f"spk{i // per_speaker:05}"
            utts.setdefault(speaker, []).append(f"{speaker}-{i:07}")
            vector = centres[i // per_speaker] + width * rng.standard_normal(dim)
            vectors.write(utts[speaker][-1], vector.astype(np.float32))
    spk2utt = (f"{speaker} {' '.join(keys)}\n" for speaker, keys in utts.items())
    (folder / f"{name}.spk2utt").write_text("".join(spk2utt))
    utt2spk = (f"{key} {speaker}\n" for speaker, keys in utts.items() for key in keys)
    (folder / f"{name}.utt2spk").write_text("".join(utt2spk))


def write_trials(folder: Path, name: str, vectors: str, count: int, seed: int) -> None:
    """`<name>`: lines `enroll_id test_id` of random pairs of `<vectors>.utt2spk`."""
    keys = [line.split()[0] for line in (folder / f"{vectors}.utt2spk").read_text().splitlines()]
    pairs = np.random.default_rng(seed).integers(len(keys), size=(count, 2))
    with (folder / name).open("w") as lines:
        lines.writelines(f"{keys[i]} {keys[j]}\n" for i, j in pairs.tolist())


def write_labels(folder: Path, name: str, count: int, seed: int) -> None:
    """`<name>`: lines `score target|nontarget`, one target in ten."""
    rng = np.random.default_rng(seed)
    targets = rng.random(count) < 0.1
    targets[:2] = True, False
    scores = rng.standard_normal(count) + 3 * targets
    with (folder / name).open("w") as lines:
        for score, target in zip(scores.tolist(), targets.tolist(), strict=True):
            lines.write(f"{score:.6g} {'target' if target else 'nontarget'}\n")


def repeated_scp(source: Path, target: Path, count: int) -> None:
    """A script of `count` keys that share the objects of another, in turns."""
    values = [line.split(None, 1)[1] for line in source.read_text().splitlines()]
    with target.open("w") as lines:
        lines.writelines(f"utt-{i:07} {values[i % len(values)]}\n" for i in range(count))
