"""github.com/CODEJIN/Speaker_Embedding_Torch: a transformer with positions of a learnt scale on log mel.

A file is {Model, Optimizer, Scheduler, Steps}. The positions, 1024 of them, lie in the file; they are computed here, so
they are compared and left out. The released checkpoint saw mels up to 8000 Hz, as its own settings say, while the
published program now takes them up to 11 025 Hz: features.config says which. GE2E's w and b are not in the file.
"""

from __future__ import annotations

from nnet.encoders.scaled_transformer import sinusoids
from nnet.errors import NnetError
from nnet.imports.table import Choices, Plan, Rule, Sections, System, Tensors, count, shape_of

SOURCE = "github.com/CODEJIN/Speaker_Embedding_Torch"
RULES = (
    Rule(r"prenet\.weight", "encoder.prenet.weight", axis="dropped"),
    Rule(r"prenet\.bias", "encoder.prenet.bias"),
    Rule(r"positional_encoding\.alpha", "encoder.alpha"),
    Rule(r"positional_encoding\.pe", None, because="these positions are computed; they were compared"),
    Rule(r"transformer\.(.+)", "encoder.transformer.{1}"),
    Rule(r"projection\.weight", "embedding.weight", axis="dropped"),
    Rule(r"projection\.bias", "embedding.bias"),
)
HEADS = 4
POSITION_TOLERANCE = 1e-3  # float32 angles up to 1023 are right to 6e-5, computed in another order to twice that


def plan(tensors: Tensors, choices: Choices) -> Plan:
    """Prenet, positions, transformer, its first frame, an affine layer, length 1; the mean over slices before that."""
    width, dim, _ = shape_of(tensors, "prenet.weight", 3)
    check_positions(tensors, width)
    sections: Sections = {
        "features": {
            "type": "logmel",
            "config": "conf/logmel_hifigan_8k.conf",
            "dim": dim,
            "cmvn": False,
            "vad": False,
        },
        "encoder": {
            "name": "scaled_transformer",
            "width": width,
            "heads": choices.heads or HEADS,
            "layers": count(tensors, r"transformer\.layers\.\d+\.linear1\.weight"),
            "feed_forward": shape_of(tensors, "transformer.layers.0.linear1.weight", 2)[0],
        },
        "pooling": {"name": "first"},
        "embedding": {"dim": shape_of(tensors, "projection.weight", 3)[0], "normalise": True},
        "head": {"batch_norm": False, "relu": False, "hidden": []},
        "loss": {"name": "ge2e", "variant": "softmax", "leave_one_out": False, "w": 10.0, "b": -5.0},
        "inference": {"mode": "slices", "window": 240, "step": 120, "count": 5, "mean_of": "affine"},
    }
    assumed = ("features.config",) if choices.heads else ("features.config", "encoder.heads")
    return Plan("transformer_ge2e", sections, RULES, assumed=assumed)


def check_positions(tensors: Tensors, width: int) -> None:
    """Check that the file's positions are those that the encoder computes.

    Raises:
        NnetError: they differ, and with them what the network was trained on.
    """
    key = "positional_encoding.pe"
    if key not in tensors:
        return
    one, channels, positions = shape_of(tensors, key, 3)
    if (one, channels) != (1, width) or width % 2:
        raise NnetError(f"{key}: its shape is {(one, channels, positions)}, expected (1, {width}, positions)")
    difference = float((tensors[key][0].T - sinusoids(positions, width)).abs().max())
    if difference > POSITION_TOLERANCE:
        raise NnetError(
            f"{key}: differs by up to {difference:.3g} from sines and cosines of t · 10000^(−c / C), which the encoder"
            " computes; the network was trained on other positions and would give other embeddings here"
        )


SYSTEMS = (
    System(
        name="cj_transformer",
        format="cj",
        source=SOURCE,
        signature=(r"prenet\.weight", r"positional_encoding\.alpha", r"projection\.weight"),
        plan=plan,
        holders={"Model": ""},
        beside=("Optimizer", "Scheduler", "Steps"),
        steps="Steps",
        options=("heads",),
    ),
)
