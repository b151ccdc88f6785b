"""Each stage, declared once: what it reads, writes and depends on, and when it applies.

Markers, `--dry-run`, the list of `--help` and the tables of files in the docs all come from `STAGES`. Names in braces
are those of the plan (recipe/plan.py) and of `plan_names` below. A name with several values stands for as many paths:
"{mfcc}/{sets}" is one path for each set. In titles and options the values are joined.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recipe.command_line import as_given
from recipe.plan import RunPlan
from scoring.back_ends import BACK_ENDS

LAST_STAGE = 12
Role = Literal["data", "mfcc", "feats", "prepared", "exp"]  # which directory of the plan keeps the marker
Value = str | tuple[str, ...]

_NAME = re.compile(r"\{([a-z_]+)\}")


def always(plan: RunPlan) -> bool:
    """For stages of every run."""
    return True


def _online(plan: RunPlan) -> bool:
    return plan.augment == "online"


def _on_disk(plan: RunPlan) -> bool:
    return plan.augment == "ondisk"


def _features_before_training(plan: RunPlan) -> bool:
    return plan.augment != "online"


def _network(plan: RunPlan) -> bool:
    return plan.has_network


def _ivectors(plan: RunPlan) -> bool:
    return not plan.has_network


def _normalised(plan: RunPlan) -> bool:
    return plan.options.normalised


def _features_besides_mfcc(plan: RunPlan) -> bool:
    return plan.feats != plan.mfcc


@dataclass(frozen=True)
class Stage:
    """What one stage is.

    Args:
        number: from 0 to 12.
        summary: a few words for `--help`.
        role: the directory that keeps its marker and its times.
        title: what the log says, "from -> to".
        reads: paths; a change of one makes the stage run again.
        writes: paths; they must be there when the stage is done.
        options: "name=value"; another value makes the stage run again. One without a value does not count.
        reads_if_there: paths that are read only if they exist.
        applies: whether a run has this stage.
        part: distinguishes stages of one number that may both be in a run.
        marker: name of the marker's file, if it is not the number.
        timed: whether its time counts as that of the stage of this number.
    """

    number: int
    summary: str
    role: Role
    title: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    options: tuple[str, ...] = ()
    reads_if_there: tuple[str, ...] = ()
    applies: Callable[[RunPlan], bool] = always
    part: str = ""
    marker: str = ""
    timed: bool = True

    @property
    def key(self) -> str:
        """What pipeline.sh calls it: `stage 4`, `stage 1-features`."""
        return f"{self.number}-{self.part}" if self.part else str(self.number)


_PREPARED_TITLE = "clean train and test -> {frames_kept}"
_PREPARED_READS, _PREPARED_WRITES = ("{feats}/{sets}",), ("{prepared}/{sets}_no_sil",)
_LISTS_TITLE = "{trained_on}_no_sil -> lists of training and held-out utterances"
_LISTS_OPTIONS = ("min_frames={min_frames}", "min_utts={min_utts}", "valid_share={valid_share}", "seed={seed}")
_AUDIO = ("{feats}/train", "{data}/rir_sets", "{data}/musan_noise", "{data}/musan_music", "{data}/rir_list")

STAGES = (
    Stage(
        0, "corpus", "data", "{corpus} corpus -> {data}/{{sets}}, noises, rooms",
        reads=("{corpus_files}",),
        reads_if_there=("{gender_files}",),
        writes=("{data}/{sets}", "{data}/musan_noise", "{data}/rir_sets"),
        options=(
            "corpus={corpus}", "{corpus_options}", "musan={musan_root}", "rirs={rirs_root}", "trial_seed={seed}",
        ),
    ),
    Stage(
        1, "features, VAD", "mfcc", "audio -> MFCC, energy VAD",
        reads=("{audio_trees}", "conf/mfcc.conf", "{vad_config}", "{test_vad_config}", "{data}/{sets}/wav.scp"),
        reads_if_there=("{gender_files}",),
        writes=("{mfcc}/{featured}",),
        options=("test_vad={test_vad_config}", "speed_perturb={speed_perturb}"),
    ),
    Stage(
        1, "", "feats", "audio -> {feats_type}, with the MFCC's VAD", part="features",
        applies=_features_besides_mfcc,
        reads=("{feats_config}", "{mfcc}/{featured}"),
        writes=("{feats}/{featured}",),
        options=("vad={own_vad}",),
    ),
    Stage(
        2, "augmented copies", "feats", "{feats}/{base} -> reverberated, noise, music and babble copies",
        applies=_on_disk,
        reads=(
            "{feats}/{base}", "{data}/musan_noise", "{data}/musan_music", "{data}/rir_sets", "{data}/rir_list",
        ),
        reads_if_there=("{data}/musan_speech",),
        writes=("{feats}/{base}_{copies}",),
        options=("seed={seed}",),
    ),
    Stage(
        3, "their features", "feats", "{base}_aug -> {base}_aug_subset -> train_combined",
        applies=_features_before_training,
        reads=("{augmented}", "{feats}/{base}", "{feats_config}"),
        writes=("{feats}/{base}_aug_subset", "{feats}/train_combined"),
        options=("num_augmented={num_augmented}",),
    ),
    Stage(
        4, "CMVN, voiced frames", "prepared", "train_combined -> train_combined_no_sil",
        applies=_features_before_training,
        reads=("{feats}/train_combined",),
        writes=("{prepared}/train_combined_no_sil",),
    ),
    Stage(
        4, "", "prepared", _PREPARED_TITLE, marker="7",  # the work of stage 7 before training, which then finds it done
        applies=_online,
        reads=_PREPARED_READS,
        writes=_PREPARED_WRITES,
    ),
    Stage(
        5, "training lists", "prepared", _LISTS_TITLE,
        applies=_features_before_training,
        reads=("{prepared}/{trained_on}_no_sil",),
        writes=("{lists}",),
        options=_LISTS_OPTIONS,
    ),
    Stage(
        5, "", "prepared", _LISTS_TITLE, marker="5_online",
        applies=_online,
        # rir_sets only names the lists of rooms; all rooms are in rir_list.
        reads=("{prepared}/{trained_on}_no_sil", *_AUDIO),
        reads_if_there=("{data}/musan_speech",),
        writes=("{lists}",),
        options=_LISTS_OPTIONS,
    ),
    Stage(
        6, "training", "exp", "{nnet_config} -> {exp}",
        applies=_network,
        reads=("{nnet_config}", "{augment_files}", "{lists}"),
        reads_if_there=("{start_from}",),  # it may be gone once training has begun
        writes=("{exp}/config.yaml", "{exp}/best.pt"),
        options=("overrides={overrides}",),
    ),
    Stage(
        6, "", "exp", "{nnet_config} -> background models and i-vector extractor in {exp}", part="ivectors",
        applies=_ivectors,
        reads=("{nnet_config}", "{feats}/train"),
        writes=("{exp}/config.yaml", "{exp}/final.ie"),
        options=("overrides={overrides}",),
    ),
    Stage(
        7, "test features", "prepared", _PREPARED_TITLE,
        reads=_PREPARED_READS,
        writes=_PREPARED_WRITES,
    ),
    Stage(
        8, "embeddings", "exp", "voiced frames -> embeddings; mean and std of MFCC frames as baselines",
        applies=_network,
        reads=("{exp}/best.pt", "{prepared}/{sets}_no_sil/feats.scp", "{mfcc}/{sets}/feats.scp"),
        writes=("{embedded}/embeddings_{sets}/embedding.scp",),
        options=("inference={inference}",),
    ),
    Stage(
        8, "", "exp", "voiced frames -> i-vectors; mean and std of MFCC frames as baselines",
        applies=_ivectors,
        reads=("{exp}/final.ie", "{feats}/{sets}/feats.scp", "{mfcc}/{sets}/feats.scp"),
        writes=("{embedded}/embeddings_{sets}/embedding.scp",),
    ),
    Stage(
        8, "", "exp", "embeddings -> normalised embeddings", part="normalised", marker="8_normalised",
        timed=False,
        applies=_normalised,
        reads=("{exp}/embeddings_{sets}/embedding.scp",),
        writes=("{exp}/normalised/embeddings_{sets}/embedding.scp",),
        options=("lda_dim={lda_dim}",),
    ),
    Stage(
        9, "models", "exp", "embeddings -> speaker means, enrolment models, num_utts",
        reads=("{systems}/embeddings_{tests}/embedding.scp",),
        writes=("{systems}/enroll_{tests}/spk_embedding.scp", "{systems}/embeddings_train/spk_embedding.scp"),
    ),
    Stage(
        10, "LDA, PLDA", "exp", "training embeddings -> mean, LDA, PLDA",
        reads=("{systems}/embeddings_train/embedding.scp",),
        writes=("{systems}/backend/plda",),
        options=("lda_dim={lda_dim}",),
    ),
    Stage(
        11, "scores", "exp", "trials -> PLDA, LDA-cosine and cosine scores, the last also normalised",
        reads=(
            "{systems}/backend/plda", "{systems}/{cohort}", "{data}/{tests}/trials",
            "{systems}/enroll_{tests}/spk_embedding.scp",
        ),
        writes=("{systems}/scores/{tests}_{scores}",),
        options=("cohort={cohort}",),
    ),
    Stage(
        12, "results", "exp", "scores -> {exp}/RESULTS.md, {exp}/report",
        reads=("{data}/{tests}/trials", "{systems}/scores/{tests}_{scores}"),
        writes=("{exp}/RESULTS.md", "{exp}/report/index.html"),
        options=("bootstrap={bootstrap}",),
    ),
)  # fmt: skip
COPIES = ("reverb", "noise", "music", "babble", "aug")
SCORES = tuple(BACK_ENDS)


@dataclass(frozen=True)
class PlannedStage:
    """A stage of one run, with its paths and values."""

    stage: Stage
    title: str
    folder: str
    options: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def marker(self) -> Path:
        """The file that says with what the stage was last completed."""
        return Path(self.folder, ".stages", f"{self.stage.marker or self.stage.number}.json")


def planned_stages(plan: RunPlan) -> list[PlannedStage]:
    """The stages of a run, in order, up to its last one."""
    applying = [stage for stage in STAGES if stage.number <= plan.last_stage and stage.applies(plan)]
    return [planned_stage(stage, plan) for stage in applying if stage.number not in plan.passed_over]


def planned_stage(stage: Stage, plan: RunPlan) -> PlannedStage:
    """The stage with the names of a plan, and those of its `reads_if_there` that exist now."""
    known = plan_names(plan)
    optional = [path for path in _paths(stage.reads_if_there, known) if Path(path).exists()]
    filled = [_joined(text, known, " ") for option in stage.options for text in _options(option, known)]
    pairs = [text.partition("=") for text in filled]
    return PlannedStage(
        stage,
        _joined(stage.title, known, ","),
        folder=getattr(plan, stage.role),
        options={key: value for key, _, value in pairs if value},
        inputs=(*_paths(stage.reads, known), *optional),
        outputs=_paths(stage.writes, known),
    )


def plan_names(plan: RunPlan) -> dict[str, Value]:
    """What a name in braces means: the values of the plan, and some that follow from them."""
    values = {name: _text_of(value) for name, value in plan.values().items()}
    return {**values, "copies": COPIES, "scores": SCORES}


def _text_of(value: object) -> Value:
    return tuple(map(as_given, value)) if isinstance(value, tuple) else as_given(value)


def _options(option: str, known: Mapping[str, Value]) -> tuple[str, ...]:
    """An option; those of the list of "name=value" that it stands for."""
    match = _NAME.fullmatch(option)
    return tuple(known[match[1]]) if match else (option,)


def _joined(text: str, known: Mapping[str, Value], joint: str) -> str:
    return _NAME.sub(lambda match: joint.join(_as_tuple(known[match[1]])), text)


def _as_tuple(value: Value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _paths(templates: tuple[str, ...], known: Mapping[str, Value]) -> tuple[str, ...]:
    """The paths that templates stand for, each once."""
    found: dict[str, None] = {}
    for template in templates:
        used = list(dict.fromkeys(_NAME.findall(template)))
        for values in itertools.product(*(_as_tuple(known[name]) for name in used)):
            found[_joined(template, dict(zip(used, values, strict=True)), "")] = None
    return tuple(found)
