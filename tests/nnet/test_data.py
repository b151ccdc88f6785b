"""Reading chunks: exactly the planned frames, repeated where an utterance is short, and batches of one length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, read_object, writer
from nnet.config.experiment import load
from nnet.data.batches import read_frames, training_batches
from nnet.data.lists import StringTable, UtteranceList, read_lists


@pytest.fixture
def ramp(tmp_path: Path) -> UtteranceList:
    """One utterance of 10 frames; frame n holds n and 100 + n."""
    rows = np.arange(10, dtype=np.float32)[:, None] + np.array([0, 100], np.float32)
    with writer(f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp", FLOAT_MATRIX) as out:
        out.write("other", np.zeros((3, 2), np.float32))
        out.write("ramp", rows)
    place = (tmp_path / "a.scp").read_text().split()[3]
    return UtteranceList(StringTable(["ramp"]), StringTable([place]), np.array([10], np.int32), np.array([0], np.int32))


def test_a_chunk_is_the_planned_frames(ramp: UtteranceList) -> None:
    rows = read_frames(ramp, 0, 3, 4, 2)
    assert rows.dtype == np.float32
    assert rows[:, 0].tolist() == [3, 4, 5, 6] and rows[:, 1].tolist() == [103, 104, 105, 106]


def test_a_short_utterance_is_repeated_from_its_beginning(ramp: UtteranceList) -> None:
    assert read_frames(ramp, 0, 8, 15, 2)[:, 0].tolist() == [8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]


def test_fewer_frames_in_the_archive_than_listed_is_an_error(ramp: UtteranceList) -> None:
    listed = UtteranceList(ramp.utt_ids, ramp.feats, np.array([12], np.int32), ramp.speakers)
    with pytest.raises(InputError, match=r"ramp: cannot read frames 8 to 11 of .*a\.ark"):
        read_frames(listed, 0, 8, 4, 2)


def test_batches_hold_the_planned_utterances_with_their_labels(tiny_corpus: Any) -> None:
    lists = read_lists(tiny_corpus.lists)
    config = load(tiny_corpus.config, ["training.steps=6"])
    batches = list(training_batches(lists.train, config, 1, pin_memory=False))
    assert [batch.step for batch in batches] == [1, 2, 3, 4, 5, 6]
    for batch in batches:
        assert batch.feats.dtype.is_floating_point and batch.feats.shape[0] == 8 and batch.feats.shape[2] == 8
        assert batch.labels.tolist() == lists.train.speakers[batch.utts].tolist()
        for chunk, utt in zip(batch.feats.numpy(), batch.utts.tolist(), strict=True):
            whole = {row.tobytes() for row in read_object(lists.train.feats[utt], FLOAT_MATRIX)}
            assert all(row.tobytes() in whole for row in chunk)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_chunk_lengths_vary_and_batches_are_the_same_whatever_the_workers(tiny_corpus: Any, workers: int) -> None:
    lists = read_lists(tiny_corpus.lists)
    config = load(tiny_corpus.config, ["training.steps=12", f"data.workers={workers}"])
    batches = list(training_batches(lists.train, config, 1, pin_memory=False))
    here = load(tiny_corpus.config, ["training.steps=12"])
    expected = list(training_batches(lists.train, here, 1, pin_memory=False))
    assert len({batch.feats.shape[1] for batch in batches}) > 6
    assert all(a.feats.equal(b.feats) and a.labels.equal(b.labels) for a, b in zip(batches, expected, strict=True))


def test_a_later_first_step_gives_the_rest_of_the_batches(tiny_corpus: Any) -> None:
    lists, config = read_lists(tiny_corpus.lists), load(tiny_corpus.config, ["training.steps=9"])
    whole = list(training_batches(lists.train, config, 1, pin_memory=False))
    rest = list(training_batches(lists.train, config, 6, pin_memory=False))
    assert [batch.step for batch in rest] == [6, 7, 8, 9]
    assert all(a.feats.equal(b.feats) for a, b in zip(whole[5:], rest, strict=True))
