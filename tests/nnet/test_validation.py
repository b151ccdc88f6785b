"""The valid EER: cosine of centred embeddings over the trials, whatever the batches, and without side effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nnet.config import load
from nnet.embed import batches_by_length
from nnet.errors import NnetError
from nnet.lists import Trials, read_lists
from nnet.model import SpeakerNet, build
from nnet.validation import cosine_eer, embed_utterances, valid_eer

CPU = torch.device("cpu")


def trials(*pairs: tuple[int, int, bool]) -> Trials:
    enroll, test, target = zip(*pairs, strict=True)
    return Trials(np.array(enroll, np.int32), np.array(test, np.int32), np.array(target))


@pytest.fixture
def net(tiny_corpus: Any) -> SpeakerNet:
    torch.manual_seed(0)
    return build(load(tiny_corpus.config), 6)


def test_separated_speakers_have_no_errors_and_swapped_labels_only_errors() -> None:
    embeddings = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])
    pairs = [(0, 1, True), (2, 3, True), (0, 2, False), (1, 3, False)]
    assert cosine_eer(embeddings, trials(*pairs)) == pytest.approx(0.0)
    assert cosine_eer(embeddings, trials(*[(a, b, not target) for a, b, target in pairs])) == pytest.approx(1.0)


def test_a_common_offset_of_the_embeddings_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    embeddings = torch.tensor(rng.normal(size=(20, 4)))
    pairs = trials(*[(a, b, bool(rng.integers(2))) for a in range(20) for b in range(a)])
    assert cosine_eer(embeddings + 100.0, pairs) == pytest.approx(cosine_eer(embeddings, pairs))


def test_an_embedding_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(NnetError, match="not finite"):
        cosine_eer(torch.tensor([[1.0], [float("nan")]]), trials((0, 1, True)))


def test_batches_are_of_similar_length_and_within_the_budget() -> None:
    lengths = [90, 15, 33, 70, 16, 400, 47]
    batches = batches_by_length(lengths, 150)
    assert sorted(place for batch in batches for place in batch) == list(range(7))
    assert [[lengths[place] for place in batch] for batch in batches] == [[15, 16, 33], [47, 70], [90], [400]]


def test_validation_does_not_depend_on_the_batches_and_changes_nothing(tiny_corpus: Any, net: SpeakerNet) -> None:
    lists = read_lists(tiny_corpus.lists)
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    together, alone = (embed_utterances(net, lists.valid, 8, max_frames, CPU) for max_frames in (10000, 100))
    # float32 sums in another order
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert net.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert 0.0 <= valid_eer(net, lists, 8, 300, CPU) <= 1.0  # type: ignore[operator]


def test_a_list_without_trials_has_no_error_rate(tiny_corpus: Any, net: SpeakerNet) -> None:
    lists = read_lists(tiny_corpus.lists)
    nothing = Trials(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool))
    without = type(lists)(lists.train, lists.valid, lists.speaker_ids, nothing)
    assert valid_eer(net, without, 8, 300, CPU) is None
