"""The part of benchmarks/ivector.py that measures the i-vector extractor: that it runs, and its data; not how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ivector_cases.extractor_data import (
    FRAMES,
    SMALLEST_SHARE,
    ExtractorSize,
    plain_product_seconds,
    write_model,
    write_utterances,
)
from minikaldi.io import FLOAT_MATRIX, POSTERIOR_ARRAYS, read_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from tests.minikaldi.helpers.running import table

SIZE = ExtractorSize(40, 3, 4)


def test_the_data_has_the_form_of_a_recipes(tmp_path: Path) -> None:
    write_model(tmp_path, SIZE, 0)
    write_utterances(tmp_path, SIZE, 4, 0)
    model = read_object(str(tmp_path / "model.ie"), EXTRACTOR)
    assert model.projections.shape == (40, 3, 4)
    feats = table(f"ark:{tmp_path}/feats.ark", FLOAT_MATRIX)
    posteriors = table(f"ark:{tmp_path}/post.ark", POSTERIOR_ARRAYS)
    assert len(feats) == len(posteriors) == 4
    assert list(table(f"ark:{tmp_path}/feats1.ark")) == list(feats)[:1]
    for key, found in posteriors.items():
        assert FRAMES[0] <= len(feats[key]) == found.num_frames < FRAMES[1]
        assert found.shares.min() >= SMALLEST_SHARE
        sums = np.add.reduceat(found.shares, np.cumsum(found.counts) - found.counts)
        np.testing.assert_allclose(sums, 1.0, atol=1e-5)
        assert found.indices.max() < 40


def test_operations_are_those_of_the_products() -> None:
    # U has 4 * 5 / 2 = 10 columns, the linear terms 3 * 4 = 12 numbers for each Gaussian
    assert SIZE.extraction_flops() == 2 * 40 * (10 + 12)
    assert SIZE.e_step_flops() == 2 * SIZE.extraction_flops()
    e_step, extraction, peak = plain_product_seconds(SIZE, 2)
    assert e_step > extraction > 0.0 and peak > 0.0


@pytest.mark.slow
def test_the_smallest_scale_runs_through(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "benchmarks/ivector.py", "--only", "extractor", "--scale", "tiny", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--tmp", str(tmp_path), "--json", str(out)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "AVX2" in done.stdout
    rows = json.loads(out.read_text())["rows"]
    assert {row["part"] for row in rows} == {"extractor"}
    for what in ("ivector-extractor-init", "E-step", "M-step", "extraction", "plain products", "loading"):
        assert any(what in row["what"] for row in rows), what
    assert all(row["ours"] > 0 for row in rows)
