"""Every option of ./pipeline.sh, with its default, its sentence and its range.

`None` is "no value of its own", written "-" on the command line; the sentence says what applies then. Standard library
only: `./pipeline.sh --help` works before anything is installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Literal

from common.leaks import LEAKS
from common.options import OptionSet, option
from nnet.config.program_options import DEVICE, DEVICE_NAMES, MOST_VALID_SHARE

FLAGS = ("force", "trust_earlier", "dry_run")
"""Options that need no value: `--force` is `--force true`."""

_LEAK = f"({'|'.join(LEAKS)})"
_PLAIN_PATH = re.compile(r"[\w./+@%=:~-]+")
FORMS = {
    # Names and places appear in pipes, where a shell splits words.
    **dict.fromkeys(
        ("name", "data", "exp"), (_PLAIN_PATH, "letters, digits and . _ / + @ % = : ~ - only")
    ),
    "device": (DEVICE, DEVICE_NAMES),
    "allow_leak": (re.compile(f"{_LEAK}(,{_LEAK})*"), f"names of {', '.join(LEAKS)}, between commas"),
    "num_augmented": (re.compile(r"[0-9]+x?"), "an integer >= 0, or e.g. 2x"),
}  # fmt: skip
"""Option -> (what its text must match, the same in words)."""


@dataclass(frozen=True)
class PipelineOptions(OptionSet):
    """The command line of ./pipeline.sh, completed by conf/pipeline/<corpus>.conf."""

    stage: int = option(0, "first stage to run", least=0, most=12)
    stop_stage: int = option(12, "last stage to run", least=0, most=12)
    corpus: Literal["folder", "mini", "voxceleb"] = option("mini", "which corpus")
    name: str | None = option(
        None, "name of the data, data/<name>; -: the corpus, or the folder that holds --train-root"
    )
    data: str | None = option(None, "where the data directories go; -: data/<name>")
    exp: str | None = option(None, "where the experiment goes; -: exp/<name>-<config>")
    nnet_config: str | None = option(None, "the experiment: encoder, pooling, loss, schedule; see conf/nnet/")
    nnet_opts: tuple[str, ...] = option(
        (), "section.key=value: change one key of the experiment; repeatable, added to the corpus file's changes"
    )
    max_steps: int | None = option(
        None,
        "train at most so many steps; a longer experiment also gets smaller batches and shorter chunks; -: no limit",
        least=1,
    )
    inference: str | None = option(
        None, '"key=value ...", how embeddings are extracted, e.g. "mode=windows window=150"; needs no new training'
    )
    nj: int | None = option(None, "number of jobs at once; -: the number of cores", least=1)
    seed: int = option(1, "random seed of augmentation, held-out split and training", least=0)
    device: str = option("auto", DEVICE_NAMES)
    mini_size: Literal["full", "tiny"] = option("full", "mini: size of the corpus; tiny takes a minute from end to end")
    mini_seed: int | None = option(None, "mini: random seed of the corpus; -: that of conf/mini_corpus.yaml", least=0)
    train_root: tuple[str, ...] = option(
        (), "folder: <root>/<speaker>/**/<audio> to train on; repeatable, all trees form one corpus"
    )
    test_root: tuple[str, ...] = option((), "folder: the same, of unseen speakers; repeatable, each is a test set")
    trials: str | None = option(
        None, "trials file, with ids or with paths relative to --test-root; -: a seeded, balanced list"
    )
    spk2gender: str | None = option(
        None, "folder: lines `speaker m|f` for all roots; -: <root>.spk2gender if it exists"
    )
    voxceleb1_root: str | None = option(None, "voxceleb: wav/id10001/... (or the old voxceleb1_wav/<Name>/...)")
    voxceleb2_root: str | None = option(
        None, "voxceleb: dev/aac/id.../... (m4a, read by ffmpeg) or a converted tree of WAV files"
    )
    musan_root: str | None = option(None, "MUSAN; -: the seeded noise and music of the mini corpus")
    rirs_root: str | None = option(None, "RIRS_NOISES; -: the seeded rooms of the mini corpus")
    speed_perturb: bool = option(
        False,
        "also train on copies at 0.9 and 1.1 times the speed, as further speakers; "
        "with online augmentation --augment-config decides",
    )
    augment: Literal["ondisk", "online", "none"] | None = option(
        None, "copies on disk, copies made while training reads audio, or none; -: ondisk"
    )
    augment_config: str = option("conf/augment/kaldi.yaml", "online: the augmentation; see conf/augment/")
    vad_config: str = option("conf/vad.conf", "options of compute-vad")
    test_vad_config: str | None = option(
        None, "the same for the test sets, if they are noisier than the training data; -: --vad-config"
    )
    num_augmented: str = option(
        "2x", "ondisk: number of augmented utterances in training (0: none), or 2x: twice the clean ones"
    )
    min_seconds: float = option(
        1.0, "seconds of speech that a training utterance must have, without pauses if features.vad is true", least=0
    )
    min_frames: int | None = option(None, "the same in frames of the features, instead of --min-seconds", least=0)
    min_utts: int = option(1, "number of utterances that a training speaker must have", least=0)
    valid_share: float = option(
        0.1, "share of source recordings that is held out to choose the best model", least=0, most=MOST_VALID_SHARE
    )
    lda_dim: int = option(200, "LDA dimension, at most", least=1)
    asnorm_cohort: Literal["speakers", "utterances"] = option(
        "speakers",
        "AS-norm compares scores with those of the training speakers' means, or of their utterances "
        "(better with few speakers)",
    )
    allow_leak: str | None = option(
        None,
        f"names, between commas, of what stage 0 must not refuse: {'; '.join(f'{k} ({v})' for k, v in LEAKS.items())}",
    )
    max_loss: float = option(0.01, "share of utterances that a stage may lose", least=0, most=1)
    bootstrap: int = option(1000, "number of resamples of the speakers for the 95 % intervals", least=1)
    force: bool = option(False, "run the stages even if they are up to date")
    trust_earlier: bool = option(False, "use the files of the stages before --stage as they are")
    dry_run: bool = option(False, "print the stages with inputs, outputs, sizes and commands; run nothing")


OPTIONS = {field.name: field for field in fields(PipelineOptions)}

_TREES = ("train_root", "test_root")
SOURCES = ("trials", "spk2gender", *(name for name in OPTIONS if name.endswith("_root") and name not in _TREES))
"""Paths that must exist; one that is given twice is refused, as it may be a mistake."""

PATHS = ("data", "exp", "nnet_config", "augment_config", "vad_config", "test_vad_config", *_TREES, *SOURCES)
"""Options that are paths: relative to the directory from which ./pipeline.sh was called."""


def flag_of(name: str) -> str:
    """`min_utts` -> `--min-utts`."""
    return f"--{name.replace('_', '-')}"
