"""Which parameters decay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from common.errors import InputError
from nnet.config.experiment import load
from nnet.model import SpeakerNet, build
from nnet.training.optimizer_options import OPTIMIZERS, AdamW
from nnet.training.optimizers import build_optimizer


def network(tiny_corpus: Any, *settings: str) -> SpeakerNet:
    torch.manual_seed(0)
    return build(load(tiny_corpus.config, settings), 6)


def names_of(net: SpeakerNet, group: dict[str, Any]) -> set[str]:
    return {name for name, value in net.named_parameters() if any(value is each for each in group["params"])}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_weights_whose_length_does_not_count_never_decay(tiny_corpus: Any, name: str) -> None:
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
    with pytest.raises(InputError, match=r"decay_exempt: encodr\.\* matches no parameter; names are like encoder"):
        build_optimizer(options, network(tiny_corpus))
