"""Precision follows what the device can do; what it cannot do is said in one line, or done in float32."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from common.errors import InputError
from nnet import device as device_module
from nnet.config.experiment import load
from nnet.device import cpu_has_bf16
from nnet.encoders import recurrent
from nnet.model import build
from nnet.train import main
from nnet.training import precision
from nnet.training.checkpoint import load_checkpoint
from nnet.training.precision import choose_precision, emulation
from tests.nnet.helpers.training_runs import terminated_at

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
X86 = {"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}
LSTM = ("encoder={name: lstm, width: 4, layers: 1}", "pooling={name: mean}")
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Capabilities of the CPU as torch reports them, to be changed; at first an x86 with AVX512-BF16."""
    found: dict[str, Any] = dict(X86)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    return found


def chosen(tiny_corpus: Any, asked: str, *settings: str, device: torch.device = CPU) -> str:
    config = load(tiny_corpus.config, [f"training.precision={asked}", *settings])
    return choose_precision(config, device)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (X86, True),
        ({"avx512_f": True, "amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"avx2": True}, False),
        ({"neon": True, "bf16": True}, True),  # Arm
        ({"neon": True, "bf16": False}, False),
    ],
)
def test_bf16_is_found_by_the_cpus_flags(cpu: dict[str, Any], found: dict[str, Any], expected: bool) -> None:
    cpu.clear()
    cpu.update(found)
    assert cpu_has_bf16() is expected


@pytest.mark.parametrize("name", LIMITS[:2])
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        *((each, False) for each in ("SSE41", "AVX2", "avx2", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")),
        *((each, True) for each in ("AVX512_CORE_BF16", "avx512_core_amx", "AVX10_1_512", "ALL", "DEFAULT", "")),
    ],
)
@pytest.mark.usefixtures("cpu")
def test_a_limit_of_onednn_below_bf16_counts(
    monkeypatch: pytest.MonkeyPatch, name: str, limit: str, expected: bool
) -> None:
    monkeypatch.setenv(name, limit)
    assert cpu_has_bf16() is expected


@pytest.mark.parametrize("capability", ["DEFAULT", "AVX2"])
@pytest.mark.usefixtures("cpu")
def test_a_limit_of_torchs_own_kernels_counts(monkeypatch: pytest.MonkeyPatch, capability: str) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert not cpu_has_bf16()


def test_torch_without_onednn_has_no_bf16(cpu: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    for found in (X86, {"bf16": True}):
        cpu.update(found)
        assert not cpu_has_bf16()


@pytest.mark.parametrize("able", [True, False])
def test_auto_is_bf16_where_the_cpu_has_it(tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: able)
    assert chosen(tiny_corpus, "auto") == ("bf16" if able else "float32")
    assert chosen(tiny_corpus, "auto", *LSTM) == ("bf16" if able else "float32")


@pytest.mark.parametrize(("width", "expected"), [(128, "float32"), (256, "bf16")])
def test_a_narrow_gru_stays_in_float32_on_a_cpu_and_not_on_a_gpu(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch, width: int, expected: str
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    settings = (f"encoder={{name: gru, width: {width}, layers: 1}}", "pooling={name: last}")
    assert chosen(tiny_corpus, "auto", *settings) == expected
    assert chosen(tiny_corpus, "auto", *settings, device=CUDA) == "bf16"


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("asked", ["float32", "bf16"])
def test_a_named_precision_is_taken_on_any_cpu(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch, asked: str, able: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: able)
    assert chosen(tiny_corpus, asked) == asked


def test_on_a_gpu_auto_follows_it_and_bf16_is_refused_where_it_is_emulated(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulates = {True: True, False: False}  # what an older card answers
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: emulates[including_emulation])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    assert chosen(tiny_corpus, "auto", device=CUDA) == "float32"
    with pytest.raises(InputError, match=r"training\.precision is bf16, which Tesla T4 cannot do; set float32 or auto"):
        chosen(tiny_corpus, "bf16", device=CUDA)
    emulates[False] = True
    assert chosen(tiny_corpus, "auto", device=CUDA) == "bf16"


def test_a_run_in_bf16_on_another_machine_is_taken_up_and_says_that_it_is_emulated(
    tiny_corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command = tiny_corpus.command(tmp_path / "exp", "training.precision=auto", "training.steps=4")
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    with terminated_at(2):
        assert main(command) != 0
    assert "emulated" not in caplog.text
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    caplog.clear()
    assert main(command) == 0
    said = [record.message for record in caplog.records if record.message.startswith("precision bf16 on cpu")]
    assert len(said) == 1 and "emulated, slower than float32: no bf16 instructions here" in said[0]
    assert load_checkpoint(tmp_path / "exp" / "last.pt").precision == "bf16"


def test_float32_and_real_bf16_are_no_emulation(tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = build(load(tiny_corpus.config, []), 12)
    for able, asked in ((True, "bf16"), (True, "float32"), (False, "float32")):
        monkeypatch.setattr(precision, "has_bf16", lambda device, able=able: able)
        assert emulation(net, asked, CPU) is None


def test_an_lstm_that_the_cpu_has_not_in_bf16_computes_in_float32_and_that_is_said(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = build(load(tiny_corpus.config, LSTM), 12)
    feats, lengths = torch.randn(3, 20, 8), torch.tensor([20, 20, 9])
    for module in (recurrent, precision):
        monkeypatch.setattr(module, "cpu_refuses_bf16_lstm", lambda: True)
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    with torch.no_grad():
        exact = net.encoder(feats, lengths)[0]
        with torch.autocast("cpu", torch.bfloat16):
            states = net.encoder(feats, lengths)[0]
    assert states.dtype == torch.float32
    torch.testing.assert_close(states, exact, rtol=0, atol=0)
    assert str(emulation(net, "bf16", CPU)).endswith("; LSTM layers in float32")
    assert "LSTM" not in str(emulation(build(load(tiny_corpus.config, []), 12), "bf16", CPU))


def test_asking_whether_an_lstm_is_refused_draws_no_random_number() -> None:
    device_module.cpu_refuses_bf16_lstm.cache_clear()
    state = torch.get_rng_state()
    assert device_module.cpu_refuses_bf16_lstm() in (True, False)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_an_lstm_trains_in_bf16_where_onednn_may_use_avx2_alone(tiny_corpus: Any, tmp_path: Path, root: Path) -> None:
    command = tiny_corpus.command(tmp_path / "exp", *LSTM, "training.precision=bf16", "training.steps=3")
    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    done = subprocess.run(
        [sys.executable, "-m", "nnet.train", *command],
        cwd=root, env={**os.environ, **limits}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("precision bf16 on cpu")]
    assert len(said) == 1 and "emulated" in said[0]
    assert load_checkpoint(tmp_path / "exp" / "last.pt").precision == "bf16"
