"""The whole network: each published experiment, sizes that follow from one another, padding, precision."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from common.errors import InputError
from common.options import ConfigError
from nnet.config.experiment import Config, from_mapping, load, to_mapping
from nnet.losses import TripletOptions
from nnet.model import SpeakerNet, build
from nnet.training.precision import autocast

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "conf" / "nnet").glob("*.yaml"))
MINI = next(path for path in CONFIGS if path.name == "mini.yaml")
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
SYSTEMS = (
    *("mini", "mini_large_margin", "small", "xvector", "xvector_attentive", "xvector_asoftmax", "att", "ecapa"),
    *(f"lde{number}" for number in range(1, 8)),
    *("resnet18_attentive", "gru_ge2e", "convgru_ge2e", "transformer_ge2e", "bilstm_triplet", "transformer_triplet"),
    *(AAM := ("resnet18_aam", "resnet18_lde_aam", "resnet34_aam", "resnet34_lde_aam")),
)
# Parameters whose gradient is zero but for rounding. A bias before a batch norm: the norm subtracts it again. In the
# small transformer: weights of the decoder's attention to itself and the gain of the norm after it, as its only query
# is zero and the biases begin at zero.
_BEFORE_NORM = frozenset({"embedding.bias"})
_ZERO_QUERY = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "norm1.weight")
_MINI = _BEFORE_NORM | {"encoder.layers.4.2.bias"}
WITHOUT_GRADIENT: dict[str, frozenset[str]] = {
    **dict.fromkeys(("att", *AAM, *(f"lde{number}" for number in range(1, 8))), _BEFORE_NORM),
    **dict.fromkeys(("mini", "mini_large_margin", "small"), _MINI),
    **dict.fromkeys(("ecapa", "resnet18_attentive"), _BEFORE_NORM | {"pooling.output_norm.bias"}),
    "xvector_asoftmax": _BEFORE_NORM | {f"encoder.layers.{layer}.0.bias" for layer in range(5)},
    "transformer_triplet": frozenset(f"encoder.decoder.layers.0.{name}" for name in _ZERO_QUERY),
}


def make(config: Config, num_speakers: int = 5) -> SpeakerNet:
    torch.manual_seed(0)
    return build(config, num_speakers)


def small(*overrides: str) -> SpeakerNet:
    return make(load(MINI, ["encoder.width=8", "encoder.last_width=12", "embedding.dim=6", *overrides]))


def calibrated(net: SpeakerNet) -> SpeakerNet:
    """The network with batch norms that have seen data; untrained, a deep one gives values in the hundreds."""
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        net.embed(torch.randn(4, 100, net.feature_dim), torch.full((4,), 100))
    return net.eval()


def batch_labels(config: Config) -> torch.Tensor:
    """Labels of a small batch, in the order that the experiment's loss asks for."""
    if config.data.balance == "groups":
        return torch.tensor([0, 4, 2]).repeat_interleave(config.data.utterances_per_speaker)
    return torch.tensor([0, 0, 4, 2, 2, 0] if config.data.balance == "triplets" else [0, 4, 2])


def num_decisions(config: Config) -> int:
    """Of the loss on `batch_labels`; semi-hard triplets are each utterance with each other one of its speaker."""
    balance, others = config.data.balance, config.data.utterances_per_speaker - 1
    if isinstance(config.loss, TripletOptions) and config.loss.mining == "semi_hard":
        return len(batch_labels(config)) * others
    return len(batch_labels(config)) // (3 if balance == "triplets" else 1)


def test_every_system_has_its_yaml_and_every_yaml_is_tested() -> None:
    assert {path.stem for path in CONFIGS} == set(SYSTEMS)


@every_config
def test_a_training_step_of_each_experiment_reaches_every_parameter(path: Path) -> None:
    config = load(path)
    net, labels = make(config).double(), batch_labels(config)
    feats = torch.randn(len(labels), 40, config.features.dim, dtype=torch.float64)
    loss, hits = net.training_loss(feats, torch.full((len(labels),), 40), labels, 1)
    loss.backward()
    assert (hits.shape, hits.dtype) == ((num_decisions(config),), torch.bool)
    assert loss.isfinite()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    largest = {name: -1.0 if each is None else each.abs().amax().item() for name, each in gradients.items()}
    assert all(math.isfinite(each) and each >= 0 for each in largest.values()), largest
    # 1e-11: float64 keeps 2e-16 of each term; the least gradient that is one was 1e-6 of the greatest.
    unreached = {name for name, each in largest.items() if each <= 1e-11 * max(largest.values())}
    assert unreached == WITHOUT_GRADIENT.get(path.stem, frozenset())


@every_config
def test_a_training_step_of_each_experiment_is_possible_in_both_precisions(path: Path) -> None:
    config = load(path)
    net, labels = make(config), batch_labels(config)
    feats, lengths = torch.randn(len(labels), 40, config.features.dim), torch.full((len(labels),), 40)
    assert net.embed(feats, lengths).shape == (len(labels), net.embedding_dim)
    for precision in ("float32", "bf16"):
        with autocast(feats.device, precision):
            loss, _ = net.training_loss(feats, lengths, labels, 1)
        net.zero_grad()
        loss.backward()
        assert loss.isfinite()
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "expected"),
    # Encoder, pooling, embedding and batch norm of the published systems; and the x-vectors with 10 speakers, where the
    # published 4,496,818 and 11,412,402 count a batch norm of 20 parameters on the logits.
    [("lde1", 3_436_496), ("lde7", 5_533_648), ("xvector", 4_496_798), ("xvector_attentive", 11_412_382)],
)
def test_published_experiments_have_the_published_number_of_parameters(name: str, expected: int) -> None:
    net = make(load(MINI.with_name(f"{name}.yaml")), num_speakers=10)
    counted = {key: p for key, p in net.named_parameters() if "xvector" in name or not key.startswith("loss_function")}
    assert sum(p.numel() for p in counted.values()) == expected


def largest_difference_from_alone(net: SpeakerNet, dtype: torch.dtype) -> float:
    """Between embeddings from a padded batch and from each utterance alone, as a share of the largest value."""
    lengths = torch.tensor([90, 41, 15, 3])
    feats = torch.randn(4, 90, net.feature_dim, dtype=dtype)
    feats[1, 41:] = 100.0
    with torch.no_grad():
        together = net.embed(feats, lengths)
        alone = [net.embed(feats[i : i + 1, :n], torch.tensor([n])) for i, n in enumerate(lengths.tolist())]
    return float((together - torch.cat(alone)).abs().max() / together.abs().max())


@every_config
def test_a_batch_gives_what_each_utterance_gives_alone(path: Path) -> None:
    net = calibrated(make(load(path)))
    # float32 sums in another order, and 34 layers and a softmax over distances enlarge it: up to 1e-5 was seen.
    assert largest_difference_from_alone(net, torch.float32) <= 3e-5
    # float64 shows that it was the rounding.
    assert largest_difference_from_alone(net.double(), torch.float64) <= 1e-12


def test_the_embedding_is_the_affine_output_before_the_head() -> None:
    plain, with_head = small("head={batch_norm: false}"), small("head={relu: true, hidden: [7]}")
    shared = {key: value for key, value in plain.state_dict().items() if not key.startswith("loss_function")}
    with_head.load_state_dict({**with_head.state_dict(), **shared})
    feats, lengths = torch.randn(2, 30, 30), torch.tensor([30, 30])
    torch.testing.assert_close(plain.eval().embed(feats, lengths), with_head.eval().embed(feats, lengths))


def test_without_an_affine_layer_the_pooled_vector_is_the_embedding() -> None:
    net = small("embedding.dim=null").eval()
    feats, lengths = torch.randn(2, 30, 30), torch.tensor([30, 20])
    pooled = net.pooling(*net.encoder(feats, lengths))
    assert net.embedding_dim == 2 * 12
    assert not any(name.startswith("embedding") for name in net.state_dict())
    torch.testing.assert_close(net.embed(feats, lengths), pooled, rtol=0, atol=0)
    loss, hits = net.training_loss(feats, lengths, torch.tensor([0, 1]), 1)
    assert loss.isfinite() and hits.shape == (2,)


@pytest.mark.parametrize("dim", ["6", "null"])
def test_normalised_embeddings_have_length_1_and_the_same_direction(dim: str) -> None:
    plain = small(f"embedding.dim={dim}").eval()
    normalised = small(f"embedding={{dim: {dim}, normalise: true}}").eval()
    feats, lengths = torch.randn(4, 30, 30), torch.tensor([30, 20, 15, 1])
    embedding = normalised.embed(feats, lengths)
    # 1e-6: rounding of float32 in the division and in the sum of squares.
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(embedding, torch.nn.functional.normalize(plain.embed(feats, lengths)))


def test_a_normalised_embedding_of_zero_is_zero_with_a_finite_gradient() -> None:
    net = small("embedding={dim: 6, normalise: true}", "head={batch_norm: false}")
    torch.nn.init.zeros_(net.embedding.weight)
    torch.nn.init.zeros_(net.embedding.bias)
    feats, lengths = torch.randn(3, 30, 30), torch.full((3,), 30)
    assert not net.embed(feats, lengths).any()
    net.training_loss(feats, lengths, torch.tensor([0, 1, 2]), 1)[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_the_training_loss_is_that_of_the_embeddings() -> None:
    net = small().eval()  # in eval mode, so that batch norm gives the same twice
    feats, lengths, labels = torch.randn(3, 30, 30), torch.tensor([30, 20, 25]), torch.tensor([0, 1, 2])
    loss, hits = net.training_loss(feats, lengths, labels, 7)
    expected, expected_hits = net.loss(net.embed(feats, lengths), labels, 7)
    assert torch.equal(loss, expected)
    assert torch.equal(hits, expected_hits)


def test_the_penalty_of_a_pooling_is_part_of_the_training_loss_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net = small().eval()
    feats, lengths, labels = torch.randn(3, 30, 30), torch.tensor([30, 20, 25]), torch.tensor([0, 1, 2])
    without, embedding = net.training_loss(feats, lengths, labels, 7)[0], net.embed(feats, lengths)

    def with_penalty(frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return type(net.pooling).forward(net.pooling, frames, lengths), torch.tensor(3.0)

    monkeypatch.setattr(net.pooling, "with_penalty", with_penalty, raising=False)
    loss, hits = net.training_loss(feats, lengths, labels, 7)
    torch.testing.assert_close(loss, without + 3)
    assert hits.shape == (3,)
    assert torch.equal(net.embed(feats, lengths), embedding)


def test_a_config_from_before_normalise_existed_is_not_normalised() -> None:
    config = to_mapping(load(MINI))
    del config["embedding"]["normalise"]
    assert from_mapping(config, "an old checkpoint") == load(MINI)
    assert not make(from_mapping(config, "an old checkpoint")).normalise


def test_an_embedding_dim_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"embedding\.dim is 0; expected >= 1"):
        load(MINI, ["embedding.dim=0"])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("{batch_norm: false}", []),
        ("{}", ["BatchNorm1d"]),
        ("{relu: true}", ["BatchNorm1d", "ReLU"]),
        ("{relu: true, order: relu_norm}", ["ReLU", "BatchNorm1d"]),
        ("{hidden: [7]}", ["BatchNorm1d", "Linear", "BatchNorm1d", "ReLU"]),
        ("{relu: true, batch_norm: false, hidden: [7, 8]}", ["ReLU", "Linear", "ReLU", "Linear", "ReLU"]),
    ],
)
def test_the_head_is_built_as_reported(head: str, expected: list[str]) -> None:
    net = small(f"head={head}")
    assert [type(layer).__name__ for layer in net.head.children()] == expected
    loss, _ = net.loss(torch.randn(4, 6), torch.tensor([0, 1, 2, 3]), 1)
    assert loss.isfinite()


@pytest.mark.parametrize("pooling", ["{name: statistics}", "{name: lde, components: 3, output: mean+std}"])
def test_bf16_autocast_keeps_statistics_and_loss_in_float32(pooling: str) -> None:
    net = small(f"pooling={pooling}", "loss={name: asoftmax}")
    pooled_types = []
    net.pooling.register_forward_hook(lambda module, inputs, output: pooled_types.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        feats, lengths = torch.randn(3, 40, 30), torch.full((3,), 40)
        embedding = net.embed(feats, lengths)
        loss, _ = net.training_loss(feats, lengths, torch.tensor([0, 1, 2]), 1)
    loss.backward()
    assert [*pooled_types, embedding.dtype, loss.dtype] == [torch.float32] * 4
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_scale_invariant_parameters_are_named_as_the_optimizer_sees_them() -> None:
    angular, plain = small("loss={name: asoftmax}"), small("loss={name: softmax}")
    assert angular.scale_invariant_parameters() == {"loss_function.weight"}
    assert angular.scale_invariant_parameters() <= {name for name, _ in angular.named_parameters()}
    assert plain.scale_invariant_parameters() == set()


def test_the_weights_follow_torchs_seed() -> None:
    first, second = small().state_dict(), small().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([30, 0], "expected 1 to 30 frames"), ([30, 31], "expected 1 to 30 frames"), ([30], r"expected \(B, T, F\)")],
)
def test_lengths_that_do_not_fit_are_refused(lengths: list[int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        small().embed(torch.randn(2, 30, 30), torch.tensor(lengths))


@pytest.mark.parametrize("encoder", ["tdnn", "resnet34"])
def test_another_number_of_features_is_refused(encoder: str) -> None:
    net = make(load(MINI, [f"encoder={{name: {encoder}, width: 4}}"]))
    with pytest.raises(ValueError, match="features of 40 columns; the network was built for 30"):
        net.embed(torch.randn(2, 30, 40), torch.tensor([30, 30]))


def test_one_speaker_is_refused() -> None:
    with pytest.raises(InputError, match="1 training speakers; a network needs at least 2"):
        make(load(MINI), num_speakers=1)


def test_chunks_shorter_than_the_encoder_sees_at_once_are_refused() -> None:
    small("data.chunk_frames=15")
    with pytest.raises(InputError, match=r"data\.chunk_frames begins at 14, but the encoder sees 15 frames at once"):
        small("data.chunk_frames=[14, 100]")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@every_config
def test_a_training_step_runs_on_cuda(path: Path, precision: torch.dtype) -> None:
    config = load(path)
    net, labels = make(config).cuda(), batch_labels(config)
    feats, lengths = torch.randn(len(labels), 100, config.features.dim).cuda(), torch.full((len(labels),), 100)
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        loss, _ = net.training_loss(feats, lengths, labels, 1)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@every_config
def test_cuda_gives_what_the_cpu_gives(path: Path) -> None:
    net = calibrated(make(load(path)))
    feats, lengths = torch.randn(3, 90, net.feature_dim), torch.tensor([90, 41, 3])
    with torch.no_grad():
        on_cpu = net.embed(feats, lengths)
        on_cuda = net.cuda().embed(feats.cuda(), lengths).cpu()
    # 1e-2 of the size: cuDNN may multiply in TF32, with 10 bits.
    assert (on_cpu - on_cuda).abs().max() <= 1e-2 * on_cpu.abs().max()
