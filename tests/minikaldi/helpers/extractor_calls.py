"""A small extractor with utterances in files, and calls of its commands."""

from __future__ import annotations

from pathlib import Path

from minikaldi.io import POSTERIOR_ARRAYS, write_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from tests.minikaldi.helpers.running import make_table, run
from tests.minikaldi.helpers.slow_extractor import random_extractor, random_utterance


def write_small_case(folder: Path) -> None:
    """`model.ie`, `feats.ark` and `post.ark` of four utterances a, b, c, d."""
    extractor = random_extractor()
    write_object(str(folder / "model.ie"), EXTRACTOR, extractor)
    utterances = {key: random_utterance(extractor, 12 + 5 * place, place) for place, key in enumerate("abcd")}
    make_table(f"ark:{folder}/feats.ark", {key: feats for key, (feats, _) in utterances.items()})
    make_table(f"ark:{folder}/post.ark", {key: post for key, (_, post) in utterances.items()}, POSTERIOR_ARRAYS)


def extract(*options: str, feats: str = "ark:feats.ark", post: str = "ark:post.ark", model: str = "model.ie") -> int:
    """The exit code; the vectors are in iv.ark."""
    return run("ivector-extract", *options, model, feats, post, "ark:iv.ark")[0]


def accumulate(*options: str, out: str = "acc", feats: str = "ark:feats.ark", post: str = "ark:post.ark") -> int:
    """The exit code."""
    return run("ivector-extractor-acc-stats", *options, "model.ie", feats, post, out)[0]
