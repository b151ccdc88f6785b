"""The experiments with encoders of convolutions, at full size, for one training step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nnet.config.experiment import load
from nnet.model import SpeakerNet, build

AAM = ("resnet18_aam", "resnet18_lde_aam", "resnet34_aam", "resnet34_lde_aam")
SYSTEMS = ("att", "ecapa", *(f"lde{n}" for n in range(1, 8)), *AAM, "xvector", "xvector_asoftmax")


def make(root: Path, system: str, num_speakers: int = 10) -> SpeakerNet:
    torch.manual_seed(0)
    return build(load(root / "conf" / "nnet" / f"{system}.yaml"), num_speakers)


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_step_has_a_finite_loss_and_a_finite_gradient_for_every_parameter(root: Path, system: str) -> None:
    net = make(root, system).train()
    feats, labels = torch.randn(4, 40, net.feature_dim), torch.tensor([0, 1, 2, 3])
    loss, hits = net.training_loss(feats, torch.full((4,), 40), labels, step=1)
    loss.backward()
    assert loss.isfinite()
    assert hits.shape == (4,)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("system", ["att", "ecapa", "lde7", "xvector", "xvector_asoftmax"])
def test_an_embedding_does_not_depend_on_the_batch(root: Path, system: str) -> None:
    net = make(root, system).eval()
    feats, lengths = torch.randn(2, 50, net.feature_dim), torch.tensor([50, 27])
    with torch.no_grad():
        together = net.embed(feats, lengths)
        alone = net.embed(feats[1:, :27], lengths[1:])
    # 1e-4 of its length: float32 sums in another order through up to 34 layers.
    assert (together[1] - alone[0]).norm() < 1e-4 * alone.norm()


@pytest.mark.parametrize(
    ("system", "num_parameters"),
    # The published counts; LDE-1's plus the softmax layer, LDE-2's plus class weights without a bias.
    [
        ("lde1", 3_436_496 + 513 * 10),
        ("lde2", 3_436_496 + 512 * 10),
        ("att", 3_436_496 + 512 * 10),
        ("lde7", 5_533_648 + 512 * 10),
    ],
)
def test_the_dictionary_systems_have_their_published_sizes(root: Path, system: str, num_parameters: int) -> None:
    assert sum(p.numel() for p in make(root, system).parameters()) == num_parameters


@pytest.mark.parametrize("system", ["xvector_asoftmax", *(f"lde{n}" for n in range(2, 8)), "att", *AAM, "ecapa"])
def test_no_relu_stands_before_an_angular_loss(root: Path, system: str) -> None:
    assert not any(isinstance(layer, torch.nn.ReLU) for layer in make(root, system).head)
