"""The plan of a run: all that the recipe decides, checked, in one frozen object.

`utils/recipe.py start` makes it (recipe/planning.py) and gives its names to pipeline.sh. The text of a plan is what
exp/<run>/plan.yaml holds: YAML of one `name: value` per line, each value as JSON has it, so that reading it back needs
the standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from recipe.options import PipelineOptions

HEADING = "# What ./pipeline.sh decided for its latest run here (recipe/plan.py); change options, not this file.\n"


@dataclass(frozen=True)
class RunPlan:
    """Names and values of one run. The names go to pipeline.sh, to recipe/stages.py and to plan.yaml.

    Args:
        options: what the user chose; a name below takes precedence over an option of the same name.
        command: the command line, as a shell reads it.
        called_from: the directory to which paths on the command line are relative.
        corpus_options: "name=value" on which stage 0 depends.
        corpus_files: files and trees that stage 0 reads.
        audio_trees: the trees among them, which stage 1 reads too.
        gender_files: files of speakers' genders beside the trees.
        prepare: arguments of local/prepare_<corpus>.sh.
        name: of the data.
        data: directory of the corpus's data directories.
        mfcc: directory of MFCC and VAD.
        feats: directory of the network's features.
        prepared: directory of the frames that the network reads.
        lists: directory of the training lists.
        exp: directory of the experiment.
        others: systems beside the experiment's own: normalised embeddings, two baselines.
        embedded: directories of the embeddings that stage 8 makes from frames: the experiment's own, two baselines'.
        systems: directories of the embeddings that are scored: the experiment's own, those of `others`.
        first_stage: first stage to run.
        last_stage: last stage to run.
        passed_over: stages that the run does not have, as its network is imported.
        tests: names of the test sets.
        sets: names of all sets before augmentation.
        featured: names of the sets that get features in stage 1.
        base: the set that is augmented.
        trained_on: the set whose frames are trained on, without `_no_sil`.
        prepared_first: the sets that stage 4 prepares.
        speed_perturb: whether copies at other speeds are made on disk.
        augment: how training data is augmented.
        augmented: the directory of augmented copies, if there are any.
        augment_files: the file of online augmentation, if it is used.
        num_augmented: number of augmented utterances, or e.g. "2x".
        nnet_config: the experiment's YAML.
        overrides: its changes.
        start_from: the checkpoint that training begins with, if there is one.
        has_network: whether a network is trained; otherwise i-vectors are.
        own_vad: options of steps/make_feats.sh for features that have decisions of their own on speech.
        diag_ubm: of i-vectors, the options of steps/train_diag_ubm.sh and the number of Gaussians.
        full_ubm: of i-vectors, the options of steps/train_full_ubm.sh.
        extractor: of i-vectors, the options of steps/train_ivector_extractor.sh.
        feats_type: kind of the features.
        feats_config: their option file.
        feats_cmvn: whether the sliding mean is subtracted.
        feats_vad: whether only voiced frames are kept.
        frames_kept: the same in words.
        prepare_feats: what steps/prepare_feats.sh does with them.
        frame_rate: frames per second.
        vad_config: options of compute-vad.
        test_vad_config: the same for the test sets.
        min_frames: frames that a training utterance must have.
        inference: changes of how embeddings are extracted.
        cohort: the embeddings, below a system, that AS-norm compares with.
        way: the augmentation, the YAML and its changes; estimates of time depend on it.
    """

    options: PipelineOptions
    command: str
    called_from: str
    corpus_options: tuple[str, ...]
    corpus_files: tuple[str, ...]
    audio_trees: tuple[str, ...]
    gender_files: tuple[str, ...]
    prepare: tuple[str, ...]
    name: str
    data: str
    mfcc: str
    feats: str
    prepared: str
    lists: str
    exp: str
    others: tuple[str, ...]
    embedded: tuple[str, ...]
    systems: tuple[str, ...]
    first_stage: int
    last_stage: int
    passed_over: tuple[int, ...]
    tests: tuple[str, ...]
    sets: tuple[str, ...]
    featured: tuple[str, ...]
    base: str
    trained_on: str
    prepared_first: tuple[str, ...]
    speed_perturb: bool
    augment: str
    augmented: tuple[str, ...]
    augment_files: tuple[str, ...]
    num_augmented: str
    nnet_config: str
    overrides: tuple[str, ...]
    start_from: tuple[str, ...]
    has_network: bool
    own_vad: tuple[str, ...]
    diag_ubm: tuple[str, ...]
    full_ubm: tuple[str, ...]
    extractor: tuple[str, ...]
    feats_type: str
    feats_config: str
    feats_cmvn: bool
    feats_vad: bool
    frames_kept: str
    prepare_feats: tuple[str, ...]
    frame_rate: float
    vad_config: str
    test_vad_config: str
    min_frames: int
    inference: tuple[str, ...]
    cohort: str
    way: str

    def values(self) -> dict[str, Any]:
        """Name -> value, of options and plan."""
        return {**vars(self.options), **{name: value for name, value in vars(self).items() if name != "options"}}

    @property
    def dry_run(self) -> bool:
        """Whether nothing is run."""
        return self.options.dry_run


def to_text(plan: RunPlan) -> str:
    """The plan as plan.yaml has it."""
    own = [f"{name}: {json.dumps(value)}\n" for name, value in vars(plan).items() if name != "options"]
    options = [f"  {name}: {json.dumps(value)}\n" for name, value in vars(plan.options).items()]
    return "".join([HEADING, *own, "options:\n", *options])


def from_text(text: str) -> RunPlan:
    """The plan that `to_text` wrote."""
    options: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for line in text.splitlines()[1:]:
        name, _, value = line.partition(":")
        if value:
            read = json.loads(value)
            (options if line.startswith("  ") else own)[name.strip()] = tuple(read) if isinstance(read, list) else read
    return RunPlan(PipelineOptions(**options), **own)
