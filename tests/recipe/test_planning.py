"""recipe/planning.py: each rule of the recipe, by the plan that it leads to or the message that it ends with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from common.errors import InputError
from recipe.command_line import Given
from recipe.network import network_of
from recipe.plan import from_text, to_text
from recipe.planning import shell_word

from .conftest import MakePlan

LOGMEL = "features={type: logmel, config: conf/logmel.conf, dim: 80, vad: false}"
MASKS = "augment: {features: [{name: time_mask, probability: 0.3}]}\n"


def test_the_mini_corpus_by_default(plan_of: MakePlan) -> None:
    plan = plan_of()
    assert (plan.data, plan.exp, plan.feats) == ("data/mini", "exp/mini-mini", "data/mini/fbank")
    assert (plan.augment, plan.lists, plan.trained_on) == ("online", "data/mini/fbank/lists_online", "train")
    assert plan.overrides == ("training.seed=1", "data.source=audio", "augment=conf/augment/kaldi.yaml")
    assert (plan.first_stage, plan.last_stage, plan.min_frames) == (0, 12, 100)


def test_a_plan_survives_its_text_and_the_text_is_yaml(plan_of: MakePlan) -> None:
    plan = plan_of("--inference", "mode=windows window=150", "--nnet-opts", 'training.precision="float32"')
    plan = replace(plan, command="odd \udcff: {[#'\"\n")
    text = to_text(plan)
    assert from_text(text) == plan
    read = yaml.safe_load(text.replace("\\udcff", ""))
    assert read["inference"] == ["mode=windows", "window=150"] and read["options"]["bootstrap"] == 1000


@pytest.mark.parametrize(
    ("words", "exp", "base", "augmented"),
    [
        (["--augment", "ondisk"], "exp/mini-mini-ondisk", "train", ("data/mini/fbank/train_aug",)),
        (["--augment", "none"], "exp/mini-mini-none", "train", ()),
        (["--augment", "ondisk", "--speed-perturb", "true"], "exp/mini-mini-ondisk", "train_sp",
         ("data/mini/fbank/train_sp_aug",)),
    ],
)  # fmt: skip
def test_another_way_of_augmentation_has_its_own_experiment(
    plan_of: MakePlan, words: list[str], exp: str, base: str, augmented: tuple[str, ...]
) -> None:
    plan = plan_of(*words)
    assert (plan.exp, plan.base, plan.augmented, plan.augment_files) == (exp, base, augmented, ())
    assert (plan.prepared_first, plan.num_augmented) == (("train_combined",), "2x" if augmented else "0")
    assert "train_speed" in plan.featured or base == "train"


def test_copies_at_other_speeds_are_not_made_on_disk_if_training_makes_them(plan_of: MakePlan) -> None:
    assert not plan_of("--speed-perturb", "true").speed_perturb
    assert plan_of("--speed-perturb", "true", "--augment", "none").speed_perturb


def test_online_augmentation_that_the_experiment_excludes(
    plan_of: MakePlan, checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masked = tmp_path / "masked.yaml"
    masked.write_text((checkout / "conf/nnet/mini.yaml").read_text() + MASKS)
    for words, why in (
        (["--nnet-opts", LOGMEL], "has features.type logmel, of another rate"),
        (["--nnet-config", masked], "has a section augment, which that of --augment-config would replace"),
    ):
        assert plan_of(*words).augment == "ondisk"  # the corpus file asks for online
        assert f"{why}" in capsys.readouterr().err
        with pytest.raises(InputError, match=why):
            plan_of(*words, "--augment", "online")
        assert plan_of(*words, "--augment", "ondisk").augment == "ondisk"
        assert capsys.readouterr().err == ""


def test_an_experiment_that_reads_audio_has_its_own_augmentation(plan_of: MakePlan) -> None:
    wav = ("--nnet-opts=data.source=audio", "--nnet-opts=augment={audio: [{name: room, probability: 0.5}]}")
    plan = plan_of(*wav)
    assert (plan.augment, plan.augment_files, plan.exp) == ("online", (), "exp/mini-mini")
    assert "data.source=audio" in plan.overrides and "augment=conf/augment/kaldi.yaml" not in plan.overrides
    with pytest.raises(InputError, match=r"has data.source audio: it augments while it reads audio, so --augment none"):
        plan_of(*wav, "--augment", "none")
    with pytest.raises(InputError, match=r"of another rate than the audio"):
        plan_of("--nnet-opts=data.source=audio", "--nnet-opts", LOGMEL)


def test_the_default_augmentation_file_is_the_checkouts_even_if_the_caller_has_one(
    plan_of: MakePlan, checkout: Path, tmp_path: Path
) -> None:
    own = tmp_path / "conf/augment/kaldi.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert plan_of(called_from=tmp_path).augment_files == (f"{checkout}/conf/augment/kaldi.yaml",)


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        ([], 100),
        (["--nnet-opts", LOGMEL], 86),  # of 86.13 per second
        (["--min-seconds", ".505"], 51),
        (["--min-seconds", "5", "--min-frames", "70"], 70),
        (["--corpus", "voxceleb"], 400),
    ],
)
def test_the_least_length_is_in_frames_of_the_features(plan_of: MakePlan, words: list[str], frames: int) -> None:
    assert plan_of(*words).min_frames == frames


@pytest.mark.parametrize(
    ("words", "feats", "prepared"),
    [
        ([], "fbank", "fbank"),
        (["--nnet-opts", "features.cmvn=false"], "fbank", "fbank-nocmvn"),
        (["--nnet-opts", LOGMEL], "logmel", "logmel-novad"),
        (["--nnet-opts", "features={type: mfcc, config: conf/mfcc.conf, dim: 30}"], "mfcc", "mfcc"),
    ],
)
def test_directories_are_named_after_the_features(
    plan_of: MakePlan, words: list[str], feats: str, prepared: str
) -> None:
    plan = plan_of(*words)
    assert (plan.feats, plan.prepared) == (f"data/mini/{feats}", f"data/mini/{prepared}")


def test_features_called_as_the_mfcc_must_be_the_same(plan_of: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "mfcc.conf").write_text("--num-ceps=20\n")
    (tmp_path / "my own.conf").write_text("--num-ceps=20\n")
    with pytest.raises(InputError, match="give the file another name"):
        plan_of("--nnet-opts", f"features={{type: mfcc, config: {tmp_path}/mfcc.conf, dim: 20}}")
    plan = plan_of("--nnet-opts", f"features={{type: mfcc, config: '{tmp_path}/my own.conf', dim: 20}}")
    assert plan.feats == "data/mini/mfcc-my_own"
    with pytest.raises(InputError, match=r"features.dim is 31, and conf/fbank.conf gives fbank of 30 columns"):
        plan_of("--nnet-opts", "features.dim=31")


def test_a_vad_config_must_exist(plan_of: MakePlan) -> None:
    for option in ("--vad-config", "--test-vad-config"):
        with pytest.raises(InputError, match=r"not a file; choose one of: conf/vad.conf conf/vad_ivector.conf "):
            plan_of(option, "conf/vad_no.conf")
    assert plan_of("--vad-config", "conf/vad_relative.conf").test_vad_config == "conf/vad_relative.conf"


def test_a_folder_corpus(plan_of: MakePlan, folder_corpus: list[str], tmp_path: Path) -> None:
    plan = plan_of(*folder_corpus)
    root = f"{tmp_path}/my corpus"
    assert (plan.name, plan.data, plan.tests) == ("my_corpus", "data/my_corpus", ("test", "test_calls"))
    assert plan.audio_trees == (f"{root}/train/**", f"{root}/test/**", f"{root}/calls/**")
    assert plan.corpus_options == (f"train_root={root}/train", f"test_roots={root}/test {root}/calls", "spk2gender=-")
    assert plan.prepare[-4:] == ("--tests", "test test_calls", f"{root}/test", f"{root}/calls")
    assert plan.augment_files == ("conf/augment/strong.yaml",)
    for missing in ("--train-root", "--test-root"):
        index = folder_corpus.index(missing)
        words = [word for word in folder_corpus[:index] + folder_corpus[index + 2 :]]
        if missing not in words:
            with pytest.raises(InputError, match=r"--corpus folder needs --train-root and --test-root"):
                plan_of(*words)
    with pytest.raises(InputError, match="which is not a folder; expected <root>/<speaker>/"):
        plan_of("--corpus", "folder", "--train-root", f"{root}/none", "--test-root", root)


def test_audio_that_is_not_mounted_is_not_looked_for_by_a_later_stage_of_named_data(
    plan_of: MakePlan, tmp_path: Path
) -> None:
    words = ["--corpus", "folder", "--train-root", f"{tmp_path}/gone/train", "--test-root", f"{tmp_path}/gone/test"]
    assert plan_of(*words, "--name", "mine", "--stage", "6", "--trust-earlier").data == "data/mine"
    for others in (["--name", "mine"], ["--stage", "6"]):
        with pytest.raises(InputError, match="which is not a folder; expected <root>/<speaker>/"):
            plan_of(*words, *others)


def test_a_letter_outside_ascii_is_an_underscore_for_each_of_its_bytes(
    plan_of: MakePlan, checkout: Path, tmp_path: Path
) -> None:
    """As ${name//[^[:alnum:]._-]/_} has always named the data: in bash, with LC_ALL=C."""
    (tmp_path / "größe" / "train").mkdir(parents=True)
    plan = plan_of("--corpus", "folder", "--train-root", f"{tmp_path}/größe/train", "--test-root", tmp_path)
    assert plan.data == "data/gr____e"
    (tmp_path / "größe.conf").write_text((checkout / "conf/fbank.conf").read_text())
    plan = plan_of("--nnet-opts", f"features.config={tmp_path}/größe.conf")
    assert plan.feats == "data/mini/fbank-gr____e"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--mini-size", "tiny", "--mini-seed", "3"], "mini-tiny-seed3"),
        (["--corpus", "voxceleb"], "voxceleb"),
        (["--name", "mine"], "mine"),
    ],
)
def test_the_data_is_named_after_the_corpus(plan_of: MakePlan, words: list[str], name: str) -> None:
    plan = plan_of(*words)
    assert plan.data == f"data/{name}" and plan.exp.startswith(f"exp/{name}-")


def test_max_steps_shortens_longer_experiments_and_steps_of_the_command_line_win(
    plan_of: MakePlan, capsys: pytest.CaptureFixture[str]
) -> None:
    large = ("--nnet-config", "conf/nnet/lde3.yaml")
    plan = plan_of(*large, "--nnet-opts", "data.batch_size=16")
    assert {"training.steps=2000", "schedule.warmup_steps=800", "pooling.scale=0.1"} <= set(plan.overrides)
    assert plan.overrides[-1] == "data.batch_size=16"
    assert "asks for more than the 2000 steps of --max-steps, and is changed: training.steps" in capsys.readouterr().err
    assert plan_of(*large, "--max-steps", "-").overrides == plan_of().overrides
    assert "training.steps=2000" not in plan_of(*large, "--nnet-opts", "training.steps=4000").overrides
    most = plan_of(*large, "--nnet-opts", "training.steps=4000", "--max-steps", "50").overrides
    assert most[-2:] == ("training.steps=4000", "training.steps=50")


def test_epochs_of_the_command_line_win_over_steps_of_the_corpus_file_but_not_over_max_steps(
    plan_of: MakePlan, checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = ("--nnet-config", "conf/nnet/lde3.yaml")  # mini.conf has max_steps=2000
    for epochs in ("training.epochs=2", "training={epochs: 2}"):
        assert plan_of(*large, "--nnet-opts", epochs).overrides[-1] == epochs
        most = plan_of(*large, "--nnet-opts", epochs, "--max-steps", "50").overrides
        assert most[-2:] == (epochs, "training.most_steps=50") and "training.steps=50" not in most
    assert "is counted in epochs; if these are more than the 50 steps of --max-steps" in capsys.readouterr().err
    assert "training.steps=2000" in plan_of(*large, "--nnet-opts", "training.epochs=null").overrides
    counted = tmp_path / "counted.yaml"
    yaml_text = (checkout / "conf/nnet/lde3.yaml").read_text()
    counted.write_text(yaml_text.replace("training: {", "training: {epochs: 2, "))
    assert plan_of("--nnet-config", counted).overrides[-1] == "training.most_steps=2000"


def test_steps_and_epochs_of_one_precedence_are_refused(plan_of: MakePlan) -> None:
    both = ("--nnet-opts", "training.epochs=2", "--nnet-opts", "training.steps=100")
    found = "--nnet-opts training.epochs=2 and --nnet-opts training.steps=100 both give the length of the run; keep one"
    with pytest.raises(InputError, match=f"^{found}$"):
        plan_of(*both)
    assert plan_of(*both[2:], "--nnet-opts", "training.epochs=null").overrides[-1] == "training.epochs=null"


def test_steps_of_a_corpus_file_and_epochs_of_a_preset_differ_in_precedence(checkout: Path) -> None:
    given = Given(checkout, checkout)
    given.set("nnet_config", "conf/nnet/mini.yaml", "a.conf:1")
    given.set("nnet_opts", "training.steps=100", "a.conf:2")
    given.set("nnet_opts", "training.epochs=2", "b.conf:1")
    assert network_of(given).load().training.epochs == 2
    given.set("nnet_opts", "training.steps=30", "b.conf:2")
    found = "b.conf:1: nnet_opts=training.epochs=2 and b.conf:2: nnet_opts=training.steps=30 both give the length"
    with pytest.raises(InputError, match=found):
        network_of(given)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--nnet-opts", "optimizer.lr=0.1"], "--nnet-opts optimizer.lr=0.1: optimizer.lr is unknown"),
        (["--inference", "mode=window"], '--inference mode=window: inference.mode is "window"'),
        (["--seed", "9223372036854775808"], "--seed 9223372036854775808: training.seed"),
        (["--augment-config", "conf/augment/none.yaml"], "--augment-config conf/augment/none.yaml: names a file"),
    ],
)
def test_a_wrong_change_is_named_as_it_was_given(plan_of: MakePlan, words: list[str], says: str) -> None:
    with pytest.raises(InputError) as refusal:
        plan_of(*words)
    assert says in str(refusal.value)


def test_no_experiment_is_named_as_the_option_was_given(plan_of: MakePlan) -> None:
    with pytest.raises(InputError, match=r"^--nnet-config is -; give a file, e.g. conf/nnet/mini.yaml$"):
        plan_of("--nnet-config", "-")


def test_an_imported_network_keeps_its_config_and_needs_no_training(
    plan_of: MakePlan, checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text((checkout / "conf/nnet/mini.yaml").read_text())
    (tmp_path / "imported.yaml").write_text("")
    plan = plan_of("--exp", tmp_path, "--mini-size", "tiny", "--augment", "online", "--speed-perturb", "true")
    assert (plan.nnet_config, plan.passed_over) == (f"{tmp_path}/config.yaml", (2, 3, 4, 5, 6))
    assert (plan.overrides, plan.speed_perturb, plan.augment) == (("training.seed=1",), False, "ondisk")
    with pytest.raises(InputError, match="holds an imported network with its own config"):
        plan_of("--exp", tmp_path, "--nnet-config", "conf/nnet/mini.yaml")
    with pytest.raises(InputError, match=r"--nnet-opts changes nothing of the imported network"):
        plan_of("--exp", tmp_path, "--nnet-opts", "training.steps=3")


@pytest.mark.parametrize(("word", "text"), [("a/b=c,d", "a/b=c,d"), ("a b", "'a b'"), ("it's", "'it'\\''s'")])
def test_the_command_is_written_as_a_shell_reads_it(word: str, text: str) -> None:
    assert shell_word(word) == text


def test_the_modules_that_every_start_imports_need_no_numpy(checkout: Path) -> None:
    code = "import sys, recipe.planning, recipe.run_state; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=checkout, check=False).returncode == 0
