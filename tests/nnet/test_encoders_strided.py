"""Strided 1×1 convolutions: torch's numbers, without the backward pass of oneDNN that corrupts memory on AVX2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from nnet.encoders.resnet_blocks import StridedPointwise
from tests.nnet.test_encoders_convolution import SMALL, build

# Of a CPU without AVX-512; glibc checks the heap at each free, and fills what is freed.
WITHOUT_AVX512 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MALLOC_CHECK_": "3",
    "MALLOC_PERTURB_": "165",
}


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("frames", "columns"), [(1, 1), (8, 5), (9, 6)])
def test_it_gives_what_a_strided_convolution_gives(stride: int, frames: int, columns: int) -> None:
    """The same sums of 12 terms: at most rounding of float64 between them."""
    torch.manual_seed(0)
    ours = StridedPointwise(12, 5, stride).double()
    planes = torch.randn(2, 12, frames, columns, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(planes, ours.weight, stride=stride)
    torch.testing.assert_close(ours(planes), expected, rtol=1e-12, atol=1e-12)
    towards = torch.randn_like(expected)
    ours_grads = torch.autograd.grad(ours(planes), (planes, ours.weight), towards)
    expected_grads = torch.autograd.grad(expected, (planes, ours.weight), towards)
    torch.testing.assert_close(ours_grads, expected_grads, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_no_encoder_leaves_a_strided_1x1_convolution_to_onednn(name: str) -> None:
    for path, module in build(SMALL[name], 20).named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.stride != (1, 1):
            assert isinstance(module, StridedPointwise), path


TRAIN_A_NARROW_BLOCK = """
import torch
from nnet.encoders.resnet_blocks import BasicBlock
torch.manual_seed(0)
block = BasicBlock(2, 4, 2, squeeze=False).to(memory_format=torch.channels_last)
planes = torch.randn(4, 2, 40, 20).to(memory_format=torch.channels_last).requires_grad_()
for _ in range(8):
    block(planes, None, None).sum().backward()
assert torch.isfinite(planes.grad).all()
print("trained")
"""


@pytest.mark.slow
def test_a_narrow_block_trains_on_a_cpu_without_avx512() -> None:
    """With torch's own convolution the process ends by SIGSEGV or SIGABRT, or hangs."""
    root = Path(__file__).resolve().parent.parent.parent
    command = [sys.executable, "-c", TRAIN_A_NARROW_BLOCK]
    env = os.environ | WITHOUT_AVX512
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
