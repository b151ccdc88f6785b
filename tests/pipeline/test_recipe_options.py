"""Options of ./pipeline.sh: a wrong one is reported with the choices before anything is touched."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .conftest import Done, Place, Recipe, environment


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--nnet-confg", "x"], "--nnet-confg is unknown; choose from: --stage --stop-stage --corpus"),
        (["--augment", "offline"], '--augment is "offline"; choose one of: none, ondisk, online'),
        (["--asnorm-cohort", "copies"], '--asnorm-cohort is "copies"; choose one of: speakers, utterances'),
        (["--device", "gpu"], '--device is "gpu"; expected auto, cpu, cuda or cuda:<n>'),
        (["--inference", "windows"], '--inference has "windows"; expected key=value, e.g. "mode=windows'),
        (["--max-steps", "0"], '--max-steps is "0"; expected an integer >= 1, or - for no limit'),
        (["--bogus=1"], "--bogus is unknown; choose from:"),
        (["--corpus", "librispeech"], '--corpus is "librispeech"; choose one of: folder, mini, voxceleb'),
        (["--mini-size", "huge"], '--mini-size is "huge"; choose one of: full, tiny'),
        (["--stage", "13"], '--stage is "13"; expected an integer >= 0 and <= 12'),
        (["--stop-stage", "-1"], '--stop-stage is "-1"; expected an integer >= 0 and <= 12'),
        (["--nj", "two"], '--nj is "two"; expected an integer >= 1'),
        (["--max-loss", "5"], '--max-loss is "5"; expected a number >= 0 and <= 1'),
        (["--min-seconds", "1 s"], '--min-seconds is "1 s"; expected a number >= 0'),
        (["--min-frames", "1.5"], '--min-frames is "1.5"; expected an integer >= 0, or -'),
        (["--valid-share", "1.5"], '--valid-share is "1.5"; expected a number >= 0 and <= 0.5'),
        (["--num-augmented", "x2"], '--num-augmented is "x2"; expected an integer >= 0, or e.g. 2x'),
        (["--speed-perturb", "yes"], '--speed-perturb is "yes"; expected true or false'),
        (["--force=perhaps"], '--force is "perhaps"; expected true or false'),
        (["--seed"], "--seed needs a value"),
        (["mini"], 'found "mini", expected an option'),
        (["--corpus", "folder"], "--corpus folder needs --train-root and --test-root"),
        (["--corpus", "folder", "--train-root", "/nowhere/train"], "/nowhere/train, which is not a folder"),
        (["--corpus", "voxceleb"], "--voxceleb1-root is needed"),
        (["--nnet-config", "conf/nnet/none.yaml"], "conf/nnet/none.yaml"),
        (["--vad-config", "conf/vad_no.conf"], "conf/vad.conf conf/vad_ivector.conf conf/vad_relative.conf"),
        (["--nnet-opts", "pooling.name=lda"], 'pooling "lda" is unknown; choose one of: '),
        (["--inference", "step=5 mode=window"], 'inference.mode is "window"; choose one of: '),
    ],
)
def test_a_wrong_option_is_reported_and_nothing_is_touched(
    recipe: Recipe, tmp_path: Path, options: list[str], says: str
) -> None:
    data, exp = tmp_path / "data", tmp_path / "exp"
    done = recipe("--data", data, "--exp", exp, *options, code=1)
    assert says in done.stderr
    assert not exp.exists()
    assert not (data / "train").exists()


@pytest.mark.parametrize(
    ("override", "choices"),
    [("training.step=4", ("save_every", "steps", "valid_every")), ("poolin.name=lde", ("encoder", "loss", "pooling"))],
)
def test_a_misspelt_key_names_the_override_and_the_choices(
    recipe: Recipe, tmp_path: Path, override: str, choices: tuple[str, ...]
) -> None:
    message = recipe("--data", tmp_path / "data", "--nnet-opts", override, code=1).stderr
    assert override.partition("=")[0].split(".")[-1] in message
    assert all(choice in message for choice in choices)


def test_a_misspelt_key_in_the_yaml_names_the_file_and_the_choices(recipe: Recipe, root: Path, tmp_path: Path) -> None:
    config = tmp_path / "misspelt.yaml"
    config.write_text((root / "conf/nnet/mini.yaml").read_text().replace("batch_size:", "batchsize:"))
    message = recipe("--data", tmp_path / "data", "--nnet-config", config, code=1).stderr
    assert str(config) in message
    assert "batchsize" in message
    assert "batch_size" in message.split("choose one of")[1]


def test_help_lists_every_option_and_stage(recipe: Recipe) -> None:
    done = recipe("--help")
    assert done.stderr == ""
    for text in ("--nnet-config", "--dry-run", "--max-loss", "0 corpus", "12 results", "KALDI_ROOT"):
        assert text in done.stdout


def test_dry_run_reports_stages_inputs_outputs_and_sizes_and_runs_nothing(recipe: Recipe, fresh: Place) -> None:
    done = recipe(*fresh.options("--dry-run"))
    stages = re.findall(r"^stage (\d+): .* -> ", done.stdout, re.MULTILINE)
    assert [int(number) for number in dict.fromkeys(stages)] == [*range(13)]
    assert re.search(rf"input   {fresh.corpus}/train/\*\* \(\d+(\.\d+)?[KMG]?\)", done.stdout)
    assert re.search(rf"output  {fresh.data}/train \(not there yet\)", done.stdout)
    assert "option  lda_dim=50" in done.stdout
    assert not fresh.data.exists()
    assert not fresh.exp.exists()


def test_nnet_opts_change_the_augmentation_of_the_file_too(recipe: Recipe, fresh: Place) -> None:
    plan = recipe(*fresh.options("--dry-run", "--nnet-opts=augment.speed=null", augment=None)).stdout
    overrides = re.search(r"option  overrides=(.*)", plan)[1].split()
    assert overrides.index("augment=conf/augment/strong.yaml") < overrides.index("augment.speed=null")


def test_a_section_augment_is_not_replaced_unseen(recipe: Recipe, fresh: Place, tmp_path: Path, root: Path) -> None:
    config = tmp_path / "masked.yaml"
    masks = "augment: {features: [{name: time_mask, probability: 0.3}]}\n"
    config.write_text((root / "conf/nnet/mini.yaml").read_text() + masks)
    dry = ("--dry-run", "--nnet-config", config)
    message = recipe(*fresh.options(*dry, augment="online"), code=1).stderr
    assert f"{config} has a section augment, which that of --augment-config would replace" in message
    assert "stage 6:" in recipe(*fresh.options(*dry, augment="ondisk")).stdout


LIBROSA = "features={type: librosa_mfcc, config: conf/librosa_mfcc.conf, dim: 40, cmvn: false, vad: false}"
LOGMEL = "features={type: logmel, config: conf/logmel.conf, dim: 80, vad: false}"


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ((), 100),  # 1 s of fbank
        ((f"--nnet-opts={LIBROSA}",), 31),  # 31.25
        ((f"--nnet-opts={LOGMEL}",), 86),  # 86.13
        ((f"--nnet-opts={LIBROSA}", "--min-seconds=3.2"), 100),
        (("--min-seconds", ".5", "--nnet-opts=features.config=conf/fbank80.conf", "--nnet-opts=features.dim=80"), 50),
        ((f"--nnet-opts={LIBROSA}", "--min-frames=70", "--min-seconds=5"), 70),
        (("--corpus", "voxceleb"), 400),  # Kaldi's
    ],
)
def test_the_least_length_of_training_utterances_is_reported_in_seconds_or_in_frames(
    recipe: Recipe, tmp_path: Path, options: tuple[str, ...], frames: int
) -> None:
    plan = recipe("--dry-run", "--data", tmp_path / "data", "--exp", tmp_path / "exp", *options).stdout
    assert f"    option  min_frames={frames}\n" in plan


def test_seconds_on_the_command_line_win_over_frames_of_the_corpus_file(recipe: Recipe, own_checkout: Path) -> None:
    conf = own_checkout / "conf" / "pipeline" / "mini.conf"
    conf.write_text(conf.read_text() + "min_frames=70\n")
    assert "option  min_frames=70\n" in recipe("--dry-run", where=own_checkout).stdout
    assert "option  min_frames=200\n" in recipe("--dry-run", "--min-seconds=2", where=own_checkout).stdout


def test_an_option_file_of_features_that_is_not_there_is_reported(recipe: Recipe, tmp_path: Path) -> None:
    done = recipe("--data", tmp_path / "data", "--nnet-opts=features.config=conf/fbank.no", code=1)
    assert "features.config: " in done.stderr and "conf/fbank.no" in done.stderr


def test_folder_corpora_have_copies_on_disk_where_training_cannot_make_them(
    recipe: Recipe, fresh: Place, tmp_path: Path, root: Path
) -> None:
    config = tmp_path / "masked.yaml"
    masks = "augment: {features: [{name: time_mask, probability: 0.3}]}\n"
    config.write_text((root / "conf/nnet/mini.yaml").read_text() + masks)
    for given, why in (
        (f"--nnet-opts={LOGMEL}", "has features.type logmel, of another rate than the audio"),
        (f"--nnet-config={config}", "has a section augment, which that of --augment-config would replace"),
    ):
        done = recipe(*fresh.options("--dry-run", given, augment=None))
        changed = [line for line in done.stderr.splitlines() if "copies are made on disk instead" in line]
        assert len(changed) == 1 and why in changed[0]
        assert "stage 2: " in done.stdout and "data.source=audio" not in done.stdout
        assert why in recipe(*fresh.options("--dry-run", given, augment="online"), code=1).stderr
        assert "made on disk instead" not in recipe(*fresh.options("--dry-run", given, augment="ondisk")).stderr
    wav = ("--dry-run", f"--nnet-opts={LOGMEL}", "--nnet-opts=data.source=audio")
    assert "of another rate than the audio" in recipe(*fresh.options(*wav, augment=None), code=1).stderr


@pytest.mark.parametrize("way", ["ondisk", "online"])
def test_the_list_of_rooms_is_an_input(recipe: Recipe, fresh: Place, way: str) -> None:
    plan = recipe(*fresh.options("--dry-run", augment=way)).stdout
    stage = {"ondisk": "2", "online": "5"}[way]
    assert f"input   {fresh.data}/rir_list " in re.search(rf"^stage {stage}:.*?(?=^stage)", plan, re.M | re.S)[0]


def test_dry_run_ends_at_the_stop_stage(recipe: Recipe, fresh: Place) -> None:
    assert "stage 5:" not in recipe(*fresh.options("--dry-run", "--stop-stage", "4")).stdout


def test_the_command_line_wins_over_the_corpus_file_and_that_over_the_defaults(
    recipe: Recipe, own_checkout: Path, tmp_path: Path
) -> None:
    conf = own_checkout / "conf" / "pipeline" / "mini.conf"
    conf.write_text(conf.read_text() + f"seed = 7\nbootstrap=30\nexp = {tmp_path}/elsewhere  # a comment\n")
    from_file = recipe("--dry-run", where=own_checkout).stdout
    for text in ("option  seed=7", "option  bootstrap=30", f"{tmp_path}/elsewhere/best.pt", "option  lda_dim=50"):
        assert text in from_file
    from_line = recipe("--dry-run", "--seed", "1", "--lda-dim=20", where=own_checkout).stdout
    assert all(text in from_line for text in ("option  seed=1", "option  bootstrap=30", "option  lda_dim=20"))


@pytest.mark.parametrize(
    ("line", "says"),
    [("colour=red", "--colour is unknown; choose from:"), ("seed", 'found "seed", expected key=value'),
     ("seed=x", '--seed is "x"')],
)  # fmt: skip
def test_a_wrong_line_of_the_corpus_file_is_reported_by_file_and_line(
    recipe: Recipe, own_checkout: Path, line: str, says: str
) -> None:
    (own_checkout / "conf" / "pipeline" / "mini.conf").write_text(f"nnet_config=conf/nnet/mini.yaml\n{line}\n")
    message = recipe("--dry-run", code=1, where=own_checkout).stderr
    assert f"conf/pipeline/mini.conf:2: {says}" in message


def test_the_mini_corpus_is_augmented_online_and_another_way_has_an_experiment_of_its_own(recipe: Recipe) -> None:
    own = recipe("--dry-run").stdout
    assert "stage 6: conf/nnet/mini.yaml -> exp/mini-mini\n" in own and "stage 2:" not in own
    for way, stages in (("ondisk", True), ("none", False)):
        other = recipe("--dry-run", "--augment", way).stdout
        assert f"-> exp/mini-mini-{way}\n" in other and ("stage 2:" in other) is stages


def overrides_of(plan: str) -> list[str]:
    return re.search(r"option  overrides=(.*)", plan)[1].split()


def test_a_network_for_large_corpora_trains_in_fewer_steps_on_the_mini_corpus(recipe: Recipe) -> None:
    dry = ("--dry-run", "--nnet-config", "conf/nnet/lde3.yaml")
    done = recipe(*dry, "--nnet-opts", "data.batch_size=16")
    changes = overrides_of(done.stdout)
    assert {"training.steps=2000", "data.chunk_frames=[100,200]", "schedule.warmup_steps=800"} <= set(changes)
    assert "data.batch_size=32" not in changes and changes[-1] == "data.batch_size=16"  # as the command line has it
    assert "asks for more than the 2000 steps of --max-steps, and is changed: training.steps=2000" in done.stderr
    assert "training.steps=300" in overrides_of(recipe(*dry, "--max-steps", "300").stdout)
    for whole in (("--max-steps", "-"), ("--nnet-opts", "training.steps=4000")):
        changes = overrides_of(recipe(*dry, *whole).stdout)
        assert not [each for each in changes if each.startswith(("data.chunk_frames", "schedule."))]


TINY = ("--dry-run", "--mini-size", "tiny")


@pytest.mark.parametrize(
    ("options", "steps", "valid_every"),
    [
        ((), "60", "30"),  # conf/pipeline/mini-tiny.conf
        (("--nnet-opts", "encoder.width=64"), "60", "30"),
        (("--nnet-opts", "training.steps=40"), "40", "30"),
        (("--max-steps", "12", "--nnet-opts", "training.valid_every=5"), "12", "5"),
        (("--max-steps", "12", "--nnet-opts", "training.steps=50"), "12", "2"),
        (("--max-steps", "50", "--nnet-opts", "training.steps=12"), "12", "30"),
    ],
)
def test_options_of_the_network_are_added_to_the_corpus_files_and_win_key_by_key(
    recipe: Recipe, options: tuple[str, ...], steps: str, valid_every: str
) -> None:
    last = dict(each.split("=", 1) for each in overrides_of(recipe(*TINY, *options).stdout))
    assert (last["training.steps"], last["training.valid_every"]) == (steps, valid_every)
    assert last.get("encoder.width", "64") == "64"


def test_both_sizes_of_the_mini_corpus_augment_while_training_reads(recipe: Recipe) -> None:
    for plan in (recipe(*TINY).stdout, recipe("--dry-run").stdout):
        assert {"data.source=audio", "augment=conf/augment/kaldi.yaml"} <= set(overrides_of(plan))
        assert "stage 2:" not in plan and "lists_online" in plan


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--nnet-opts=optimizer.lr=0.1"], "--nnet-opts optimizer.lr=0.1: optimizer.lr is unknown; the learning rate"),
        (["--nnet-opts", "trainin.steps=3"], "--nnet-opts trainin.steps=3: expected section.key=value"),
        (["--nnet-opts", "encoder.width=["], "--nnet-opts encoder.width=[:1: "),
        (["--nnet-opts", "augment=conf/augment/strnog.yaml"], '--nnet-opts augment=conf/augment/strnog.yaml: names a'),
        (["--inference", "step=5 mode=window"], '--inference mode=window: inference.mode is "window"'),
        (["--augment-config", "conf/augment/kaldy.yaml"],
         '--augment-config conf/augment/kaldy.yaml: names a file that cannot be used: conf/augment/kaldy.yaml: cannot'),
        (["--nnet-config", "conf/nnet/ldee3.yaml"], 'no such file; did you mean "conf/nnet/lde3.yaml"? choose one'),
        (["--nnet-config", "lde33"], 'did you mean "conf/nnet/lde3.yaml"? choose one of: conf/nnet/lde3.yaml, conf/'),
        (["--nnet-opts", "data.source=feats"], "kaldi.yaml: augment.audio changes audio, but data.source is feats"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_as_it_was_given(recipe: Recipe, options: list[str], says: str) -> None:
    message = recipe("--dry-run", *options, code=1).stderr
    assert says in message and "--set" not in message, message


def test_what_the_corpus_file_changes_wrongly_is_named_by_file_and_line(recipe: Recipe, own_checkout: Path) -> None:
    conf = own_checkout / "conf" / "pipeline" / "mini.conf"
    conf.write_text("nnet_config=conf/nnet/mini.yaml\nnnet_opts=training.num_epochs=3\n")
    message = recipe("--dry-run", "--nnet-opts", "training.steps=5", code=1, where=own_checkout).stderr
    line = "conf/pipeline/mini.conf:2: nnet_opts=training.num_epochs=3"
    assert f"{line}: training.num_epochs is unknown; the length" in message


def call_from(folder: Path, checkout: Path, *options: str, code: int = 0) -> Done:
    """./pipeline.sh --dry-run, called from another directory."""
    command = [str(checkout / "pipeline.sh"), "--dry-run", *options]
    done = subprocess.run(command, cwd=folder, env=environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_configs_of_the_checkout_work_from_any_directory(recipe: Recipe, checkout: Path, tmp_path: Path) -> None:
    options = ("--nnet-config", "conf/nnet/lde3.yaml", "--vad-config", "conf/vad_relative.conf")
    options += ("--augment-config", "conf/augment/strong.yaml", "--nnet-opts", "features.config=conf/fbank80.conf")
    options += ("--nnet-opts", "features.dim=80")
    here = recipe("--dry-run", *options).stdout
    assert "conf/fbank80.conf" in here and "conf/vad_relative.conf" in here
    assert call_from(tmp_path, checkout, *options).stdout == here
    message = call_from(tmp_path, checkout, "--nnet-config=ecap.yaml", code=1).stderr
    assert 'did you mean "conf/nnet/ecapa.yaml"' in message


def test_the_callers_own_configs_come_before_those_of_the_checkout(root: Path, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    for name in ("fbank", "vad"):
        (tmp_path / "conf" / f"{name}.conf").write_text((root / "conf" / f"{name}.conf").read_text())
    (tmp_path / "own.yaml").write_text((root / "conf" / "nnet" / "mini.yaml").read_text() + "augment: mine.yaml\n")
    (tmp_path / "mine.yaml").write_text("features: [{name: time_mask}]\n")
    own, vad = f"input   {tmp_path}/conf/fbank.conf ", f"input   {tmp_path}/conf/vad.conf "
    done = call_from(tmp_path, checkout, "--nnet-config=own.yaml", "--vad-config=conf/vad.conf")
    assert f"{tmp_path}/own.yaml has a section augment" in done.stderr
    assert all(text in done.stdout for text in (own, vad, f"input   {tmp_path}/own.yaml "))
    plan = call_from(tmp_path, checkout).stdout  # a YAML and a corpus file of the checkout mean the checkout's files
    assert "input   conf/fbank.conf " in plan and "input   conf/vad.conf " in plan and str(tmp_path) not in plan
    changes = ("--nnet-opts=features.config=conf/fbank.conf", "--nnet-opts=features.dim=13")  # of MFCC by this file
    plan = call_from(tmp_path, checkout, *changes, "--corpus=voxceleb").stdout
    assert own in plan


@pytest.mark.parametrize("option", ["data", "exp"])
def test_a_place_that_cannot_be_written_to_is_named_once_before_anything_runs(
    recipe: Recipe, fresh: Place, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("")  # a place below a file is refused to root too
    done = recipe(*fresh.options(**{option: f"{tmp_path}/file/below"}), code=1)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("environment: ")]
    assert lines == [
        f"pipeline.sh: --{option} is {tmp_path}/file/below: {tmp_path}/file is not a directory;"
        f" give another --{option}, or fix that"
    ]
    assert not fresh.data.exists() and not fresh.exp.exists()
