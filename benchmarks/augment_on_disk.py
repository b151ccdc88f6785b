"""How fast augmented copies become features: pipes run inside the feature process, against a process for each.

    python3 benchmarks/augment_on_disk.py [--utterances 10000] [--processes 200] [--flac 1000] [--seed 1] [--json FILE]

Stages 2 and 3 of the recipe, by its own steps, one job: copies are drawn as wav.scp pipes (reverberation, noise,
music, babble, a quarter of each), then decoded, mixed, turned into MFCC, compressed and written. Then a part of the
same copies again, with a `wav-reverberate` found first on PATH that is not minikaldi's own, so that each pipe is a
shell and its processes, as it is with real Kaldi. Last, copies whose noises, music and rooms are FLAC files, as in
`utils/to_wav.py noise.flac 16000 |`: kept by the process once they are decoded, and decoded for each copy. Speech,
noises, music and rooms are synthetic, in a private folder.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.minikaldi_cases.report import machine  # noqa: E402
from common.errors import InputError  # noqa: E402
from common.program import Parser, run_program  # noqa: E402
from minikaldi.io import WAVE, Wave, write_object  # noqa: E402

RATE = 16000
SPEECH_FILES, SPEECH_SECONDS = 200, 5
NOISE_FILES, NOISE_SECONDS = 60, 4
MUSIC_FILES, MUSIC_SECONDS = 10, 60
ROOMS, ROOM_SECONDS = 60, 0.5
DRAWN, INSIDE, OUTSIDE = "copies drawn (4 of each utterance)", "pipes inside the process", "a process per utterance"
KEPT, NOT_KEPT = "FLAC noises and rooms, kept", "FLAC noises and rooms, not kept"


@dataclass(frozen=True)
class Pass:
    """One pass over copies.

    Attributes:
        utterances: number of copies.
        speech_seconds: speech in them.
        cpu_seconds: CPU time.
        wall_seconds: elapsed time.
    """

    utterances: int
    speech_seconds: float
    cpu_seconds: float
    wall_seconds: float

    @property
    def times_real_time(self) -> float:
        """Seconds of speech per CPU second."""
        return self.speech_seconds / self.cpu_seconds


def sound(seconds: float, rng: np.random.Generator) -> Wave:
    """Noise whose level comes and goes four times a second, as syllables do; float32, 16-bit scale."""
    samples = rng.standard_normal(int(seconds * RATE)).astype(np.float32)
    time_s = np.arange(len(samples)) / RATE
    return Wave(float(RATE), (2000 * samples * (0.55 + 0.45 * np.sin(8 * np.pi * time_s)))[None].astype(np.float32))


def room(rng: np.random.Generator) -> Wave:
    """An impulse response: the direct sound at 5 ms, and a tail that falls by 60 dB within its length."""
    samples = rng.standard_normal(int(ROOM_SECONDS * RATE)) * 10 ** (-3 * np.linspace(0, 1, int(ROOM_SECONDS * RATE)))
    samples *= 3000
    samples[80] = 20000
    return Wave(float(RATE), samples[None].astype(np.float32))


def write_audio(path: Path, wave: Wave) -> str:
    """Write a wave, as FLAC if the name says so; returns its entry in wav.scp."""
    if path.suffix == ".flac":
        soundfile.write(path, wave.samples[0].astype(np.int16), RATE)
        return f"utils/to_wav.py {path} {RATE} |"
    write_object(str(path), WAVE, wave)
    return str(path)


def write_noises(folder: Path, count: int, seconds: float, suffix: str, rng: np.random.Generator) -> None:
    """A data directory of noises."""
    (folder / "audio").mkdir(parents=True)
    names = [f"{folder.name}{n:03d}" for n in range(count)]
    audio = [write_audio(folder / "audio" / f"{name}{suffix}", sound(seconds, rng)) for name in names]
    lines = {
        "wav.scp": [f"{name} {rxfilename}" for name, rxfilename in zip(names, audio, strict=True)],
        "utt2spk": [f"{name} {name}" for name in names],
        "reco2dur": [f"{name} {seconds}" for name in names],
    }
    for file, content in lines.items():
        (folder / file).write_text("".join(f"{line}\n" for line in content))


def write_speech(folder: Path, utterances: int, rng: np.random.Generator) -> None:
    """A data directory of speech after stage 1: `utterances` ids over SPEECH_FILES files."""
    (folder / "wav").mkdir(parents=True)
    files = [folder / "wav" / f"{n:03d}.wav" for n in range(min(utterances, SPEECH_FILES))]
    for file in files:
        write_object(str(file), WAVE, sound(SPEECH_SECONDS, rng))
    names = [f"s{n % 1000:04d}-u{n:07d}" for n in range(utterances)]
    names.sort()
    tables = {
        "wav.scp": [f"{name} {files[n % len(files)]}" for n, name in enumerate(names)],
        "utt2spk": [f"{name} {name[:5]}" for name in names],
        "vad.scp": [f"{name} vad.ark:{n}" for n, name in enumerate(names)],
        "feats.scp": [f"{name} feats.ark:{n}" for n, name in enumerate(names)],
        "reco2dur": [f"{name} {SPEECH_SECONDS}" for name in names],
        "utt2dur": [f"{name} {SPEECH_SECONDS}" for name in names],
        "utt2num_frames": [f"{name} {100 * SPEECH_SECONDS - 2}" for name in names],
    }
    for table, content in tables.items():
        (folder / table).write_text("".join(f"{line}\n" for line in content))
    with (folder / "spk2utt").open("w") as spk2utt:
        subprocess.run([str(ROOT / "utils/utt2spk_to_spk2utt.pl"), str(folder / "utt2spk")], stdout=spk2utt, check=True)


def write_corpus(folder: Path, utterances: int, suffix: str, seed: int) -> None:
    """Speech as wave files; noises, music and rooms in the format of the suffix."""
    rng = np.random.default_rng(seed)
    write_noises(folder / "noise", NOISE_FILES, NOISE_SECONDS, suffix, rng)
    write_noises(folder / "music", MUSIC_FILES, MUSIC_SECONDS, suffix, rng)
    (folder / "rooms").mkdir()
    rooms = [write_audio(folder / "rooms" / f"{n}{suffix}", room(rng)) for n in range(ROOMS)]
    lines = [f"--rir-id r{n} --room-id r{n} {shlex.quote(rxfilename)}" for n, rxfilename in enumerate(rooms)]
    (folder / "rir_list").write_text("".join(f"{line}\n" for line in lines))
    (folder / "rir_sets").write_text(f"1, {folder}/rir_list\n")
    write_speech(folder / "train", utterances, rng)


def run_step(argv: list[str], env: Mapping[str, str], log: Path) -> tuple[float, float]:
    """Run a step of the recipe.

    Returns:
        cpu: CPU seconds of all its processes.
        wall: elapsed seconds.

    Raises:
        InputError: the step failed.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("ab") as output:
        code = subprocess.run(argv, cwd=ROOT, env=env, stdout=output, stderr=output, check=False).returncode
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        raise InputError(f"{' '.join(argv)}: exit code {code}\n{log.read_text()[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def draw_copies(folder: Path, env: Mapping[str, str], seed: int) -> tuple[float, float]:
    """Stage 2."""
    argv = ["steps/augment_data.sh", "--seed", str(seed), "--rir-sets", f"{folder}/rir_sets"]
    argv += ["--noise-dir", f"{folder}/noise", "--music-dir", f"{folder}/music", f"{folder}/train"]
    return run_step(argv, env, folder / "steps.log")


def make_features(folder: Path, copies: int, env: Mapping[str, str]) -> tuple[float, float]:
    """Stage 3 for so many of the copies."""
    argv = ["steps/combine_augmented.sh", "--type", "mfcc", "--feats-config", "conf/mfcc.conf", "--nj", "1"]
    argv += [str(copies), f"{folder}/train", f"{folder}/train_aug", f"{folder}/train_combined"]
    return run_step(argv, env, folder / "steps.log")


def with_program(folder: Path, env: Mapping[str, str], name: str, text: str) -> dict[str, str]:
    """As with a Kaldi installation that has this program alone."""
    binaries = folder / f"kaldi-{name}" / "src" / "featbin"
    binaries.mkdir(parents=True)
    (binaries / name).write_text(text)
    (binaries / name).chmod(0o755)
    return {**env, "KALDI_ROOT": str(binaries.parents[1])}


def by_processes(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The pipes are shells and processes: their wav-reverberate is not minikaldi's own."""
    text = f'#!/usr/bin/env bash\nexec "{ROOT}/minikaldi/bin/wav-reverberate" "$@"\n'
    return with_program(folder, env, "wav-reverberate", text)


def keeping_nothing(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The feature process is the same, but it keeps no wave."""
    lines = ["import minikaldi.launch", "from minikaldi.feat.wave_cache import SHARED_WAVES"]
    lines += ["SHARED_WAVES.max_bytes = 0", "raise SystemExit(minikaldi.launch.main())"]
    return with_program(folder, env, "compute-mfcc-feats", "\n".join([f"#!{sys.executable}", *lines, ""]))


def measure(folder: Path, utterances: int, processes: int, flac: int, seed: int) -> dict[str, Pass]:
    """All ways."""
    env = {key: value for key, value in os.environ.items() if key not in ("KALDI_ROOT", "MINIKALDI_NO_PIPES")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', os.defpath)}"

    def copies(corpus: Path, count: int, env: Mapping[str, str]) -> Pass:
        return Pass(count, count * float(SPEECH_SECONDS), *make_features(corpus, count, env))

    write_corpus(folder / "wav", utterances, ".wav", seed)
    drawn = draw_copies(folder / "wav", env, seed)
    passes = {
        DRAWN: Pass(4 * utterances, 4.0 * utterances * SPEECH_SECONDS, *drawn),
        INSIDE: copies(folder / "wav", utterances, env),
        OUTSIDE: copies(folder / "wav", processes, by_processes(folder, env)),
    }
    if flac:
        write_corpus(folder / "flac", flac, ".flac", seed)
        draw_copies(folder / "flac", env, seed)
        passes[KEPT] = copies(folder / "flac", flac, env)
        passes[NOT_KEPT] = copies(folder / "flac", flac, keeping_nothing(folder, env))
    return passes


def main(argv: Sequence[str]) -> None:
    """The table."""
    parser = Parser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=10000, help="clean, and augmented (default %(default)s)")
    parser.add_argument("--processes", type=int, default=200, help="augmented by processes (default %(default)s)")
    parser.add_argument("--flac", type=int, default=1000, help="with FLAC noises (default %(default)s; 0: none)")
    parser.add_argument("--seed", type=int, default=1, help="of audio and draws (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="augment-") as name:
        passes = measure(Path(name), options.utterances, options.processes, options.flac, options.seed)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"seed {options.seed}; utterances of {SPEECH_SECONDS} s, MFCC, one job")
    print(f"{'':<36} {'utterances':>10} {'CPU s':>8} {'wall s':>8} {'x real time':>12}")
    for what, one in passes.items():
        print(
            f"{what:<36} {one.utterances:>10} {one.cpu_seconds:>8.1f} {one.wall_seconds:>8.1f}"
            f" {one.times_real_time:>12.0f}"
        )
    drawn, inside, outside = passes[DRAWN], passes[INSIDE], passes[OUTSIDE]
    share = inside.utterances / drawn.utterances * drawn.cpu_seconds  # of drawing only these copies
    both = inside.speech_seconds / (inside.cpu_seconds + share)
    print(f"drawing and features together: {both:.0f} x real time a core")
    print(f"inside against processes: {inside.times_real_time / outside.times_real_time:.0f} times as fast")
    if options.flac:
        saved = passes[NOT_KEPT].cpu_seconds / passes[KEPT].cpu_seconds
        print(f"FLAC noises and rooms kept against decoded for each copy: {saved:.1f} times as fast")
    if options.json:
        figures = {"machine": machine(), **{what: asdict(one) for what, one in passes.items()}}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    run_program(main)
