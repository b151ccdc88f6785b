"""Shorter runs: the same course in fewer steps, and nothing changed where a run is short already."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnet.config.experiment import load
from nnet.config.shortening import shortened, smaller_batch
from nnet.shorten import main
from tests.nnet.helpers.refusals import refusal

CONF = Path(__file__).resolve().parents[2] / "conf" / "nnet"
# What --max-steps changes of each YAML: steps -> rows of a batch, chunk, and what else counts in steps.
ATT = {300: "32 [100,200] warmup_steps=120 factor=0.1225", 2000: "32 [100,200] warmup_steps=800 factor=0.3162"}
LDE = {steps: f"{words} pooling.scale=0.1" for steps, words in ATT.items()}
LONG = {300: "32 [100,200]", 2000: "32 [100,200]"}
WARMED_UP = {300: "32 [100,200] warmup_steps=30", 2000: "32 [100,200] warmup_steps=200"}
CHANGES: dict[str, dict[int, str]] = {
    "att": ATT,
    "bilstm_triplet": {300: "30 [31,60]", 2000: ""},
    "convgru_ge2e": {300: "32 [75,150]", 2000: ""},
    "ecapa": LONG,
    "gru_ge2e": {300: "32 [86,172]", 2000: ""},
    **{f"lde{row}": LDE for row in range(1, 8)},
    "mini": {300: "32 [100,200]", 2000: ""},
    "mini_large_margin": {300: "", 2000: ""},
    "resnet18_attentive": LONG,
    **dict.fromkeys(("resnet18_aam", "resnet18_lde_aam", "resnet34_aam", "resnet34_lde_aam"), LONG),
    "small": LONG,
    "transformer_ge2e": {300: "30 [64,96] base_steps=200", 2000: ""},
    "transformer_triplet": {300: "32 [31,60]", 2000: ""},
    "xvector": WARMED_UP,
    "xvector_asoftmax": LONG,
    "xvector_attentive": WARMED_UP,
}


def words(config: Path, steps: int, *settings: str) -> list[str]:
    """`section.key=value` of a YAML in fewer steps."""
    return [f"{key}={value}" for key, value in shortened(load(config, settings), steps).items()]


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [("gru_ge2e", 31, 28), ("gru_ge2e", 1, 8), ("gru_ge2e", 1000, 64), ("bilstm_triplet", 11.9, 9), ("mini", 0.1, 2)],
)
def test_smaller_batches_hold_whole_groups(root: Path, name: str, rows: float, expected: int) -> None:
    assert smaller_batch(load(root / "conf" / "nnet" / f"{name}.yaml").data, rows) == expected


@pytest.mark.parametrize("steps", [300, 2000])
@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_yaml_changes_as_it_always_did(path: Path, steps: int) -> None:
    expected = []
    if CHANGES[path.stem][steps]:
        rows, chunk, *scheduled = CHANGES[path.stem][steps].split()
        every = {300: 50, 2000: 333}[steps]
        training = (f"steps={steps}", f"valid_every={every}", f"save_every={every}", "log_every=20")
        expected = [f"training.{word}" for word in training]
        expected += [f"data.batch_size={rows}", f"data.chunk_frames={chunk}"]
        expected += [word if word.startswith("pooling.") else f"schedule.{word}" for word in scheduled]
    assert words(path, steps) == expected


def test_a_margin_that_grows_within_a_sum_is_shortened_too() -> None:
    grows = "loss={name: sum, losses: [{name: aam, margin_steps: [600, 1200]}, {name: ge2e}]}"
    changed = words(CONF / "convgru_ge2e.yaml", 120, grows)
    assert " " not in changed[-1]
    loss = load(CONF / "convgru_ge2e.yaml", [grows, *changed]).loss
    assert [getattr(each.options, "margin_steps", None) for each in loss.losses] == [(60, 120), None]


def test_a_run_of_no_more_steps_keeps_all(root: Path) -> None:
    for name in ("mini", "gru_ge2e", "transformer_triplet"):
        path = root / "conf" / "nnet" / f"{name}.yaml"
        steps = load(path).training.steps
        assert words(path, steps) == [] != words(path, steps - 1)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("conf/nnet/*.yaml")), ids=lambda path: path.stem)
def test_what_is_changed_of_a_yaml_can_be_read(path: Path) -> None:
    changed = words(path, 120)
    config = load(path, changed)
    assert config.training.steps == 120 and config.data.batch_size <= 32
    assert config.training.valid_every == config.training.save_every == 20
    # 2 s at most: of Kaldi's features 200 frames, of librosa's MFCC (32 ms) 62, of log mels (11.6 ms) 172.
    assert config.data.chunk_frames[1] <= {"librosa_mfcc": 62, "logmel": 172}.get(config.features.type, 200)
    assert all(" " not in change for change in changed)  # so that a stage's marker can be read back by people


def test_rates_take_the_same_course_in_fewer_steps_and_annealing_keeps_its_own(root: Path) -> None:
    path = root / "conf" / "nnet" / "lde4.yaml"
    long, short = load(path), load(path, words(path, 1000))
    # Noam's peak stays; its warm-up, 4 % of the run, takes four tenths.
    assert short.schedule.warmup_steps == 400
    assert short.schedule.lr(400, 1000) == pytest.approx(long.schedule.lr(8000, 200000), rel=1e-3)  # four digits
    assert short.loss == long.loss
    assert short.data.chunk_frames == (100, 200)
    assert "schedule.base_steps=4" in words(root / "conf/nnet/transformer_ge2e.yaml", 600, "training.steps=60000")
    margin = words(root / "conf/nnet/resnet34_aam.yaml", 1000, "loss.margin_steps=[20000, 40000]")
    assert "loss.margin_steps=[100,200]" in margin


def test_the_program_prints_settings_or_what_is_wrong(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(root / "conf" / "nnet" / "xvector.yaml")
    main(["--config", path, "--max-steps", "300", "--set", "data.batch_size=16"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["training.steps=300", "training.valid_every=50"] and "data.batch_size=16" in lines
    message = refusal(main, ["--config", path, "--max-steps", "300", "--set", "data.batch=16"])
    assert message.startswith("--set data.batch=16: data.batch is unknown")
    with pytest.raises(SystemExit, match="1"):
        main(["--config", path, "--max-steps", "0"])
