"""What a run is trained on: lists, audio if it trains from audio, and the hash that identifies them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from nnet.config.experiment import Config
from nnet.data.batches import ChunkSource
from nnet.data.lists import TrainingLists, read_lists
from nnet.data.wave_data import open_waves


@dataclass(frozen=True)
class TrainingData:
    """What is trained on.

    Attributes:
        lists: utterances, speakers and held-out trials.
        features_conf: text of the features' option file.
        source: where the chunks come from; None for the lists' features.
        audio_digest: a hash of what augmentation draws from.
    """

    lists: TrainingLists
    features_conf: str
    source: ChunkSource | None = None
    audio_digest: str = ""


def read_data(config: Config, lists_dir: Path, features_conf: Path) -> TrainingData:
    """The lists and, if the experiment has data.source audio, the audio that they name.

    Raises:
        InputError: a file is missing, malformed or does not fit the others.
    """
    text = read_features_conf(features_conf)
    lists = read_lists(lists_dir)
    if config.data.source == "feats":
        return TrainingData(lists, text)
    source, lists, digest = open_waves(config, lists, lists_dir, features_conf)
    return TrainingData(lists, text, source, digest)


def list_digest(lists: TrainingLists, audio_digest: str = "") -> str:
    """A hash of what the batches and the valid EER are made from: utterances in order, lengths, speakers, trials, and
    what augmentation draws from."""
    digest = hashlib.sha256()
    for utterances in (lists.train, lists.valid):
        for utt in range(len(utterances)):
            digest.update(utterances.utt_ids[utt].encode("utf-8", "surrogateescape") + b"\n")
        digest.update(utterances.num_frames.tobytes() + utterances.speakers.tobytes())
    digest.update(lists.trials.enroll.tobytes() + lists.trials.test.tobytes() + lists.trials.target.tobytes())
    digest.update(audio_digest.encode())
    return digest.hexdigest()


def read_features_conf(path: Path) -> str:
    """Text of the Kaldi option file of the features.

    Raises:
        InputError: no such file, or not text.
    """
    if not path.is_file():
        todo = "--features-conf names the option file that the features were made with"
        raise InputError(f"{path}: no such file; {todo}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from error
