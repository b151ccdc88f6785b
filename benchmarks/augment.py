"""How many training chunks a core makes from audio in a second, and what each step of the augmentation costs.

    python3 benchmarks/augment.py [--augment FILE ...] [--features fbank|mfcc] [--pauses 0] [--rooms 60] [--json FILE]

The chunks have 225 voiced frames (2.25 s at 16 kHz, and the pauses between). One process makes them from 16-bit WAV
files in the page cache, as a loader does; seconds are those of the CPU. All sections and the features alone are
measured in turns in one run, so that their ratios hold on a busy machine. The corpus is synthetic, in a temporary
folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of one core, before numpy is loaded
    os.environ[threads] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.minikaldi_cases.report import machine  # noqa: E402
from common.program import Parser, run_program  # noqa: E402
from minikaldi.io import FLOAT_VECTOR, WAVE, Wave, write_object, writer  # noqa: E402
from nnet.augment.features import KaldiFeatures  # noqa: E402
from nnet.config.experiment import load  # noqa: E402
from nnet.data.hold_out import HoldOutOptions  # noqa: E402
from nnet.data.lists import read_lists  # noqa: E402
from nnet.data.sampler import BatchPlanner  # noqa: E402
from nnet.data.wave_data import WaveChunks, open_waves  # noqa: E402
from nnet.data.wave_lists import AudioSources  # noqa: E402
from nnet.make_lists import make_lists  # noqa: E402

RATE, BATCH, FRAMES, BINS = 16000, 64, 225, 30
SPEAKERS, UTTERANCES, SECONDS = 40, 8, 6
NOISES, NOISE_SECONDS = 60, 8
PIECES, PIECE_SECONDS = 8, 60
ROOM_SECONDS = 0.5
WARM = 10  # batches; then nearly all rooms are cached at the usual lengths, as after a minute of training
ALONE = "(features alone)"


@dataclass
class Figures:
    """The figures of one section.

    Attributes:
        chunks: chunks made.
        seconds: CPU seconds.
        steps: step -> milliseconds per chunk.
    """

    chunks: int = 0
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def chunks_per_second(self) -> float:
        """Chunks per CPU second."""
        return self.chunks / self.seconds

    @property
    def milliseconds(self) -> float:
        """Of a chunk."""
        return 1000 * self.seconds / self.chunks


def sound(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose level comes and goes four times a second, as syllables do."""
    samples = rng.standard_normal(int(seconds * RATE))
    return 2000 * samples * (0.55 + 0.45 * np.sin(8 * np.pi * np.arange(len(samples)) / RATE))


def room(rng: np.random.Generator) -> np.ndarray:
    """An impulse response: the direct sound at 5 ms, and a tail that falls by 60 dB within its length."""
    length = int(ROOM_SECONDS * RATE)
    samples = 3000 * rng.standard_normal(length) * 10 ** (-3 * np.linspace(0, 1, length))
    samples[80] = 20000
    return samples


def write_waves(folder: Path, waves: dict[str, np.ndarray]) -> None:
    """Files, and the tables of a data directory."""
    (folder / "wav").mkdir(parents=True)
    for name, samples in waves.items():
        write_object(f"{folder}/wav/{name}.wav", WAVE, Wave(float(RATE), samples[None].astype(np.float32)))
    tables = {
        "wav.scp": [f"{name} {folder}/wav/{name}.wav" for name in waves],
        "utt2spk": [f"{name} {name.partition('-')[0]}" for name in waves],
        "reco2dur": [f"{name} {len(samples) / RATE}" for name, samples in waves.items()],
    }
    for file, lines in tables.items():
        (folder / file).write_text("".join(f"{line}\n" for line in lines))


def write_corpus(folder: Path, pauses: float, rooms: int, seed: int) -> Path:
    """Write speech with a share of pauses, noises, music and rooms; returns the lists directory."""
    rng = np.random.default_rng(seed)
    names = [f"s{n // UTTERANCES:02}-{n % UTTERANCES}" for n in range(SPEAKERS * UTTERANCES)]
    write_waves(folder / "train", {name: sound(SECONDS, rng) for name in names})
    counts = []
    with writer(f"ark,scp:{folder}/vad.ark,{folder}/train/vad.scp", FLOAT_VECTOR) as table:
        for name in names:
            voiced = np.repeat(rng.random(10 * SECONDS) >= pauses, 10)
            table.write(name, voiced.astype(np.float32))
            counts.append(f"{name} {np.count_nonzero(voiced)}\n")
    (folder / "train" / "utt2num_frames").write_text("".join(counts))
    (folder / "train" / "feats.scp").write_text("".join(f"{name} not-read.ark\n" for name in names))
    write_waves(folder / "noise", {f"noise{n}": sound(NOISE_SECONDS, rng) for n in range(NOISES)})
    write_waves(folder / "music", {f"music{n}": sound(PIECE_SECONDS, rng) for n in range(PIECES)})
    write_waves(folder / "rooms", {f"room{n}": room(rng) for n in range(rooms)})
    rirs = [f"--rir-id r{n} --room-id r{n} {folder}/rooms/wav/room{n}.wav\n" for n in range(rooms)]
    (folder / "rir_list").write_text("".join(rirs))
    (folder / "rir_sets").write_text(f"1, {folder}/rir_list\n")
    sources = AudioSources(folder / "train", folder / "noise", folder / "music", None, folder / "rir_sets")
    make_lists(folder / "train", folder / "lists", FRAMES, 2, HoldOutOptions(valid_share=0.0), sources)
    return folder / "lists"


def open_section(lists_dir: Path, augment: str, features: str, seed: int) -> tuple[WaveChunks, BatchPlanner]:
    """The maker of chunks with a section, and what plans them."""
    conf = ROOT / "conf" / f"{features}.conf"
    settings = [f"features={{type: {features}, config: {conf}, dim: {BINS}}}", "data.source=audio"]
    settings += [f"data.chunk_frames={FRAMES}", f"training.seed={seed}"]
    settings += [f"augment={augment}"] if augment else []
    config = load(ROOT / "conf" / "nnet" / "mini.yaml", settings)
    chunks, lists, _ = open_waves(config, read_lists(lists_dir), lists_dir, conf)
    return chunks, BatchPlanner(lists.train, config.data.chunk_frames, BATCH, "speakers", seed)


def measure(lists_dir: Path, sections: dict[str, str], features: str, batches: int, seed: int) -> dict[str, Figures]:
    """Each section and the features alone, batch by batch in turns, after some batches that fill the caches."""
    opened = {name: open_section(lists_dir, augment, features, seed) for name, augment in sections.items()}
    figures = {name: Figures() for name in (*opened, ALONE)}
    maker = next(iter(opened.values()))[0].maker
    assert isinstance(maker, KaldiFeatures)  # of the type `features`, MFCC or filter bank
    wave = sound(BATCH * FRAMES * 0.01, np.random.default_rng(seed)).astype(np.float32)
    for step in range(1, WARM + batches + 1):
        for name, (chunks, planner) in opened.items():
            plan = planner.plan(step)
            begin = process_time()
            chunks.chunks(plan)
            count(figures[name], process_time() - begin, step)
            if step == WARM:
                chunks.costs.seconds.clear()
        begin = process_time()
        maker.compute(wave, float(RATE), maker.options, 1.0, "")
        count(figures[ALONE], process_time() - begin, step)
    for name, (chunks, _) in opened.items():
        spent = {what: 1000 * seconds / figures[name].chunks for what, seconds in chunks.costs.seconds.items()}
        spent["the rest"] = figures[name].milliseconds - sum(spent.values())
        figures[name].steps = dict(sorted(spent.items(), key=lambda item: -item[1]))
    return figures


def count(figures: Figures, seconds: float, step: int) -> None:
    """Add a batch, but the first ones."""
    if step > WARM:
        figures.chunks += BATCH
        figures.seconds += seconds


def show(figures: dict[str, Figures]) -> None:
    """Print the tables."""
    alone = figures[ALONE].milliseconds
    print(f"\n{'section':<36} {'chunks/s a core':>16} {'ms a chunk':>11} {'x features alone':>17}")
    for name, one in figures.items():
        print(f"{name:<36} {one.chunks_per_second:>16.0f} {one.milliseconds:>11.3f} {one.milliseconds / alone:>17.2f}")
    for name, one in figures.items():
        if one.steps:
            print(f"\n{name:<36} {'ms a chunk':>11} {'share':>7}")
            for what, spent in one.steps.items():
                print(f"  {what:<34} {spent:>11.3f} {100 * spent / one.milliseconds:>6.1f}%")


def main(argv: Sequence[str]) -> None:
    """The tables."""
    parser = Parser(description=__doc__)
    parser.add_argument("--augment", action="append", metavar="FILE", help="sections (default: all of conf/augment)")
    parser.add_argument("--features", choices=("fbank", "mfcc"), default="fbank", help="(default %(default)s)")
    parser.add_argument("--pauses", type=float, default=0.0, help="share of frames without voice (default %(default)s)")
    rooms = "number of rooms; of thousands most are read again each time (default %(default)s)"
    parser.add_argument("--rooms", type=int, default=60, help=rooms)
    parser.add_argument("--batches", type=int, default=20, help=f"of {BATCH} chunks each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of audio and draws (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    files = options.augment or sorted(str(path) for path in (ROOT / "conf" / "augment").glob("*.yaml"))
    if not 0 <= options.pauses <= 0.5:
        parser.error(f"--pauses is {options.pauses:g}, expected a share from 0 to 0.5")
    with tempfile.TemporaryDirectory(prefix="augment-") as folder:
        lists_dir = write_corpus(Path(folder), options.pauses, options.rooms, options.seed)
        sections = {"no augmentation": "", **{Path(file).name: file for file in files}}
        figures = measure(lists_dir, sections, options.features, options.batches, options.seed)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(
        f"{options.features}, {FRAMES} voiced frames a chunk, {100 * options.pauses:.0f} % pauses,"
        f" {options.rooms} rooms, seed {options.seed}"
    )
    show(figures)
    if options.json:
        rows = {
            name: {"chunks_per_second": one.chunks_per_second, "ms": one.milliseconds, "steps_ms": one.steps}
            for name, one in figures.items()
        }
        about = {key: getattr(options, key) for key in ("features", "pauses", "rooms", "seed")}
        options.json.write_text(json.dumps({"machine": machine(), **about, **rows}, indent=1) + "\n")


if __name__ == "__main__":
    run_program(main)
