"""What the commands of the i-vector extractor refuse: wrong input, damaged files, options out of range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import POSTERIOR, write_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from tests.minikaldi.helpers.extractor_calls import accumulate, extract, write_small_case
from tests.minikaldi.helpers.running import make_table, run, table
from tests.minikaldi.helpers.slow_extractor import random_extractor


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small case, where the commands run."""
    write_small_case(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("call", [extract, accumulate])
def test_wrong_features_and_posteriors_are_refused(
    folder: Path, call: Callable[[], int], capfd: pytest.CaptureFixture[str]
) -> None:
    feats, post = table("ark:feats.ark"), table("ark:post.ark", POSTERIOR)
    for value, message in (
        (np.hstack([feats["a"], feats["a"]]), "a: Feature dimension mismatch, expected 3, got 6"),
        (np.where(np.arange(36).reshape(12, 3) == 7, np.nan, feats["a"]), "a: the features hold NaN or infinity"),
        (np.where(np.arange(36).reshape(12, 3) == 7, np.inf, feats["a"]), "a: the features hold NaN or infinity"),
    ):
        make_table("ark:feats.ark", {"a": value.astype(np.float32)})
        assert call() == 255
        assert message in capfd.readouterr().err
    make_table("ark:feats.ark", {"a": feats["a"]})
    for frame, message in (
        ([(5, 1.0)], "a: the posteriors have a Gaussian 5, the i-vector extractor has 0 to 4"),
        ([(-1, 1.0)], "a: the posteriors have a Gaussian -1"),
        ([(1, float("nan"))], "a: the posteriors hold NaN or infinity"),
    ):
        make_table("ark:post.ark", {"a": [*post["a"][:-1], frame]}, POSTERIOR)
        assert call() == 255
        assert message in capfd.readouterr().err


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_truncated_models_and_statistics_are_refused(
    folder: Path, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    assert accumulate() == 0
    for name in ("model.ie", "acc"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(share * len(data))])
    assert run("ivector-extractor-copy", "model.ie", "copy.ie")[0] == 255
    assert "model.ie" in capfd.readouterr().err
    write_object("model.ie", EXTRACTOR, random_extractor())
    assert run("ivector-extractor-est", "model.ie", "acc", "next.ie")[0] == 255
    assert "acc" in capfd.readouterr().err
    assert not (folder / "next.ie").exists()


def test_parts_of_a_model_that_do_not_fit_are_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = (folder / "model.ie").read_bytes()
    at = data.index(b"<w_vec> DV ") + len(b"<w_vec> DV ")
    short = data[: at + 1] + b"\4" + data[at + 2 : at + 5] + data[at + 13 :]  # one weight fewer
    (folder / "model.ie").write_bytes(short)
    assert extract() == 255
    assert "i-vector extractor of 5 Gaussians" in capfd.readouterr().err


def test_statistics_of_different_models_are_not_summed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert accumulate() == accumulate("--update-variances=false", out="plain") == 0
    extractor = random_extractor(num_gauss=6)
    write_object("model.ie", EXTRACTOR, extractor)
    assert accumulate(out="other") == 0
    for other, what in (("other", "gamma has the shape"), ("plain", "S has 0 matrices")):
        assert run("ivector-extractor-sum-accs", "acc", other, "sum")[0] == 255
        assert what in capfd.readouterr().err
    assert not (folder / "sum").exists()


def test_a_covariance_that_is_not_positive_definite_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    extractor = random_extractor()
    extractor.inv_covars[2] *= -1.0
    write_object("model.ie", EXTRACTOR, extractor)
    assert extract() == 255
    assert "not positive definite" in capfd.readouterr().err
    extractor = random_extractor()
    extractor.projections[1, 0, 0] = np.nan
    write_object("model.ie", EXTRACTOR, extractor)
    assert extract() == 255
    assert "NaN" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["ivector-extractor-init", "--ivector-dim=0", "final.ubm", "0.ie"], "--ivector-dim=0 is out of range"),
        (["ivector-extractor-est", "--variance-floor-factor=0", "model.ie", "acc", "x"], "more than 0 and at most 1"),
        (["ivector-extractor-est", "--variance-floor-factor=1.5", "model.ie", "acc", "x"], "more than 0 and at most 1"),
        (["ivector-extractor-acc-stats", "--num-samples-for-weights=1", "model.ie", "ark:x", "ark:y", "z"],
         "expected an integer >= 2"),
        (["ivector-extractor-acc-stats", "--cache-size=0", "model.ie", "ark:x", "ark:y", "z"],
         "expected an integer >= 1"),
        (["ivector-extract", "--spk2utt=ark:x", "--num-threads=2", "model.ie", "ark:x", "ark:y", "ark:z"],
         "exclude each other"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(
    folder: Path, argv: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv)[0] == 255
    assert message in capfd.readouterr().err
