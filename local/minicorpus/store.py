"""Sound files of the mini corpus on disk: written together, with a hash of their parameters, and reused if it fits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from common.whole_files import writing


@dataclass(frozen=True)
class SoundFile:
    """A written file.

    Attributes:
        path: relative to the corpus folder.
        utt_id: utterance id.
        spk_id: speaker id.
        rec_id: the session of speech, the room of an impulse response, else the file itself.
        num_samples: its length.
    """

    path: str
    utt_id: str
    spk_id: str
    rec_id: str
    num_samples: int


def parameter_hash(*parameters: Any) -> str:
    """A hash of parameters (dataclasses, numbers, strings) and of the generator's own source code."""
    digest = hashlib.sha256()
    for parameter in parameters:
        is_instance = dataclasses.is_dataclass(parameter) and not isinstance(parameter, type)
        plain = dataclasses.asdict(parameter) if is_instance else parameter
        digest.update(json.dumps(plain, sort_keys=True).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def write_sound(folder: Path, sound: SoundFile, samples: np.ndarray, sample_rate: int) -> None:
    """Write one 16-bit mono WAV; samples (N,) int16."""
    path = folder / sound.path
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate, subtype="PCM_16")


def as_int16(samples: np.ndarray, peak: float = 0.5) -> np.ndarray:
    """Samples (N,) of any level with their largest at `peak` of full scale: (N,) int16."""
    return np.round(samples / (np.abs(samples).max() + 1e-9) * peak * 32767).astype(np.int16)


def stored(folder: Path, manifest: str, hashed: str) -> list[SoundFile] | None:
    """The files of an earlier run with the same hash; None if the hash differs or a file is missing or damaged."""
    path = folder / manifest
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
        if content["hash"] != hashed:
            return None
        sounds = [SoundFile(*fields) for fields in content["sounds"]]
        return sounds if all((folder / sound.path).is_file() for sound in sounds) else None
    except (ValueError, TypeError, KeyError, OSError, RecursionError):  # damaged: the files are made again
        return None


def put_in_place(partial: Path, folder: Path, subfolders: Iterable[str]) -> None:
    """Move finished subfolders from `partial` to `folder`, in place of earlier ones."""
    for name in subfolders:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        (partial / name).replace(folder / name)


def write_manifest(folder: Path, manifest: str, hashed: str, sounds: list[SoundFile]) -> None:
    """Write the list of files. It comes last: after an interruption there is none, and the files are made again."""
    content = {"hash": hashed, "sounds": [dataclasses.astuple(sound) for sound in sounds]}
    with writing(folder / manifest) as partial:
        partial.write_text(json.dumps(content), encoding="utf-8")
