"""The two mixtures and their files: constants by hand, round trips, old forms, conversions, refusals."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from common.errors import KaldiError
from minikaldi.gmm.conversions import diag_of_full, full_of_diag
from minikaldi.gmm.diag_gmm import DIAG_GMM, DiagGmm, diag_gmm, diag_gmm_of_moments
from minikaldi.gmm.full_gmm import FULL_GMM, FullGmm, full_gmm, full_gmm_of_moments
from minikaldi.io import Holder
from tests.minikaldi.helpers.slow_mixtures import random_diag, random_full, random_moments, slow_log_like

HOLDERS: list[tuple[Holder[Any], Any]] = [(DIAG_GMM, random_diag(3, 4)), (FULL_GMM, random_full(3, 4))]


def dump(holder: Holder[Any], value: object, binary: bool) -> bytes:
    stream = io.BytesIO()
    holder.write(stream, value, binary)
    return stream.getvalue()


def load(holder: Holder[Any], data: bytes) -> Any:
    return holder.read(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]


def parts_of(model: DiagGmm | FullGmm) -> list[np.ndarray]:
    return list(vars(model).values())


def test_constants_by_hand() -> None:
    """One dimension: w 0.5, μ 1, v 4: log 0.5 - (log 2π + log 4 + 1/4) / 2."""
    constant = np.log(0.5) - 0.5 * (np.log(2 * np.pi) + np.log(4) + 0.25)
    weights, means, variances = np.array([0.5, 0.5]), np.array([[1.0], [1.0]]), np.array([[4.0], [4.0]])
    diag = diag_gmm_of_moments(weights, means, variances)
    full = full_gmm_of_moments(weights, means, variances[:, :, None])
    np.testing.assert_allclose(diag.gconsts, constant, rtol=1e-6)  # float32
    np.testing.assert_allclose(full.gconsts, constant, rtol=1e-6)
    assert (diag.means_invvars.item(0), diag.inv_vars.item(0)) == (0.25, 0.25)


def test_constants_are_log_likelihoods_at_zero() -> None:
    moments = random_moments(3, 4)
    expected = [slow_log_like(np.zeros(4), *(part[gauss] for part in moments)) for gauss in range(3)]
    np.testing.assert_allclose(full_gmm_of_moments(*moments).gconsts, expected, rtol=1e-5)  # float32 parameters


def test_a_weight_of_zero_gives_minus_infinity() -> None:
    _, means, covars = random_moments(2, 3)
    assert full_gmm_of_moments(np.array([1.0, 0.0]), means, covars).gconsts[1] == -np.inf
    variances = np.diagonal(covars, axis1=1, axis2=2)
    assert diag_gmm_of_moments(np.array([1.0, 0.0]), means, variances).gconsts[1] == -np.inf


@pytest.mark.parametrize(("holder", "model"), HOLDERS)
def test_models_survive_binary_and_text(holder: Holder[Any], model: Any) -> None:
    for mine, theirs in zip(parts_of(load(holder, dump(holder, model, True))), parts_of(model), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)  # the constants are computed again
    for mine, theirs in zip(parts_of(load(holder, dump(holder, model, False))), parts_of(model), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-6)  # seven digits


@pytest.mark.parametrize(("holder", "model"), HOLDERS)
def test_old_tokens_and_missing_constants_are_read(holder: Holder[Any], model: Any) -> None:
    text = dump(holder, model, False).decode()
    kind = "Diag" if holder is DIAG_GMM else "Full"
    start, end = text.index("<GCONSTS>"), text.index("<WEIGHTS>")
    old = text[:start] + text[end:]
    old = old.replace(f"</{kind}GMM>", f"</{kind}GMMEnd>").replace(f"<{kind}GMM>", f"<{kind}GMMBegin>")
    np.testing.assert_allclose(load(holder, old.encode()).gconsts, model.gconsts, rtol=1e-5)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("holder", "model"), HOLDERS)
def test_a_model_that_is_cut_anywhere_is_refused(holder: Holder[Any], model: Any, binary: bool) -> None:
    data = dump(holder, model, binary)
    for cut in range(0, len(data.rstrip()) - 1, 7):
        with pytest.raises(KaldiError):
            load(holder, data[:cut])


@pytest.mark.parametrize(
    ("holder", "word", "found"),
    [
        (DIAG_GMM, b"<FullGMM>", "expected the token <DiagGMM>"),
        (FULL_GMM, b"<DiagGMM>", "expected the token <FullGMM>"),
        (FULL_GMM, b"<FullGMM> <MEANS>", "expected <GCONSTS> or <WEIGHTS>"),
    ],
)
def test_another_kind_of_file_is_refused(holder: Holder[Any], word: bytes, found: str) -> None:
    with pytest.raises(KaldiError, match=found):
        load(holder, word + b" ")


def test_parts_that_do_not_fit_are_refused() -> None:
    text = dump(DIAG_GMM, random_diag(3, 4), False).decode()
    weights = text[text.index("<WEIGHTS>") : text.index("<MEANS_INVVARS>")]
    with pytest.raises(KaldiError, match="2 weights"):
        load(DIAG_GMM, text.replace(weights, "<WEIGHTS> [ 0.5 0.5 ]\n").encode())


def test_a_covariance_that_is_not_positive_definite_is_refused_by_its_number() -> None:
    inverses = np.array([[1, 0, 1], [1, 2, 1]], np.float32)  # the second has the determinant -3
    with pytest.raises(KaldiError, match="Gaussian 1 is not positive definite"):
        full_gmm(np.array([0.5, 0.5]), np.zeros((2, 2)), inverses)
    with pytest.raises(KaldiError, match="constant of Gaussian 0 is NaN"):
        diag_gmm(np.array([1.0]), np.zeros((1, 2)), np.array([[1.0, -1.0]]))


def test_conversion_keeps_means_weights_and_variances() -> None:
    diag = random_diag(3, 4)
    back = diag_of_full(full_of_diag(diag))
    for mine, theirs in zip(parts_of(back), parts_of(diag), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)  # float32
    full = random_full(3, 4)
    variances = np.diagonal(full.covars(), axis1=1, axis2=2)
    np.testing.assert_allclose(diag_of_full(full).variances(), variances, rtol=1e-5)
    np.testing.assert_allclose(diag_of_full(full).means(), full.means(), rtol=1e-4, atol=1e-5)
