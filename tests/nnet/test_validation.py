"""The valid EER: cosine of centred embeddings over the trials, whatever the batches, and without side effects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.errors import InputError
from common.options import ConfigError
from nnet.config.experiment import load
from nnet.data.lists import HeldOutTrials, read_lists
from nnet.inference.embed import batches_by_length
from nnet.model import SpeakerNet, build
from nnet.train import main as train
from nnet.training.checkpoint import load_checkpoint
from nnet.training.validation import check_lengths, cosine_eer, embed_utterances, speaker_error, valid_error
from tests.nnet.helpers.refusals import refusal

CPU = torch.device("cpu")


def trials(*pairs: tuple[int, int, bool]) -> HeldOutTrials:
    enroll, test, target = zip(*pairs, strict=True)
    return HeldOutTrials(np.array(enroll, np.int32), np.array(test, np.int32), np.array(target))


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
    with pytest.raises(InputError, match="not finite"):
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
    for by in ("eer", "speakers"):
        config = load(tiny_corpus.config, [f"training.valid_by={by}"])
        assert 0.0 <= valid_error(net, lists, config, 1, CPU) <= 1.0  # type: ignore[operator]
        assert net.training and all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_validation_gives_an_encoder_no_more_frames_than_it_says(
    tiny_corpus: Any, net: SpeakerNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid = read_lists(tiny_corpus.lists).valid
    expected = embed_utterances(net, valid, 8, 30, CPU)
    monkeypatch.setattr(net.encoder, "max_frames", 30, raising=False)
    torch.testing.assert_close(embed_utterances(net, valid, 8, 10000, CPU), expected, atol=0, rtol=0)


def test_a_held_out_utterance_too_short_for_the_encoder_is_reported_before_training(
    tiny_corpus: Any, tmp_path: Path
) -> None:
    valid = read_lists(tiny_corpus.lists).valid
    table = tiny_corpus.lists / "utt2num_frames"
    short = valid.utt_ids[3]
    lines = [f"{short} 2" if line.split()[0] == short else line for line in table.read_text().splitlines()]
    table.write_text("\n".join(lines) + "\n")
    section = "features={type: samples, config: conf/samples.conf, dim: 160, cmvn: false}"
    settings = (section, "encoder={name: convgru, width: 4, channels: 4, layers: 1}")
    message = refusal(train, tiny_corpus.command(tmp_path / "exp", *settings))
    assert f"{short}: held out, 2 frames, but this encoder needs 3; 1 such utterances" in message
    assert "--min-frames 3 or more" in message
    settings = (*settings, "data.valid_batch_frames=2")
    message = refusal(train, tiny_corpus.command(tmp_path / "exp", *settings))
    assert "data.valid_batch_frames is 2, expected 3 frames or more for this encoder" in message


def test_an_encoder_that_lengthens_takes_held_out_utterances_of_any_length(tiny_corpus: Any, net: SpeakerNet) -> None:
    valid = read_lists(tiny_corpus.lists).valid
    check_lengths(net, replace(valid, num_frames=np.ones_like(valid.num_frames)), 1)
    net.encoder.pads_short = False
    with pytest.raises(InputError, match=f"1 frames, but this encoder needs 15; {len(valid)} such"):
        check_lengths(net, replace(valid, num_frames=np.ones_like(valid.num_frames)), 300)


def test_a_list_without_trials_has_no_error_rate(tiny_corpus: Any, net: SpeakerNet) -> None:
    lists = read_lists(tiny_corpus.lists)
    nothing = HeldOutTrials(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool))
    without = type(lists)(lists.train, lists.valid, lists.speaker_ids, nothing)
    assert valid_error(net, without, load(tiny_corpus.config), 1, CPU) is None


def test_speaker_errors_are_the_utterances_that_another_class_is_nearest_to(tiny_corpus: Any, net: SpeakerNet) -> None:
    valid = read_lists(tiny_corpus.lists).valid
    axes = torch.eye(6)  # class n is axis n; the head's batch norm is at its start, a scale alone
    net.loss_function.weight.data = axes  # type: ignore[union-attr,operator]
    embeddings = axes[torch.from_numpy(valid.speakers).long()].clone()
    assert speaker_error(net, embeddings, valid, 1) == 0.0
    embeddings[0] = axes[(int(valid.speakers[0]) + 1) % 6]
    assert speaker_error(net, embeddings, valid, 1) == pytest.approx(1 / len(valid))


def test_speaker_errors_of_blocks_are_those_of_the_whole(
    tiny_corpus: Any, net: SpeakerNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid = read_lists(tiny_corpus.lists).valid
    embeddings = torch.randn(len(valid), net.embedding_dim)
    labels = torch.from_numpy(valid.speakers).long()
    _, hits = net.eval().loss(embeddings, labels, 1)
    wrong = 1 - int(hits.sum()) / len(valid)
    rows: list[int] = []
    whole_loss = net.loss

    def counted(embedding: torch.Tensor, *rest: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows.append(len(embedding))
        return whole_loss(embedding, *rest)

    monkeypatch.setattr(net, "loss", counted)
    for block in (len(valid), len(valid) - 1, 3, 1):
        rows.clear()
        monkeypatch.setattr("nnet.training.validation.BLOCK", block)
        assert speaker_error(net, embeddings, valid, 1) == wrong
        assert max(rows) == block and sum(rows) == len(valid)


def test_a_loss_without_classes_knows_no_speakers(root: Path) -> None:
    with pytest.raises(ConfigError, match=r'training.valid_by is "speakers", but the loss decides between'):
        load(root / "conf" / "nnet" / "gru_ge2e.yaml", ["training.valid_by=speakers"])


def test_the_best_model_is_chosen_by_speaker_errors(
    tiny_corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="train")
    assert train(tiny_corpus.command(tmp_path / "exp", "training.valid_by=speakers")) == 0
    state = load_checkpoint(tmp_path / "exp" / "last.pt")
    assert state.best_eer == min(state.valid_eers.values())
    assert f"valid speaker errors {100 * state.best_eer:.2f} %" in caplog.text
