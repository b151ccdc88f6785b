"""From options to the plan of a run: every decision and every rule of the recipe, once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path

from common.errors import InputError
from recipe.augmentation import Augmentation, augmentation_of
from recipe.command_line import Given, as_given
from recipe.corpora import ChosenCorpus, corpus_of, plain_name
from recipe.network import Network, config_values, network_of, shorten
from recipe.plan import RunPlan

_ODD_IN_PATH = re.compile(r"[^\w./+@%=:~-]")
_PLAIN_WORD = re.compile(r"[\w./+@%=:,~-]+")
_FEATURES = ("type", "config", "cmvn", "vad", "frame_rate", "columns")  # the last checks the option file


@dataclass(frozen=True)
class Features:
    """The section `features` of the experiment, and what its option file says."""

    type: str
    config: str
    cmvn: bool
    vad: bool
    frame_rate: float
    columns: int


def make_plan(words: Sequence[str], given: Given) -> RunPlan:
    """The plan of a command line.

    Args:
        words: the command line, to be written down.
        given: what it and the corpus file say.

    Raises:
        InputError: anything that is wrong by its name, value or combination alone.
    """
    _check_checkout(given.checkout)
    options = given.options()
    network = network_of(given)
    corpus = corpus_of(options)
    config = network.load()
    features = Features(*config_values(config, [f"features.{key}" for key in _FEATURES]))
    network = shorten(network, given, config)
    way = augmentation_of(given, network, features.type, config.data.source)
    config = way.network.load()
    return _plan_of(words, given, corpus, way, features, config.training.start_from)


def _check_checkout(folder: Path) -> None:
    if _ODD_IN_PATH.search(str(folder)):
        raise InputError(
            f'the checkout is in "{folder}"; its path may hold letters, digits and . _ / + @ % = : ~ - only, as it'
            " appears in pipes"
        )


def _plan_of(
    words: Sequence[str],
    given: Given,
    corpus: ChosenCorpus,
    way: Augmentation,
    features: Features,
    start_from: str | None,
) -> RunPlan:
    options, network = given.options(), way.network
    online = way.kind == "online"
    data = options.data or f"data/{corpus.name}"
    feats = f"{data}/{_feats_name(features)}"
    prepared = f"{feats}{'' if features.vad else '-novad'}{'' if features.cmvn else '-nocmvn'}"
    preset = f"-{options.preset}" if options.preset else ""
    exp = options.exp or f"exp/{corpus.name}-{Path(network.path).name.removesuffix('.yaml')}{way.suffix}{preset}"
    sets = ("train", *corpus.tests)
    base = "train_sp" if way.speed_perturb else "train"
    vad, test_vad = _vad_configs(options.vad_config, options.test_vad_config)
    return RunPlan(
        options=options,
        command=" ".join(["./pipeline.sh", *map(shell_word, words)]),
        called_from=str(given.called_from),
        corpus_options=corpus.options,
        corpus_files=corpus.files,
        audio_trees=corpus.trees,
        gender_files=corpus.gender_files,
        prepare=corpus.prepare,
        name=corpus.name,
        data=data,
        mfcc=f"{data}/mfcc",
        feats=feats,
        prepared=prepared,
        lists=f"{prepared}/lists{'_online' if online else ''}",
        exp=exp,
        systems=(exp, f"{exp}/baseline", f"{exp}/baseline_cmvn"),
        first_stage=options.stage,
        last_stage=options.stop_stage,
        passed_over=network.passed_over,
        tests=corpus.tests,
        sets=sets,
        featured=(*sets, "train_speed") if way.speed_perturb else sets,
        base=base,
        trained_on="train" if online else "train_combined",
        prepared_first=sets if online else ("train_combined",),
        speed_perturb=way.speed_perturb,
        augment=way.kind,
        augmented=() if way.kind == "none" else (f"{feats}/{base}_aug",),
        augment_files=way.files,
        num_augmented="0" if way.kind == "none" else options.num_augmented,
        nnet_config=network.path,
        overrides=tuple(change.text for change in network.changes()),
        start_from=() if start_from is None else (start_from,),
        feats_type=features.type,
        feats_config=features.config,
        feats_cmvn=features.cmvn,
        feats_vad=features.vad,
        prepare_feats=_preparation(features),
        frames_kept="voiced frames" if features.vad else "frames",
        frame_rate=features.frame_rate,
        vad_config=vad,
        test_vad_config=test_vad,
        min_frames=_min_frames(options.min_frames, options.min_seconds, features.frame_rate),
        inference=tuple((options.inference or "").split()),
        cohort=f"embeddings_train/{'' if options.asnorm_cohort == 'utterances' else 'spk_'}embedding.scp",
        way=_way(way.kind, network),
    )


def _feats_name(features: Features) -> str:
    """The directory of features: the name of their option file, after their type if it does not begin with it."""
    name = plain_name(Path(features.config).name.removesuffix(".conf"))
    name = name if name.startswith(features.type) else f"{features.type}-{name}"
    if name == "mfcc" and not cmp(features.config, "conf/mfcc.conf", shallow=False):
        raise InputError(
            f"features.config is {features.config}, but data/<name>/mfcc is made with conf/mfcc.conf; give the file"
            " another name"
        )
    return name


def _preparation(features: Features) -> tuple[str, ...]:
    """Options of steps/prepare_feats.sh; samples may lack the last frame that the VAD has decided on."""
    fit_vad = ("--fit-vad", "true") if features.type == "samples" else ()
    return ("--cmvn", as_given(features.cmvn), "--vad", as_given(features.vad), *fit_vad)


def _vad_configs(train: str, test: str | None) -> tuple[str, str]:
    for path in (train, test or train):
        if not Path(path).is_file():
            known = " ".join(sorted(map(str, Path("conf").glob("vad*.conf"))))
            found = f"--vad-config or --test-vad-config is {path}, which is not a file"
            raise InputError(f"{found}; choose one of: {known}")
    return train, test or train


def _min_frames(frames: int | None, seconds: float, rate: float) -> int:
    return int(seconds * rate + 0.5) if frames is None else frames


def _way(kind: str, network: Network) -> str:
    changes = (*network.corpus, *network.shorter, *network.own)
    return " ".join([kind, network.path, *(change.text for change in changes)])


def shell_word(word: str) -> str:
    """A word as a shell reads it again."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = word.replace("'", "'\\''")
    return f"'{escaped}'"
