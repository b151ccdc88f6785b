"""recipe/stages.py: the declarations are complete, and the paths and options of a run are those it has always had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recipe.stages import STAGES, planned_stages

from .conftest import MakePlan

ONLINE = ["0", "1", "1-features", "4", "5", "6", "7", "8", "9", "10", "11", "12"]
ON_DISK = ["0", "1", "1-features", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ([], ONLINE),
        (["--augment", "ondisk"], ON_DISK),
        (["--augment", "none"], [key for key in ON_DISK if key != "2"]),
        (["--stop-stage", "4", "--stage", "3"], ONLINE[:4]),
        (["--nnet-opts", "features={type: mfcc, config: conf/mfcc.conf, dim: 30}"],
         [key for key in ONLINE if key != "1-features"]),
    ],
)  # fmt: skip
def test_which_stages_a_run_has(plan_of: MakePlan, words: list[str], keys: list[str]) -> None:
    assert [each.stage.key for each in planned_stages(plan_of(*words))] == keys


def test_every_number_is_described_once_and_every_stage_is_in_pipeline_sh(checkout: Path) -> None:
    assert [stage.number for stage in STAGES if stage.summary] == [*range(13)]
    called = re.findall(r"^if stage ([\w-]+); then$", (checkout / "pipeline.sh").read_text(), re.MULTILINE)
    assert called == list(dict.fromkeys(stage.key for stage in STAGES))


@pytest.mark.parametrize("words", [[], ["--augment=ondisk"], ["--augment=none"]])
def test_what_a_stage_reads_is_written_before_it_or_given(plan_of: MakePlan, words: list[str]) -> None:
    plan = plan_of(*words)
    made = {Path(plan.data, name) for name in ("musan_music", "rir_list")}  # by stage 0, beside what it lists
    for each in planned_stages(plan):
        for path in map(Path, each.inputs):
            is_given = path.parts[0] == "conf"
            assert is_given or made & {path, *path.parents}, f"stage {each.stage.key} reads {path}"
        made |= set(map(Path, each.outputs))
        made |= {Path(path).parent for path in each.outputs if path.endswith(".scp")}  # tables of a stage's directory
    assert Path(plan.exp, "RESULTS.md") in made


def test_a_stage_of_each_kind_by_its_paths_and_options(plan_of: MakePlan, folder_corpus: list[str]) -> None:
    plan = plan_of(*folder_corpus, "--exp", "e", "--data", "d", "--inference", "mode=windows window=9")
    found = {each.stage.key: each for each in planned_stages(plan)}
    assert found["0"].title == "folder corpus -> d/{train,test,test_calls}, noises, rooms"
    assert found["0"].outputs == ("d/train", "d/test", "d/test_calls", "d/musan_noise", "d/rir_sets")
    assert found["0"].options["test_roots"] == " ".join(plan.options.test_root)
    assert (found["4"].marker, found["4"].folder) == (Path("d/fbank/.stages/7.json"), "d/fbank")
    assert found["5"].marker == Path("d/fbank/.stages/5_online.json")
    assert found["6"].options == {"overrides": " ".join(plan.overrides)}
    assert found["8"].options == {"inference": "mode=windows window=9"}
    assert "e/baseline_cmvn/embeddings_test_calls/embedding.scp" in found["8"].outputs
    assert len(found["11"].outputs) == 3 * 2 * 4  # systems, test sets, kinds of scores
    assert found["12"].options == {"bootstrap": "1000"}


def test_an_option_without_a_value_does_not_count(plan_of: MakePlan) -> None:
    found = {each.stage.key: each for each in planned_stages(plan_of())}
    assert found["8"].options == {}


def test_what_is_read_if_it_is_there(plan_of: MakePlan, folder_corpus: list[str], tmp_path: Path) -> None:
    plan = plan_of(*folder_corpus, "--augment", "ondisk", "--data", tmp_path / "d")
    genders, speech = tmp_path / "my corpus/train.spk2gender", tmp_path / "d/musan_speech"

    def inputs() -> dict[str, tuple[str, ...]]:
        return {each.stage.key: each.inputs for each in planned_stages(plan)}

    assert str(genders) not in inputs()["0"] and str(speech) not in inputs()["2"]
    genders.write_text("")
    speech.mkdir(parents=True)
    assert str(genders) in inputs()["0"] and str(genders) in inputs()["1"] and str(speech) in inputs()["2"]


def test_markers_of_runs_before_the_declarations_still_hold(plan_of: MakePlan) -> None:
    """The names of options and files in a marker of the mini corpus, as its stages have always written them."""
    found = {each.stage.key: each for each in planned_stages(plan_of())}
    corpus = {"corpus": "mini", "size": "full", "seed": "-", "musan": "-", "rirs": "-", "trial_seed": "1"}
    assert (found["0"].options, found["0"].inputs) == (corpus, ("conf/mini_corpus.yaml",))
    assert found["1"].options == {"test_vad": "conf/vad.conf", "speed_perturb": "false"}
    assert found["5"].options == {"min_frames": "100", "min_utts": "2", "valid_share": "0.1", "seed": "1"}
    assert found["6"].inputs == ("conf/nnet/mini.yaml", "conf/augment/kaldi.yaml", "data/mini/fbank/lists_online")
    assert found["6"].outputs == ("exp/mini-mini/config.yaml", "exp/mini-mini/best.pt")
    assert found["10"].options == {"lda_dim": "50"}
    assert found["11"].options == {"cohort": "embeddings_train/spk_embedding.scp"}
