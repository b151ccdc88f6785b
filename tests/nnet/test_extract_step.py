"""The step that extracts: what it hands to nnet.extract."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.io import FLOAT_VECTOR, sequential
from nnet.train import main as train
from scoring.provenance import made_here, read_record


@pytest.mark.slow
def test_the_step_takes_embeddings_over_windows(tiny_corpus: Any, tmp_path: Path, root: Path) -> None:
    assert train(tiny_corpus.command(tmp_path / "exp", "training.steps=3")) == 0
    # Without the folder that kaldi_io, where it is imported, puts there.
    own = {name: value for name, value in os.environ.items() if name != "KALDI_ROOT"}
    vectors = {}
    for name, options in (("whole", []), ("windows", ["--inference", "mode=windows window=20  step=10"])):
        out = tmp_path / name
        command = ["steps/extract_embeddings.sh", *options, str(tmp_path / "exp"), str(tiny_corpus.root), str(out)]
        done = subprocess.run(command, cwd=root, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with sequential(f"scp:{out}/embedding.scp", FLOAT_VECTOR) as table:
            vectors[name] = np.array([vector for _, vector in table])
        log = (out / "log" / "extract.1.log").read_text()
        assert made_here(out)
        assert read_record(out / "extracted.yaml")["inference"] == options[1:]
        assert ("windows of 20 frames each 10: " in log) == (name == "windows")
    assert vectors["whole"].shape == vectors["windows"].shape == (48, 6)
    assert np.abs(vectors["whole"] - vectors["windows"]).max() > 1e-4
