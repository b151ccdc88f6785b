"""Dictionary encoding by matrix products, compared with the same numbers from a (B, T, D, C) tensor of residuals.

    python3 benchmarks/lde.py [--threads 2] [--repeats 5] [--seed 0]

Both run in this process, in turns, so that a busy machine slows both; the ratio is the figure to keep.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.program import Parser, run_program
from nnet.encoders import ResNet34Options
from nnet.encoders.resnet import ResNet
from nnet.pooling import LdeOptions
from nnet.pooling.lde import VARIANCE_FLOOR, WEIGHT_FLOOR, LdePooling

BATCH, FRAMES, COMPONENTS, CHANNELS = 64, 100, 64, 128
STEP_BATCH, STEP_FRAMES, STEP_BINS = 16, 200, 30


class BroadcastLde(nn.Module):
    """`lde` assignment with `sqr` distance as the formulas are written: every residual exists at once. No padding."""

    def __init__(self, pooling: LdePooling) -> None:
        super().__init__()
        self.options = pooling.options
        self.centres = nn.Parameter(pooling.centres.detach().clone())
        self.scales = nn.Parameter(pooling.scales.detach().clone())

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(B, T, C) → (B, D·C) or (B, D·2C)."""
        residuals = frames[:, :, None, :] - self.centres  # (B, T, D, C)
        weights = (-residuals.square().sum(dim=3) * self.scales.square()).softmax(dim=2)
        weights = (weights / (weights.sum(dim=1, keepdim=True) + WEIGHT_FLOOR))[..., None]  # (B, T, D, 1)
        mean = (weights * residuals).sum(dim=1)
        if self.options.output == "mean":
            return mean.flatten(1)
        square = (weights * residuals.square()).sum(dim=1)
        return torch.cat([mean, (square + VARIANCE_FLOOR).sqrt()], dim=2).flatten(1)


def seconds(run: Callable[[], None]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pooling_step(pooling: nn.Module) -> Callable[[], None]:
    """Forward and backward of the pooling alone."""
    frames = torch.randn(BATCH, FRAMES, CHANNELS, requires_grad=True)
    lengths = torch.full((BATCH,), FRAMES)

    def run() -> None:
        pooling(frames, lengths).sum().backward()

    return run


def network_step(pooling: nn.Module) -> Callable[[], None]:
    """Forward and backward of ResNet34 with the pooling."""
    encoder = ResNet(ResNet34Options(), STEP_BINS)
    feats = torch.randn(STEP_BATCH, STEP_FRAMES, STEP_BINS)
    lengths = torch.full((STEP_BATCH,), STEP_FRAMES)

    def run() -> None:
        pooling(*encoder(feats, lengths)).sum().backward()

    return run


def compare(title: str, products: Callable[[], None], broadcast: Callable[[], None], repeats: int) -> None:
    """Print one line of the table: median milliseconds of each, and their ratio."""
    products()  # warm-up
    broadcast()
    pairs = [(seconds(products), seconds(broadcast)) for _ in range(repeats)]
    fast, slow = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{title:<34} {fast:>10.1f} {slow:>10.1f} {slow / fast:>7.1f}")


def machine() -> str:
    """The processor and its cores."""
    cpuinfo = Path("/proc/cpuinfo")  # only Linux has it
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def main(argv: Sequence[str]) -> None:
    """The table."""
    parser = Parser(description="Time dictionary encoding by matrix products against broadcasting.")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed pairs per line (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the frames and weights (default %(default)s)")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    print(f"{machine()}, torch {torch.__version__}, {options.threads} threads")
    print(f"seed {options.seed}, median of {options.repeats} after one warm-up")
    print(f"{COMPONENTS} components, {CHANNELS} channels")
    print(f"{'forward and backward, ms':<34} {'products':>10} {'broadcast':>10} {'ratio':>7}")
    for output in ("mean", "mean+std"):
        pooling = LdePooling(LdeOptions(components=COMPONENTS, output=output), CHANNELS)
        broadcast = BroadcastLde(pooling)
        for title, step in (
            (f"pooling, {BATCH} × {FRAMES} frames, {output}", pooling_step),
            (f"ResNet34, {STEP_BATCH} × {STEP_FRAMES}, {output}", network_step),
        ):
            compare(title, step(pooling), step(broadcast), options.repeats)


if __name__ == "__main__":
    run_program(main)
