"""The contracts of a network's parts, tried on each entry of the tables; and one file and one line add a pooling."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from common.options import OptionSet, part_of, range_of, sentence_of
from nnet.augment import AUDIO_STEPS, FEATURE_STEPS
from nnet.encoders import ENCODERS
from nnet.losses import LOSSES, SumOptions, WeightedLoss
from nnet.parts import Encoder, Loss, Pooling
from nnet.pooling import POOLINGS
from nnet.training.optimizer_options import OPTIMIZERS
from nnet.training.schedules import SCHEDULES

TABLES: dict[str, Any] = {
    "encoder": ENCODERS,
    "pooling": POOLINGS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "audio step": AUDIO_STEPS,
    "feature step": FEATURE_STEPS,
}
ENTRIES = [
    pytest.param(kind, id=f"{section}-{name}") for section, table in TABLES.items() for name, kind in table.items()
]
LABELS = {"any": [0, 1, 2, 3, 1, 0], "groups": [0, 0, 0, 2, 2, 2], "triplets": [0, 0, 1, 3, 3, 2]}
SUMMANDS = (WeightedLoss(LOSSES["aam"]()), WeightedLoss(LOSSES["ge2e"](), 0.5))
EVERY_LOSS = {name: SumOptions(SUMMANDS) if name == "sum" else kind() for name, kind in LOSSES.items()}
IN_DIM = 30


def encoder_of(name: str) -> Encoder:
    torch.manual_seed(0)
    encoder: Encoder = part_of(ENCODERS[name]())(ENCODERS[name](), IN_DIM)
    return encoder.eval()


@pytest.mark.parametrize("kind", ENTRIES)
def test_every_option_has_a_sentence_and_a_default_within_its_range(kind: type[Any]) -> None:
    assert issubclass(kind, OptionSet)
    for field in fields(kind):
        assert sentence_of(field), field.name
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert field.default in range_of(field)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_keeps_its_contract(name: str) -> None:
    encoder = encoder_of(name)
    assert isinstance(encoder, Encoder)
    shortest, longest = encoder.min_frames, encoder.min_frames + 9
    lengths = torch.tensor([longest, shortest])
    feats = torch.randn(2, longest, IN_DIM)
    feats[1, shortest:] = float("nan")
    with torch.no_grad():
        frames, out_lengths = encoder(feats, lengths)
        alone, _ = encoder(feats[1:, :shortest], lengths[1:])
    assert frames.shape == (2, int(out_lengths.max()), encoder.out_dim)
    assert int(out_lengths.min()) >= 1 and (not encoder.one_vector or out_lengths.tolist() == [1, 1])
    # float32 through up to 62 layers; sums of another length may be grouped otherwise.
    torch.testing.assert_close(frames[1, : out_lengths[1]], alone[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", [name for name in ENCODERS if encoder_of(name).min_frames > 1])
def test_an_encoder_lengthens_or_refuses_an_utterance_that_is_too_short(name: str) -> None:
    encoder = encoder_of(name)
    short = encoder.min_frames - 1
    feats, lengths = torch.randn(1, short, IN_DIM), torch.tensor([short])
    if encoder.pads_short:
        assert encoder(feats, lengths)[0].isfinite().all()
    else:
        with pytest.raises(ValueError, match=f"has {short} frames"):
            encoder(feats, lengths)


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_a_loss_keeps_its_contract(name: str) -> None:
    torch.manual_seed(0)
    options = EVERY_LOSS[name]
    loss: Loss = part_of(options)(options, 8, 4)
    assert isinstance(loss, Loss)
    assert {*loss.scale_invariant, *loss.undecayed} <= {name for name, _ in loss.named_parameters()}
    inputs = torch.randn(6, 8, requires_grad=True)
    value, hits = loss(inputs, torch.tensor(LABELS[options.balance]), 1)
    value.backward()
    assert value.shape == () and value.isfinite()
    assert hits.dim() == 1 and hits.dtype == torch.bool
    assert inputs.grad is not None and inputs.grad.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in loss.parameters())


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_fewer_steps_takes_the_same_course(name: str) -> None:
    schedule = SCHEDULES[name]()
    short = schedule.shortened(50_000, 5_000)
    assert type(short) is type(schedule)
    for share in (0.1, 0.2, 0.5, 0.9):
        long_rate = schedule.lr(round(share * 50_000), 50_000)
        # The step of a run of a tenth of the length stands for ten; 1e-2 is what that rounding changes at the most.
        assert short.lr(round(share * 5_000), 5_000) == pytest.approx(long_rate, rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_a_loss_that_does_not_count_in_steps_stays_what_it_is_in_a_shorter_run(name: str) -> None:
    assert EVERY_LOSS[name].shortened(1000, 10) == EVERY_LOSS[name]


def test_a_margin_grows_at_the_same_places_of_a_shorter_run_alone_and_in_a_sum() -> None:
    growing = LOSSES["aam"](margin_steps=(100, 400))  # type: ignore[call-arg]
    shorter = growing.shortened(1000, 100)
    assert shorter == LOSSES["aam"](margin_steps=(10, 40))  # type: ignore[call-arg]
    assert SumOptions((WeightedLoss(growing, 0.5),)).shortened(1000, 100).losses == (WeightedLoss(shorter, 0.5),)


class Halves(Pooling):
    """A pooling with a misspelt attribute."""

    def __init__(self, options: object, in_dim: int) -> None:
        super().__init__(outdim=in_dim)  # type: ignore[call-arg]

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return frames[:, 0]


class Unfinished(Encoder):
    """An encoder without `forward`."""


def test_a_misspelt_or_missing_attribute_is_an_error_at_once() -> None:
    with pytest.raises(TypeError, match="outdim"):
        Halves(None, 3)
    with pytest.raises(TypeError, match="abstract"):
        Unfinished(out_dim=3)  # type: ignore[abstract]
    with pytest.raises(AttributeError, match="max_frame"):
        _ = encoder_of("tdnn").max_frame


def test_no_attribute_of_a_part_is_read_with_a_default(root: Path) -> None:
    for path in sorted((root / "nnet").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        with_default = [call for call in calls if getattr(call.func, "id", "") == "getattr" and len(call.args) > 2]
        assert not with_default, f"{path}:{with_default[0].lineno}"


def test_the_tables_load_without_torch(root: Path) -> None:
    modules = "nnet.encoders, nnet.pooling, nnet.losses, nnet.augment, nnet.training.schedules"
    code = f"import sys, {modules}, nnet.training.optimizer_options; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


NEW_FILE = '''"""The greatest value of each channel."""

from __future__ import annotations

import torch

from nnet.masks import frame_mask
from nnet.parts import Pooling
from nnet.pooling import PoolingOptions


class MaximumPooling(Pooling):
    """(B, T, C) → (B, C)."""

    def __init__(self, options: PoolingOptions, in_dim: int) -> None:
        super().__init__(out_dim=in_dim)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Over each utterance's own frames. Args: frames (B, T, C); lengths (B,), on the CPU."""
        mask = frame_mask(lengths, frames.shape[1], frames.device)
        return (frames if mask is None else frames.masked_fill(~mask[:, :, None], -torch.inf)).amax(dim=1)
'''
NEW_LINE = '    "maximum": PoolingOptions.without_options("nnet.pooling.maximum:MaximumPooling", "Maximum."),\n'
PACKAGES = ("common", "conf", "minikaldi", "nnet", "scoring", "tests/nnet")


@pytest.mark.slow
def test_one_file_one_line_and_a_yaml_add_a_pooling(root: Path, tmp_path: Path) -> None:
    for name in PACKAGES:
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/__init__.py", "tests/conftest.py", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "nnet/pooling/maximum.py").write_text(NEW_FILE)
    table = tmp_path / "nnet/pooling/__init__.py"
    table.write_text(table.read_text().replace('    "first":', f'{NEW_LINE}    "first":'))
    yaml = (root / "conf/nnet/mini.yaml").read_text().replace("{name: statistics}", "{name: maximum}")
    (tmp_path / "conf/nnet/maximum.yaml").write_text(yaml)

    def run(*command: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    assert run("nnet.config", "--config", "conf/nnet/maximum.yaml", "--get", "pooling.name") == "maximum\n"
    assert "pooling: {name: maximum}" in run("nnet.config", "--list").splitlines()
    files = ("tests/nnet/test_pooling.py", "tests/nnet/test_pooling_fit.py")
    claims = ("keeps_the_contract", "padding_changes_neither", "finite_at_the_edges", "if_there_is_one_vector")
    tried = run("pytest", "-n", "0", "-v", *files, "-k", f"maximum and ({' or '.join(claims)})")
    assert all(claim in tried for claim in claims)
