"""Embeddings over windows: against a slow loop, whatever the batches, and through the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, sequential, writer
from nnet.config.experiment import load as load_config
from nnet.config.sections import InferenceOptions
from nnet.extract import main
from nnet.inference import groups as groups_module
from nnet.inference.groups import embed_group
from nnet.inference.limits import BatchLimits
from nnet.inference.loading import Model, load_model
from nnet.inference.windows import WindowCounts, cut_windows, lengthened
from nnet.model import build
from nnet.train import main as train
from nnet.training.checkpoint import load_checkpoint, save_checkpoint
from tests.nnet.helpers.refusals import refusal

CPU = torch.device("cpu")
LENGTHS = [90, 15, 33, 70, 16, 100, 47, 64, 1, 99]
# The same sums in another order: float32's 1e-7 times a few hundred terms.
TOLERANCE = 1e-5


def model(tiny_corpus: Any, inference: InferenceOptions, *settings: str) -> Model:
    torch.manual_seed(0)
    net = build(load_config(tiny_corpus.config, settings), 6).eval()
    unit, net.normalise = net.normalise, net.normalise and inference.mean_of == "embeddings"
    return Model(net, 8, 1, CPU, inference, unit)


def utterances(lengths: list[int] = LENGTHS) -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    return [(f"u{n:02}", rng.normal(size=(length, 8)).astype(np.float32)) for n, length in enumerate(lengths)]


def embed_one(made: Model, rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return made.net.embed(torch.tensor(rows)[None], torch.tensor([len(rows)]))[0].double().numpy()


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def slow(made: Model, rows: np.ndarray) -> np.ndarray:
    """Window by window, one at a time."""
    whole = lengthened(rows, made.inference)
    vectors = [embed_one(made, whole[start:stop]) for start, stop in cut_windows(len(rows), made.inference).spans]
    if made.inference.normalise:
        vectors = [unit(vector) for vector in vectors]
    mean = np.mean(vectors, axis=0)
    return unit(mean) if made.unit else mean


MODES = [
    {"mode": "whole"},
    {"mode": "windows", "window": 20, "step": 10},
    {"mode": "windows", "window": 20, "step": 7, "tail": "keep"},
    {"mode": "windows", "window": 30, "step": 20, "tail": "shift", "normalise": True},
    {"mode": "slices", "window": 20, "step": 10, "count": 4},
    {"mode": "slices", "window": 20, "step": 10, "count": 4, "normalise": True},
]


@pytest.mark.parametrize("options", MODES, ids=str)
@pytest.mark.parametrize("batch_frames", [1, 100, 60000])
def test_embeddings_equal_a_slow_loop_whatever_the_batches(
    tiny_corpus: Any, options: dict[str, Any], batch_frames: int
) -> None:
    made = model(tiny_corpus, InferenceOptions(**options))
    group = utterances()
    found = embed_group(made, group, BatchLimits(batch_frames, 60000), WindowCounts())
    assert found.dtype == np.float32 and found.shape == (len(group), 6)
    for vector, (_, rows) in zip(found, group, strict=True):
        np.testing.assert_allclose(vector, slow(made, rows), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("mean_of", ["embeddings", "affine"])
@pytest.mark.parametrize("options", [{"mode": "windows", "window": 20, "step": 10}, {"mode": "slices", "window": 20}])
def test_a_normalised_model_gives_means_of_length_one(tiny_corpus: Any, options: dict[str, Any], mean_of: Any) -> None:
    made = model(tiny_corpus, InferenceOptions(**options, mean_of=mean_of), "embedding.normalise=true")
    group = utterances()
    found = embed_group(made, group, BatchLimits(500, 60000), WindowCounts())
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    for vector, (_, rows) in zip(found, group, strict=True):
        np.testing.assert_allclose(vector, slow(made, rows), atol=TOLERANCE, rtol=0)


def test_the_mean_before_the_norm_is_the_affine_layer_of_the_mean_of_the_pooled(tiny_corpus: Any) -> None:
    options = InferenceOptions(mode="slices", window=20, step=10, count=5, mean_of="affine")
    made = model(tiny_corpus, options, "embedding.normalise=true")
    ((_, rows),) = utterances([80])
    windows = torch.tensor(np.stack([rows[start:stop] for start, stop in cut_windows(80, options).spans]))
    with torch.inference_mode():
        frames, lengths = made.net.encoder(windows, torch.full((5,), 20))
        pooled = made.net.pooling(frames, lengths).mean(dim=0, keepdim=True)  # the slices' mean before the projection
        expected = torch.nn.functional.normalize(made.net.embedding(pooled))[0].numpy()
    found = embed_group(made, [("a", rows)], BatchLimits(500, 60000), WindowCounts())[0]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)


def test_windows_of_several_utterances_share_a_batch(tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = model(tiny_corpus, InferenceOptions(mode="windows", window=20, step=10))
    sizes: list[int] = []
    real = groups_module.embed_batch

    def watched(net: Any, rows: Any, device: torch.device) -> torch.Tensor:
        sizes.append(len(rows))
        return real(net, rows, device)

    monkeypatch.setattr(groups_module, "embed_batch", watched)
    embed_group(made, utterances([40] * 12), BatchLimits(400, 400), WindowCounts())
    assert sizes == [20, 16]  # 36 windows of 20 frames, 400 frames a batch


def test_a_long_utterance_needs_batches_no_larger(tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = model(tiny_corpus, InferenceOptions(mode="windows", window=100, step=50))
    frames: list[int] = []
    real = groups_module.embed_batch

    def watched(net: Any, rows: Any, device: torch.device) -> torch.Tensor:
        frames.append(sum(map(len, rows)))
        return real(net, rows, device)

    monkeypatch.setattr(groups_module, "embed_batch", watched)
    counts = WindowCounts()
    embed_group(made, utterances([60000]), BatchLimits(12000, 60000), counts)  # ten minutes
    assert max(frames) == 12000 and counts.windows == 1199


def test_a_window_longer_than_a_piece_is_the_mean_of_pieces(tiny_corpus: Any) -> None:
    made = model(tiny_corpus, InferenceOptions(mode="windows", window=200, step=100))
    group = utterances([300])
    found = embed_group(made, group, BatchLimits(100, 100), WindowCounts())[0]
    halves = [embed_one(made, group[0][1][at : at + 100]) for at in (0, 100, 100, 200)]
    np.testing.assert_allclose(found, np.mean(halves, axis=0), atol=TOLERANCE, rtol=0)


TRANSFORMER = (
    "encoder={name: query_transformer, width: 8, heads: 2, layers: 1, feed_forward: 16}",
    *("pooling={name: mean}", "embedding={dim: null}"),
)


def test_an_encoder_that_says_max_frames_is_given_no_more_at_once(
    tiny_corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model(tiny_corpus, InferenceOptions(), *TRANSFORMER)
    assert made.net.max_frames == 6000 and BatchLimits(12000, 60000).of(made.net) == BatchLimits(6000, 6000)
    monkeypatch.setattr(made.net.encoder, "max_frames", 40)
    shapes: list[tuple[int, ...]] = []
    made.net.encoder.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape[:2])))
    group = utterances([100, 12, 40, 41, 13])
    found = embed_group(made, group, BatchLimits(12000, 60000), WindowCounts())
    assert max(rows * frames for rows, frames in shapes) == 40 and (2, 13) in shapes
    for vector, (_, rows) in zip(found, group, strict=True):
        pieces = np.array_split(rows, -(-len(rows) // 40))  # 100 is 34, 33 and 33; 41 is 21 and 20
        expected = sum(len(piece) / len(rows) * embed_one(made, piece) for piece in pieces)
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", ["query_transformer", "scaled_transformer"])
def test_attention_says_max_frames_and_convolutions_say_none(tiny_corpus: Any, name: str) -> None:
    made = model(tiny_corpus, InferenceOptions(), f"encoder={{name: {name}, width: 8, heads: 2}}", *TRANSFORMER[1:])
    assert made.net.max_frames == 6000
    tdnn = model(tiny_corpus, InferenceOptions())
    assert tdnn.net.max_frames is None and BatchLimits(12000, 60000).of(tdnn.net) == BatchLimits(12000, 60000)


@pytest.fixture
def exp(tiny_corpus: Any, tmp_path: Path) -> Path:
    settings = ("training.steps=3", "inference={mode: windows, window: 30, step: 15}")
    assert train(tiny_corpus.command(tmp_path / "exp", *settings)) == 0
    with writer(f"ark:{tmp_path}/feats.ark", FLOAT_MATRIX) as out:
        for utt_id, rows in utterances([90, 20, 31]):
            out.write(utt_id, rows)
    return tmp_path / "exp"


def run(exp: Path, *options: str) -> dict[str, np.ndarray]:
    out = exp.parent / "vectors.ark"
    arguments = ["--exp", str(exp), *options, f"ark:{exp.parent}/feats.ark", f"ark:{out}"]
    assert main(arguments) == 0
    with sequential(f"ark:{out}", FLOAT_VECTOR) as table:
        return {utt_id: np.array(vector) for utt_id, vector in table}


def test_the_saved_section_says_how_and_an_override_changes_it_without_training(
    exp: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    saved = run(exp)
    assert (
        "windows of 30 frames each 15: 7 of 3 utterances, 1 shorter than a window embedded whole, 1 frames at the end"
        " of 1 in no window" in caplog.text
    )
    made = load_model(exp / "best.pt", CPU)
    for utt_id, rows in utterances([90, 20, 31]):
        np.testing.assert_allclose(saved[utt_id], slow(made, rows), atol=TOLERANCE, rtol=0)
    whole = run(exp, "--inference", "mode=whole")
    np.testing.assert_allclose(whole["u00"], embed_one(made, utterances([90])[0][1]), atol=TOLERANCE, rtol=0)
    assert np.abs(saved["u00"] - whole["u00"]).max() > 1e-4 > np.abs(saved["u01"] - whole["u01"]).max()


def test_short_utterances_are_dropped_where_the_option_says_so(exp: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert list(run(exp, "--inference", "short=drop")) == ["u00", "u02"]
    assert "dropped u01: 20 frames, expected >= 30" in caplog.text
    assert "2 embeddings of 3 utterances, 1 dropped" in caplog.text


def test_a_wrong_override_is_an_error(exp: Path) -> None:
    files = [f"ark:{exp.parent}/feats.ark", f"ark:{exp.parent}/vectors.ark"]
    message = refusal(main, ["--exp", str(exp), "--inference", "mode=slice", *files])
    assert 'inference.mode is "slice"; choose one of: slices, whole, windows' in message


def test_windows_too_short_for_a_network_that_does_not_lengthen_are_an_error(exp: Path) -> None:
    state = load_checkpoint(exp / "best.pt")
    state.config["encoder"]["pad_short"] = False
    save_checkpoint(exp / "strict.pt", state)
    files = [f"ark:{exp.parent}/feats.ark", f"ark:{exp.parent}/vectors.ark"]
    strict = ["--exp", str(exp), "--checkpoint", str(exp / "strict.pt")]
    message = refusal(main, [*strict, "--inference", "window=14", *files])
    assert "inference.window is 14, expected 15 frames or more" in message


def test_a_config_that_differs_in_inference_alone_is_reported_how_to_use_it(exp: Path, tiny_corpus: Any) -> None:
    message = refusal(
        train, tiny_corpus.command(exp, "training.steps=3", "inference={mode: slices, window: 30, step: 15}")
    )
    assert "inference.mode (was 'windows', now 'slices'); this needs no training" in message


def test_pieces_too_short_for_an_encoder_that_lengthens_nothing_are_refused(tiny_corpus: Any) -> None:
    wave = (
        "features={type: samples, config: conf/samples.conf, dim: 160, cmvn: false, vad: false}",
        "encoder={name: convgru, channels: 8, width: 8}",
        "pooling={name: mean}",
    )
    made = model(tiny_corpus, InferenceOptions(), *wave)
    least = made.net.needed_frames
    assert least > 1
    with pytest.raises(InputError, match=rf"--piece-frames is {2 * least - 2}, .* needs {least} frames"):
        BatchLimits(4, 2 * least - 2).of(made.net)
    group = [("a", np.ones((2 * least, 160), np.float32))]  # two pieces of the fewest frames
    assert np.isfinite(embed_group(made, group, BatchLimits(4, 2 * least - 1), WindowCounts())).all()
