"""The first frame, which is also the example of README.md."""

from __future__ import annotations

from pathlib import Path

import torch

from nnet.pooling import FirstOptions
from nnet.pooling.first import FirstPooling

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_frame_of_each_utterance_is_given() -> None:
    frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    pooling = FirstPooling(FirstOptions(), 2)
    assert pooling(frames, torch.tensor([2, 1])).tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert pooling.out_dim == 2


def test_the_example_in_the_readme_is_what_the_files_hold() -> None:
    docs = (ROOT / "README.md").read_text(encoding="utf-8")
    source = (ROOT / "nnet/pooling/first.py").read_text(encoding="utf-8")
    table = (ROOT / "nnet/pooling/__init__.py").read_text(encoding="utf-8")
    every = (ROOT / "tests/nnet/test_pooling.py").read_text(encoding="utf-8")
    assert source[source.index("class FirstPooling") :] in docs
    for line, text in (
        ('implementation: ClassVar[str] = "nnet.pooling.first:FirstPooling"', table),
        ('"first": FirstOptions,', table),
        ('"first": (FirstPooling, FirstOptions()),', every),
    ):
        assert line in docs
        assert line in text
