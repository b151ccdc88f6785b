"""Extraction: whole utterances, order, independence of the batch, and what is refused or dropped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from nnet.extract import main
from nnet.inference import groups as groups_module
from nnet.inference.loading import load_model
from nnet.train import main as train
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from tests.nnet.helpers.refusals import refusal

CPU = torch.device("cpu")


@pytest.fixture
def exp(tiny_corpus: Any, tmp_path: Path) -> Path:
    assert train(tiny_corpus.command(tmp_path / "exp", "training.steps=7")) == 0
    return tmp_path / "exp"


def write_feats(path: Path, lengths: dict[str, int], dim: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    feats = {utt_id: rng.normal(size=(length, dim)).astype(np.float32) for utt_id, length in lengths.items()}
    with writer(f"ark,scp:{path}.ark,{path}.scp", FLOAT_MATRIX) as out:
        for utt_id, rows in feats.items():
            out.write(utt_id, rows)
    return feats


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    with sequential(f"ark:{path}", FLOAT_VECTOR) as table:
        return {utt_id: np.array(vector) for utt_id, vector in table}


def one_by_one(exp: Path, rows: np.ndarray) -> np.ndarray:
    net = load_model(exp / "best.pt", CPU).net
    with torch.inference_mode():
        return net.embed(torch.tensor(rows)[None], torch.tensor([len(rows)]))[0].numpy()


@pytest.mark.parametrize("batch_frames", [1, 100, 500, 60000])
def test_an_embedding_does_not_depend_on_its_batch_and_keeps_its_place(
    exp: Path, tmp_path: Path, batch_frames: int
) -> None:
    lengths = {f"u{n:02}": length for n, length in enumerate([90, 15, 33, 70, 16, 100, 47, 64, 20, 99])}
    feats = write_feats(tmp_path / "feats", lengths)
    out = tmp_path / "vectors.ark"
    files = [f"scp:{tmp_path}/feats.scp", f"ark:{out}"]
    assert main(["--exp", str(exp), "--batch-frames", str(batch_frames), *files]) == 0
    made = read_vectors(out)
    assert list(made) == list(feats)
    for utt_id, vector in made.items():
        assert vector.dtype == np.float32 and vector.shape == (6,)
        # the same sums in another order: float32's 1e-7 times a few hundred terms
        np.testing.assert_allclose(vector, one_by_one(exp, feats[utt_id]), atol=1e-5, rtol=0)


def test_an_utterance_longer_than_a_batch_is_the_mean_of_equal_pieces(exp: Path, tmp_path: Path) -> None:
    feats = write_feats(tmp_path / "feats", {"long": 250, "short": 40})
    out = tmp_path / "vectors.ark"
    limits = ["--batch-frames", "100", "--piece-frames", "100"]
    assert main(["--exp", str(exp), *limits, f"scp:{tmp_path}/feats.scp", f"ark:{out}"]) == 0
    pieces = np.array_split(feats["long"], 3)
    expected = sum(len(piece) / 250 * one_by_one(exp, piece) for piece in pieces)
    np.testing.assert_allclose(read_vectors(out)["long"], expected, atol=1e-5, rtol=0)


def test_short_utterances_are_embedded_and_unusable_ones_dropped_with_their_names(
    exp: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feats = write_feats(tmp_path / "feats", {"good": 30, "nan": 30, "one": 1})
    feats["nan"][7, 3] = np.nan
    with writer(f"ark:{tmp_path}/feats.ark", FLOAT_MATRIX) as out:
        for utt_id, rows in feats.items():
            out.write(utt_id, rows)
        out.write("empty", np.zeros((0, 0), np.float32))
    caplog.set_level("INFO")
    assert main(["--exp", str(exp), f"ark:{tmp_path}/feats.ark", f"ark:{tmp_path}/vectors.ark"]) == 0
    made = read_vectors(tmp_path / "vectors.ark")
    assert list(made) == ["good", "one"] and np.isfinite(made["one"]).all()
    assert "dropped nan: frame 7, bin 3 is nan" in caplog.text
    assert "dropped empty: 0 frames, expected >= 1" in caplog.text
    assert "2 embeddings of 4 utterances, 2 dropped" in caplog.text


def test_nothing_embedded_is_a_failure(exp: Path, tmp_path: Path) -> None:
    with writer(f"ark:{tmp_path}/feats.ark", FLOAT_MATRIX) as out:
        out.write("empty", np.zeros((0, 0), np.float32))
    assert main(["--exp", str(exp), f"ark:{tmp_path}/feats.ark", f"ark:{tmp_path}/vectors.ark"])


def test_other_feature_bins_than_in_training_are_an_error(exp: Path, tmp_path: Path) -> None:
    write_feats(tmp_path / "feats", {"a": 30}, dim=5)
    message = refusal(main, ["--exp", str(exp), f"scp:{tmp_path}/feats.scp", f"ark:{tmp_path}/vectors.ark"])
    assert "a: features have 5 bins, the model was trained on 8" in message


def test_a_device_without_enough_memory_is_reported_with_the_way_out(
    exp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(groups_module, "embed_batch", full)
    write_feats(tmp_path / "feats", {"a": 30})
    message = refusal(main, ["--exp", str(exp), f"scp:{tmp_path}/feats.scp", f"ark:{tmp_path}/vectors.ark"])
    assert "CUDA out of memory.; lower --batch-frames" in message


def test_a_model_that_does_not_lengthen_drops_short_utterances(
    exp: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = load_checkpoint(exp / "best.pt")
    checkpoint.config["encoder"]["pad_short"] = False
    save_checkpoint(tmp_path / "strict.pt", checkpoint)
    write_feats(tmp_path / "feats", {"a": 14, "b": 15})
    files = [f"scp:{tmp_path}/feats.scp", f"ark:{tmp_path}/vectors.ark"]
    assert main(["--exp", str(exp), "--checkpoint", str(tmp_path / "strict.pt"), *files]) == 0
    assert list(read_vectors(tmp_path / "vectors.ark")) == ["b"]
    assert "dropped a: 14 frames, expected >= 15" in caplog.text


def test_a_missing_checkpoint_or_table_is_an_error_that_names_it(exp: Path, tmp_path: Path) -> None:
    message = refusal(main, ["--exp", str(tmp_path / "nowhere"), "scp:x", "ark:y"])
    assert "nowhere/best.pt: no such checkpoint" in message
    message = refusal(main, ["--exp", str(exp), f"scp:{tmp_path}/missing.scp", f"ark:{tmp_path}/v.ark"])
    assert "missing.scp" in message


@pytest.mark.slow
def test_the_program_writes_to_standard_output_and_nothing_else_there(exp: Path, tmp_path: Path, root: Path) -> None:
    write_feats(tmp_path / "feats", {"a": 30})
    command = [sys.executable, "-m", "nnet.extract", "--exp", str(exp), f"scp:{tmp_path}/feats.scp", "ark,t:-"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("a  [ ") and len(done.stdout.splitlines()) == 1
    assert done.stderr.splitlines()[-1] == "INFO (nnet.extract) 1 embeddings of 1 utterances, 0 dropped"
