"""A corpus of audio: coloured noise with syllables, pauses in the voice activity, noises, music and rooms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minikaldi.io import FLOAT_VECTOR, WAVE, Wave, write_object, writer
from minikaldi.running import run_command
from nnet.data.hold_out import HoldOutOptions
from nnet.data.wave_lists import AudioSources
from nnet.make_lists import make_lists
from tests.nnet.helpers.tiny_corpus import CONFIG, TinyCorpus

RATE = 16000
AUDIO_CONFIG = CONFIG.replace("chunk_frames: [20, 60]", "chunk_frames: [20, 60], source: audio")
AUDIO_CONF = "--sample-frequency=16000\n--num-mel-bins=8\n--snip-edges=false\n--dither=0\n"


@dataclass(frozen=True)
class AudioCorpus(TinyCorpus):
    """The same with audio; `data` has wav.scp and vad.scp, `no_sil` the voiced frames."""

    data: Path
    no_sil: Path


def voice(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Noise of a random colour with syllables, in 16-bit integers."""
    noise = np.convolve(rng.normal(size=num_samples + 40), rng.normal(size=41), "valid")
    syllables = 1.2 + np.sin(2 * np.pi * rng.uniform(3, 6) * np.arange(num_samples) / RATE + rng.uniform(0, 6))
    return np.rint(200 * noise * syllables)


def write_waves(directory: Path, waves: dict[str, np.ndarray], rate: int = RATE) -> None:
    """A data directory of files, each with a speaker of its own name."""
    (directory / "audio").mkdir(parents=True)
    for name, samples in waves.items():
        write_object(f"{directory}/audio/{name}.wav", WAVE, Wave(rate, samples[None].astype(np.float32)))
    lines = {
        "wav.scp": [f"{name} {directory}/audio/{name}.wav" for name in waves],
        "utt2spk": [f"{name} {name}" for name in waves],
        "reco2dur": [f"{name} {len(samples) / rate:.4f}" for name, samples in waves.items()],
    }
    for file, content in lines.items():
        (directory / file).write_text("".join(f"{line}\n" for line in content))


def run(*argv: str) -> None:
    """A minikaldi command, which must succeed."""
    assert run_command(list(argv)) == 0


def make_audio_corpus(tmp_path: Path) -> AudioCorpus:
    """Six speakers with six utterances of 0.7 to 1.6 s, three noises, two pieces of music, three rooms; its lists."""
    rng = np.random.default_rng(1)
    data, no_sil, lists = tmp_path / "train", tmp_path / "train_no_sil", tmp_path / "lists"
    waves = {f"s{n // 6}-{n % 6}": voice(rng, int(rng.integers(11000, 26000))) for n in range(36)}
    write_waves(data, waves)
    (data / "utt2spk").write_text("".join(f"{utt} {utt.split('-')[0]}\n" for utt in waves))
    conf = tmp_path / "fbank.conf"
    conf.write_text(AUDIO_CONF)
    feats = f"ark,scp:{data}/feats.ark,{data}/feats.scp"
    run("compute-fbank-feats", f"--config={conf}", f"scp:{data}/wav.scp", feats)
    with writer(f"ark,scp:{data}/vad.ark,{data}/vad.scp", FLOAT_VECTOR) as out:
        for utt, samples in waves.items():
            pauses = np.repeat(rng.random(20) < 0.8, 10)[: (len(samples) + 80) // 160]
            out.write(utt, np.pad(pauses, (0, max(0, (len(samples) + 80) // 160 - len(pauses))), mode="edge"))
    make_no_sil(data, no_sil)
    write_waves(tmp_path / "noise", {f"noise{n}": voice(rng, 6000 + 9000 * n) for n in range(3)})
    write_waves(tmp_path / "music", {f"music{n}": voice(rng, 40000) for n in range(2)})
    decay = np.exp(-np.arange(4000) / 600)
    write_waves(tmp_path / "rooms", {f"room{n}": room(rng, 300 * n, decay) for n in range(3)})
    rirs = [f"--rir-id r{n} --room-id {n} {tmp_path}/rooms/audio/room{n}.wav\n" for n in range(3)]
    (tmp_path / "rir_list").write_text("".join(rirs))
    (tmp_path / "rir_sets").write_text(f"1, {tmp_path}/rir_list\n")
    sources = AudioSources(data, tmp_path / "noise", tmp_path / "music", None, tmp_path / "rir_sets")
    make_lists(no_sil, lists, 20, 2, HoldOutOptions(valid_share=0.2), sources)
    (tmp_path / "tiny.yaml").write_text(AUDIO_CONFIG)
    return AudioCorpus(tmp_path, lists, tmp_path / "tiny.yaml", conf, data, no_sil)


def room(rng: np.random.Generator, delay: int, decay: np.ndarray) -> np.ndarray:
    """An impulse response: silence, the direct sound, an echo that dies away."""
    return np.concatenate([np.zeros(delay), [20000.0], 3000 * rng.normal(size=len(decay)) * decay])


def make_no_sil(data: Path, no_sil: Path, window: int = 300) -> None:
    """The voiced frames of a data directory's features, less their sliding mean, and their counts."""
    no_sil.mkdir()
    centred, voiced = f"ark:{no_sil}/centred.ark", f"ark:{no_sil}/voiced.ark"
    options = ["--center=true", f"--cmn-window={window}", "--min-cmn-window=1"]
    run("apply-cmvn-sliding", *options, f"scp:{data}/feats.scp", centred)
    run("select-voiced-frames", centred, f"scp:{data}/vad.scp", voiced)
    counts = f"--write-num-frames=ark,t:{no_sil}/utt2num_frames"
    run("copy-feats", counts, voiced, f"ark,scp:{no_sil}/feats.ark,{no_sil}/feats.scp")
    (no_sil / "utt2spk").write_text((data / "utt2spk").read_text())
