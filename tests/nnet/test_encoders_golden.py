"""Published weights in these encoders give the published embeddings.

The key of a published tensor maps to a parameter's name by a prefix; everything else about the network is read off the
shapes, but for the eight heads, which no shape shows.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nnet.encoders import LstmOptions, QueryTransformerOptions
from nnet.encoders.query_transformer import QueryTransformer
from nnet.encoders.recurrent import Lstm
from nnet.pooling import POOLINGS
from nnet.pooling.statistics import MeanPooling

LSTM_PREFIXES = {"lstm.": "rnn."}
TRANSFORMER_PREFIXES = {"linear_layer.": "input.", "encoder.": "encoder.", "decoder.": "decoder."}
NAMES = (
    "bilstm.mean.all",
    "bilstm.mean.all.specaug",
    "bilstm.mean.clean100",
    "bilstm.mean.clean100.specaug",
    "transformer.clean100.specaug",
)
TOLERANCE = 1e-5  # float32 sums in another order, and seven decimals in the file


@pytest.fixture
def checkpoints(shared: Path) -> Path:
    folder = shared / "checkpoints"
    if not folder.is_dir():
        pytest.skip("../shared/checkpoints is not here")
    return folder


def renamed(weights: dict[str, torch.Tensor], prefixes: dict[str, str]) -> dict[str, torch.Tensor]:
    """Each key with its one known prefix replaced."""
    mapped = {}
    for key, tensor in weights.items():
        (prefix,) = [each for each in prefixes if key.startswith(each)]
        mapped[prefixes[prefix] + key.removeprefix(prefix)] = tensor
    return mapped


def load_encoder(weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    if "lstm.weight_ih_l0" in weights:
        lstm: torch.nn.Module = Lstm(LstmOptions(), weights["lstm.weight_ih_l0"].shape[1])
        lstm.load_state_dict(renamed(weights, LSTM_PREFIXES))
        return lstm.eval()
    transformer = QueryTransformer(QueryTransformerOptions(heads=8), weights["linear_layer.weight"].shape[1])
    transformer.load_state_dict(renamed(weights, TRANSFORMER_PREFIXES))
    return transformer.eval()


def golden_input() -> torch.Tensor:
    t, f = torch.arange(1, 101, dtype=torch.float64), torch.arange(1, 41, dtype=torch.float64)
    return (10 * torch.sin(0.01 * t[:, None] * f)).float()[None]  # (1, 100, 40)


@pytest.mark.parametrize("name", NAMES)
def test_published_weights_give_the_published_embedding(name: str, checkpoints: Path) -> None:
    file = f"saved_model.{name}.gpu100000.pt"
    golden = json.loads((checkpoints / "golden.json").read_text())["embeddings"][file]
    saved = torch.load(checkpoints / file, weights_only=True, map_location="cpu")
    encoder = load_encoder(saved["encoder_state_dict"])
    padded = torch.nn.functional.pad(golden_input(), (0, 0, 0, 20), value=float("nan")).repeat(2, 1, 1)
    padded[1] = 0.0  # beside it an utterance that fills the batch, so that the golden one is padded
    pool = MeanPooling(POOLINGS["mean"](), encoder.out_dim)
    with torch.no_grad():
        alone = pool(*encoder(golden_input(), torch.tensor([100])))
        beside = pool(*encoder(padded, torch.tensor([100, 120])))
    torch.testing.assert_close(alone[0], torch.tensor(golden), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(beside[0], torch.tensor(golden), atol=TOLERANCE, rtol=0)
