"""From options to the plan of a run: every decision and every rule of the recipe, once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path

from common.errors import InputError
from recipe.command_line import Given, as_given
from recipe.corpora import ChosenCorpus, corpus_of, plain_name
from recipe.experiment import Experiment, Features, experiment_of
from recipe.options import flag_of
from recipe.plan import RunPlan

_ODD_IN_PATH = re.compile(r"[^\w./+@%=:~-]")
_PLAIN_WORD = re.compile(r"[\w./+@%=:,~-]+")


def make_plan(words: Sequence[str], given: Given) -> RunPlan:
    """The plan of a command line.

    Args:
        words: the command line, to be written down.
        given: what it and the corpus file say.

    Raises:
        InputError: anything that is wrong by its name, value or combination alone.
    """
    _check_checkout(given.checkout)
    for name in ("rows", "jobs", "scale", "benchmark_table"):
        if given.on_command_line(name) and not given.options().benchmark:
            raise InputError(f"{flag_of(name)} is for --benchmark, which is not given; add it, or leave this out")
    experiment = experiment_of(given)
    return _plan_of(words, given, corpus_of(given.options()), experiment)


def _check_checkout(folder: Path) -> None:
    if _ODD_IN_PATH.search(str(folder)):
        raise InputError(
            f'the checkout is in "{folder}"; its path may hold letters, digits and . _ / + @ % = : ~ - only, as it'
            " appears in pipes"
        )


def _plan_of(words: Sequence[str], given: Given, corpus: ChosenCorpus, experiment: Experiment) -> RunPlan:
    options, features = given.options(), experiment.features
    online = experiment.augment == "online"
    data = options.data or f"data/{corpus.name}"
    feats = f"{data}/{_feats_name(features)}"
    prepared = f"{feats}{'' if features.vad else '-novad'}{'' if features.cmvn else '-nocmvn'}"
    preset = f"-{options.preset}" if options.preset else ""
    exp = options.exp or f"exp/{corpus.name}-{experiment.name}{preset}"
    baselines = ("baseline", "baseline_cmvn") if options.baselines else ()
    others = (*(("normalised",) if options.normalised else ()), *baselines)
    sets = ("train", *corpus.tests)
    base = "train_sp" if experiment.speed_perturb else "train"
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
        others=others,
        embedded=(exp, *(f"{exp}/{name}" for name in baselines)),
        systems=(exp, *(f"{exp}/{name}" for name in others)),
        first_stage=options.stage,
        last_stage=options.stop_stage,
        passed_over=experiment.passed_over,
        tests=corpus.tests,
        sets=sets,
        featured=(*sets, "train_speed") if experiment.speed_perturb else sets,
        base=base,
        trained_on="train" if online else "train_combined",
        prepared_first=sets if online else ("train_combined",),
        speed_perturb=experiment.speed_perturb,
        augment=experiment.augment,
        augmented=() if experiment.augment == "none" else (f"{feats}/{base}_aug",),
        augment_files=experiment.augment_files,
        num_augmented="0" if experiment.augment == "none" else options.num_augmented,
        nnet_config=experiment.path,
        overrides=experiment.overrides,
        start_from=experiment.start_from,
        has_network=not experiment.steps,
        own_vad=experiment.own_vad,
        diag_ubm=experiment.steps.get("diag_ubm", ()),
        full_ubm=experiment.steps.get("full_ubm", ()),
        extractor=experiment.steps.get("extractor", ()),
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
        way=experiment.way,
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


def shell_word(word: str) -> str:
    """A word as a shell reads it again."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = word.replace("'", "'\\''")
    return f"'{escaped}'"
