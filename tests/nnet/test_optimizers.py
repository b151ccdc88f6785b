"""Which parameters decay, and which precision a run computes in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from nnet import precision
from nnet.config import load
from nnet.errors import NnetError
from nnet.model import SpeakerNet, build
from nnet.optimizers import OPTIMIZERS, AdamW, build_optimizer
from nnet.precision import choose_precision

CPU = torch.device("cpu")


def network(tiny_corpus: Any, *settings: str) -> SpeakerNet:
    torch.manual_seed(0)
    return build(load(tiny_corpus.config, settings), 6)


def names_of(net: SpeakerNet, group: dict[str, Any]) -> set[str]:
    return {name for name, value in net.named_parameters() if any(value is each for each in group["params"])}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_weights_of_which_only_the_direction_counts_never_decay(tiny_corpus: Any, name: str) -> None:
    net = network(tiny_corpus)
    options = OPTIMIZERS[name]()
    options = replace(options, decay="all")  # type: ignore[type-var]
    decayed, exempt = build_optimizer(options, net).param_groups
    assert names_of(net, exempt) == {"loss_function.weight"} and exempt["weight_decay"] == 0.0
    assert decayed["weight_decay"] == options.weight_decay > 0.0
    assert names_of(net, decayed) | names_of(net, exempt) == {name for name, _ in net.named_parameters()}


def test_named_parameters_are_kept_from_decay(tiny_corpus: Any) -> None:
    net = network(tiny_corpus, "loss={name: softmax}")
    decayed, exempt = build_optimizer(AdamW(decay="all", decay_exempt=("*.bias",)), net).param_groups
    assert names_of(net, exempt) == {name for name, _ in net.named_parameters() if name.endswith(".bias")}
    assert not any(name.endswith(".bias") for name in names_of(net, decayed))


def test_a_pattern_that_matches_no_parameter_is_refused(tiny_corpus: Any) -> None:
    options = AdamW(decay_exempt=("*.bias", "encodr.*"))
    with pytest.raises(NnetError, match=r"decay_exempt: encodr\.\* matches no parameter; names are like encoder"):
        build_optimizer(options, network(tiny_corpus))


@pytest.mark.parametrize("asked", ["float32", "bf16"])
def test_a_named_precision_is_taken(tiny_corpus: Any, asked: str) -> None:
    config = load(tiny_corpus.config, [f"training.precision={asked}"])
    assert choose_precision(network(tiny_corpus), config, CPU) == asked


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, "bf16"), (0.79, "bf16"), (0.9, "float32"), (3.0, "float32")])
def test_auto_takes_bf16_where_it_gains_a_quarter(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    monkeypatch.setattr(precision, "_time_steps", lambda *_: {"float32": 1.0, "bf16": seconds})
    config = load(tiny_corpus.config, ["training.precision=auto"])
    assert choose_precision(network(tiny_corpus), config, CPU) == expected


def test_auto_stays_with_float32_without_bf16_instructions(tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    config = load(tiny_corpus.config, ["training.precision=auto"])
    assert choose_precision(network(tiny_corpus), config, CPU) == "float32"


def test_timing_a_network_leaves_it_and_the_generator_as_they_were(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    net = network(tiny_corpus)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    choose_precision(net, load(tiny_corpus.config, ["training.precision=auto"]), CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
