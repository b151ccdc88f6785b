"""The dictionary's start, scale, shares and norms: by hand, by definition, at the edges, over a stopped run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from common.options import OptionError
from nnet.config.experiment import load
from nnet.model import build
from nnet.pooling import LdeOptions
from nnet.pooling.lde import LdePooling
from nnet.pooling.lde_start import JITTER, cluster_centres, drawn_frames, first_dictionary
from nnet.train import main
from nnet.training.checkpoint import load_checkpoint
from tests.nnet.helpers.training_runs import equal_states, terminated_at

every_start = pytest.mark.parametrize("start", ["frames", "kmeans"])


def make(in_dim: int, **options: Any) -> LdePooling:
    torch.manual_seed(0)
    return LdePooling(LdeOptions(**options), in_dim)


def far_groups() -> torch.Tensor:
    """Frames (1, 3, 1): two at 1 from the entry 0, one at 2 from the entry 100."""
    return torch.tensor([[[1.0], [1.0], [102.0]]])


@pytest.mark.parametrize(
    ("occupancy", "expected"),
    [("none", [1.0, 2.0]), ("linear", [2 / 3, 2 / 3])],
)
def test_two_thirds_and_one_third_of_the_frames_by_hand(occupancy: str, expected: list[float]) -> None:
    pooling = make(1, components=2, occupancy=occupancy)
    pooling.centres.data = torch.tensor([[0.0], [100.0]])
    # 1e-5: float32 at 100.
    torch.testing.assert_close(pooling(far_groups(), torch.tensor([3]))[0], torch.tensor(expected), atol=1e-5, rtol=0)


def test_an_entry_without_frames_gives_nothing_and_its_gradient_is_finite() -> None:
    pooling = make(1, components=2, occupancy="linear")
    pooling.centres.data = torch.tensor([[0.0], [1e4]])
    frames = torch.tensor([[[1.0], [2.0]]], requires_grad=True)
    encoded = pooling(frames, torch.tensor([2]))
    encoded.square().sum().backward()
    assert float(encoded.detach()[0, 1]) == 0.0 and frames.grad is not None and frames.grad.isfinite().all()


def test_a_small_scale_gives_each_entry_every_frame() -> None:
    frames = torch.randn(2, 9, 4)
    pooling = make(4, components=3, scale=1e-4)
    assert torch.equal(pooling.scales.detach(), torch.full((3,), 1e-4))
    means = frames.mean(dim=1, keepdim=True) - pooling.centres  # (2, 3, 4)
    # 1e-5: the weights differ from 1/3 by 1e-8 times distances near 10.
    torch.testing.assert_close(pooling(frames, torch.tensor([9, 9])), means.flatten(1), atol=1e-5, rtol=0)


def test_a_norm_of_frames_is_a_batch_norm_before_the_dictionary() -> None:
    frames, lengths = 5 + 3 * torch.randn(4, 7, 3), torch.tensor([7, 7, 7, 7])
    normed, plain = make(3, components=2, norm_frames=True), make(3, components=2)
    own = (frames - frames.mean(dim=(0, 1))) / (frames.var(dim=(0, 1), correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(normed(frames, lengths), plain(own, lengths))
    alone = normed.eval()(frames[:1], lengths[:1])
    torch.testing.assert_close(normed(frames, lengths)[:1], alone)  # of running moments, not of the batch


def test_published_dictionaries_have_the_tensors_that_they_had() -> None:
    assert [*make(3, components=2).state_dict()] == ["centres", "scales"]
    torch.manual_seed(0)
    expected = torch.empty(2, 3).uniform_(-1, 1)
    pooling = make(3, components=2)
    pooling.begin(torch.randn(2, 5, 3), torch.tensor([5, 5]))
    assert torch.equal(pooling.centres.detach(), expected)


def test_drawn_frames_are_different_frames_and_come_again_only_if_there_are_too_few() -> None:
    torch.manual_seed(0)
    frames = torch.arange(10.0)[:, None]
    assert len(set(drawn_frames(frames, 10).flatten().tolist())) == 10
    few = drawn_frames(frames[:2], 5).flatten().tolist()
    assert sorted(few) in ([0.0, 0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0])


def test_clusters_by_hand() -> None:
    frames = torch.tensor([[0.0], [2.0], [10.0], [12.0], [14.0]])
    # From 0 and 2: {0} {2 …}: 0, 9.5; {0, 2} {10 …}: 1, 12, where it stays.
    assert cluster_centres(frames, torch.tensor([[0.0], [2.0]])).tolist() == [[1.0], [12.0]]
    # A centre without frames stays.
    assert cluster_centres(frames, torch.tensor([[7.0], [-50.0]])).flatten().tolist() == [pytest.approx(7.6), -50.0]


def test_clusters_far_from_zero_are_those_in_double_precision() -> None:
    torch.manual_seed(0)
    frames = 100 + 0.1 * torch.randn(400, 64)
    begin = frames[:40].clone()  # more than 25 rows, for which torch expands the square of a difference
    # 1e-4: float32 at 100 has steps of 8e-6; a frame with another nearest centre moves a mean by 0.01.
    torch.testing.assert_close(
        cluster_centres(frames, begin), cluster_centres(frames.double(), begin.double()).float(), atol=1e-4, rtol=0
    )


def test_clusters_are_nearer_to_the_frames_than_drawn_frames() -> None:
    frames = torch.randn(200, 4) + 5
    spread = []
    for clusters in (False, True):
        torch.manual_seed(0)
        nearest = torch.cdist(frames, first_dictionary(frames, 8, clusters)).min(dim=1)[0]
        spread.append(float(nearest.square().mean()))
    assert spread[1] < 0.8 * spread[0]


@every_start
def test_a_dictionary_begins_among_the_frames_whatever_the_padding(start: str) -> None:
    frames = 7 + torch.randn(3, 6, 4)
    ragged = torch.cat([frames, torch.full((3, 2, 4), float("nan"))], dim=1)
    found = []
    for some, lengths in ((frames, [6, 6, 6]), (ragged, [6, 6, 6])):
        pooling = make(4, components=5, start=start)
        pooling.begin(some, torch.tensor(lengths))
        found.append(pooling.centres.detach().clone())
    assert torch.equal(found[0], found[1])
    nearest = torch.cdist(found[0], frames.flatten(0, 1)).min(dim=1)[0]
    assert nearest.max() < (0.1 if start == "frames" else 2.5)  # JITTER of deviations near 1; inside the cloud


@every_start
@pytest.mark.parametrize("frames", [torch.full((1, 1, 4), 3.0), torch.zeros(2, 5, 4)], ids=["one frame", "zero"])
def test_a_dictionary_begins_and_is_finite_at_the_edges(start: str, frames: torch.Tensor) -> None:
    pooling = make(4, components=5, start=start)
    pooling.begin(frames, torch.full((len(frames),), frames.shape[1]))
    assert pooling.centres.isfinite().all() and JITTER < 1
    assert pooling(frames, torch.full((len(frames),), frames.shape[1])).isfinite().all()


def test_it_begins_once_and_only_in_training(root: Path) -> None:
    settings = ["pooling={name: lde, components: 4, start: kmeans}", "encoder={name: tdnn, width: 8, last_width: 12}"]
    torch.manual_seed(0)
    net = build(load(root / "conf" / "nnet" / "mini.yaml", settings), 3)
    pooling = net.pooling
    assert isinstance(pooling, LdePooling)
    before = pooling.centres.detach().clone()
    feats, lengths, labels = torch.randn(3, 40, 30), torch.tensor([40, 40, 40]), torch.tensor([0, 1, 2])
    net.eval().embed(feats, lengths)
    net.training_loss(feats, lengths, labels, 1)
    net.train().training_loss(feats, lengths, labels, 2)
    assert torch.equal(pooling.centres, before) and not pooling.begun
    net.training_loss(feats, lengths, labels, 1)
    first = pooling.centres.detach().clone()
    assert pooling.begun and not torch.equal(first, before)
    net.training_loss(2 * feats, lengths, labels, 1)  # a run that starts from a checkpoint keeps its dictionary
    assert torch.equal(pooling.centres, first)


POOLING = "pooling={name: lde, components: 4, start: kmeans, occupancy: linear, norm_frames: true}"


@pytest.mark.parametrize("stop", [1, 2, 9])
def test_an_interrupted_training_equals_an_uninterrupted_one(tiny_corpus: Any, tmp_path: Path, stop: int) -> None:
    assert main(tiny_corpus.command(tmp_path / "whole", POOLING)) == 0
    exp = tmp_path / "parts"
    with terminated_at(stop):
        assert main(tiny_corpus.command(exp, POOLING)) == 128 + signal.SIGTERM
    assert main(tiny_corpus.command(exp, POOLING)) == 0
    assert equal_states(load_checkpoint(tmp_path / "whole" / "last.pt"), load_checkpoint(exp / "last.pt"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 0.0}, "scale is 0.0; expected > 0"),
        ({"scale": float("inf")}, "scale is inf"),
        ({"assignment": "att", "occupancy": "linear"}, "occupancy is .*; expected none where assignment is att"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        LdeOptions(**options)
