"""The first frame, which is also the worked example of how to add a pooling."""

from __future__ import annotations

from pathlib import Path

import torch

from nnet.pooling import POOLINGS
from nnet.pooling.first import FirstPooling

EXAMPLE = ("README.md", "docs/how-to/new-pooling.md")  # one of them has it


def test_the_first_frame_of_each_utterance_is_given() -> None:
    frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    pooling = FirstPooling(POOLINGS["first"](), 2)
    assert pooling(frames, torch.tensor([2, 1])).tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert pooling.out_dim == 2


def test_the_example_in_the_docs_is_what_the_files_hold(root: Path) -> None:
    texts = [(root / name).read_text(encoding="utf-8") for name in EXAMPLE if (root / name).exists()]
    (text,) = (text for text in texts if "class FirstPooling" in text)
    source = (root / "nnet/pooling/first.py").read_text(encoding="utf-8")
    table = (root / "nnet/pooling/__init__.py").read_text(encoding="utf-8")
    line = '"first": PoolingOptions.without_options("nnet.pooling.first:FirstPooling", "The first frame."),'
    assert source[source.index("import torch") :] in text
    assert line in text and line in table
    assert "pooling: {name: first}" in text
