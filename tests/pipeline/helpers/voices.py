"""Small trees of synthetic voices, noises and rooms: enough for every stage to run, nothing to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16000  # Hz
SECONDS = 1.6  # of an utterance: about 150 frames, most of them voiced


def voice(speaker: int, utterance: int, seconds: float = SECONDS, rate: int = RATE) -> npt.NDArray[np.float64]:
    """Syllables on a speaker's own pitch and spectral slope, over a faint noise. float64 (N,), within ±1."""
    rng = np.random.default_rng([speaker, utterance])
    time = np.arange(int(seconds * rate)) / rate
    pitch = 90.0 + 25.0 * speaker + rng.normal(0.0, 2.0)  # Hz
    slope = 0.8 + 0.1 * (speaker % 5)
    harmonics = np.arange(1, int(min(4000.0, rate / 2) / pitch))
    sound = sum(np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6)) / k**slope for k in harmonics)
    syllables = np.clip(np.sin(2 * np.pi * (2.5 + rng.uniform(-0.3, 0.3)) * time) + 0.6, 0.0, 1.0)
    return 0.08 * sound * syllables + 0.001 * rng.standard_normal(len(time))


def write_tree(root: Path, first_speaker: int, num_speakers: int, num_utterances: int, extension: str = "wav") -> Path:
    """`<root>/spk<NN>/u<n>.<extension>`, 16-bit mono at 16 kHz."""
    for speaker in range(first_speaker, first_speaker + num_speakers):
        for utterance in range(num_utterances):
            write(root / f"spk{speaker:02d}" / f"u{utterance}.{extension}", voice(speaker, utterance))
    return root


def write(path: Path, sound: npt.NDArray[np.float64], rate: int = RATE) -> Path:
    """One 16-bit file; the extension gives its format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return path


def write_musan(root: Path, with_speech: bool = False) -> Path:
    """A tree like MUSAN's: two noises, two pieces of music, and five talkers if wanted."""
    rng = np.random.default_rng(7)
    for number in range(2):
        write(root / "noise" / "free-sound" / f"noise-free-sound-000{number}.wav", 0.1 * rng.standard_normal(RATE))
        write(root / "music" / "fma" / f"music-fma-000{number}.wav", voice(20 + number, 0, seconds=3.0))
    for number in range(5 if with_speech else 0):
        write(root / "speech" / "librivox" / f"speech-librivox-000{number}.wav", voice(30 + number, 0, seconds=3.0))
    return root


def write_rirs(root: Path) -> Path:
    """A tree like RIRS_NOISES's: a small and a medium room with two decaying responses each, and their lists."""
    rng = np.random.default_rng(8)
    for size, t60 in (("smallroom", 0.1), ("mediumroom", 0.3)):
        folder, lines = root / "simulated_rirs" / size, []
        for number in range(2):
            name = f"Room001/Room001-0000{number}.wav"
            decay = np.exp(-6.9 * np.arange(int(t60 * RATE)) / (t60 * RATE))
            response = 0.1 * rng.standard_normal(len(decay)) * decay
            response[0] = 0.9
            write(folder / name, response)
            path = f"RIRS_NOISES/simulated_rirs/{size}/{name}"
            lines.append(f"--rir-id {size}-Room001-0000{number} --room-id {size}-Room001 {path}\n")
        (folder / "rir_list").write_text("".join(lines))
    return root
