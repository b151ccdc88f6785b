"""The commands of the i-vector extractor: files both ways, edges, what they log and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.gmm.full_gmm import FULL_GMM, full_gmm_of_moments
from minikaldi.io import FLOAT_VECTOR, POSTERIOR, read_object, write_object
from minikaldi.ivector.extractor import IvectorExtractor
from minikaldi.ivector.utterance_stats import BatchStats, WeightedFrames, batch_stats
from minikaldi.ivectorbin import speaker_extraction
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from minikaldi.ivectorbin.extractor_stats_holder import EXTRACTOR_STATS
from tests.minikaldi.helpers.extractor_calls import accumulate, extract, write_small_case
from tests.minikaldi.helpers.extractor_files import extractor_arrays
from tests.minikaldi.helpers.running import make_table, run, table
from tests.minikaldi.helpers.slow_extractor import random_extractor

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "inputs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small case, where the commands run."""
    write_small_case(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("binary", ["true", "false"])
@pytest.mark.parametrize("with_weights", [True, False])
def test_a_model_is_read_as_it_was_written(folder: Path, binary: str, with_weights: bool) -> None:
    extractor = random_extractor(with_weights=with_weights)
    write_object("given.ie", EXTRACTOR, extractor)
    assert run("ivector-extractor-copy", f"--binary={binary}", "given.ie", "copy.ie")[0] == 0
    given, copy = extractor_arrays(folder / "given.ie"), extractor_arrays(folder / "copy.ie")
    for name, values in given.items():  # text has seven digits
        np.testing.assert_allclose(copy[name], values, rtol=0 if binary == "true" else 1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["0.ie", "0.acc"])
@pytest.mark.parametrize("binary", [True, False])
def test_kaldis_files_are_read_written_and_read_again(tmp_path: Path, name: str, binary: bool) -> None:
    holder = EXTRACTOR if name.endswith("ie") else EXTRACTOR_STATS
    write_object(str(tmp_path / name), holder, read_object(str(GOLDEN / name), holder), binary)  # type: ignore[arg-type]
    if binary:
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()
    given, again = extractor_arrays(GOLDEN / name), extractor_arrays(tmp_path / name)
    for part, values in given.items():
        np.testing.assert_allclose(again[part], values, rtol=1e-6, err_msg=part)


def test_kaldis_model_continues_here_and_its_statistics_in_text_give_the_same_model(tmp_path: Path) -> None:
    stats = read_object(str(GOLDEN / "0.acc"), EXTRACTOR_STATS)
    write_object(str(tmp_path / "acc.txt"), EXTRACTOR_STATS, stats, binary=False)
    for acc, out in ((GOLDEN / "0.acc", "binary.ie"), (tmp_path / "acc.txt", "text.ie")):
        assert run("ivector-extractor-est", str(GOLDEN / "0.ie"), str(acc), str(tmp_path / out))[0] == 0
    first, second = extractor_arrays(tmp_path / "binary.ie"), extractor_arrays(tmp_path / "text.ie")
    for name, values in first.items():
        scale = np.abs(values).max(initial=1e-30)
        # Text has seven digits, and a variance of 1 is the difference of second moments around 1e4.
        np.testing.assert_allclose(second[name], values, atol=1e-3 * scale, err_msg=name)


def test_kaldis_model_that_was_written_here_gives_kaldis_statistics(tmp_path: Path) -> None:
    kaldis = GOLDEN.parent / "cases" / "ie-acc" / "out" / "acc"
    tables = (f"ark:{GOLDEN}/iv.ark", f"ark:{GOLDEN}/post.ark")
    for binary in ("true", "false"):
        model, acc = str(tmp_path / "model.ie"), tmp_path / "acc"
        assert run("ivector-extractor-copy", f"--binary={binary}", str(GOLDEN / "0.ie"), model)[0] == 0
        assert run("ivector-extractor-acc-stats", model, *tables, str(acc))[0] == 0
        ours, expected = extractor_arrays(acc), extractor_arrays(kaldis)
        for name, values in expected.items():
            np.testing.assert_allclose(ours[name], values, atol=1e-4 * np.abs(values).max(initial=1e-30), err_msg=name)


@pytest.mark.parametrize("use_weights", ["true", "false"])
def test_a_new_extractor_has_the_means_and_covariances_of_the_ubm(folder: Path, use_weights: str) -> None:
    rng = np.random.default_rng(0)
    means, spread = rng.standard_normal((3, 2)), rng.standard_normal((3, 2, 2))
    covars = spread @ spread.transpose(0, 2, 1) + np.eye(2)
    write_object("final.ubm", FULL_GMM, full_gmm_of_moments(np.array([0.5, 0.3, 0.2]), means, covars))
    arguments = ("--ivector-dim=4", f"--use-weights={use_weights}", "final.ubm")
    assert run("ivector-extractor-init", *arguments, "0.ie")[0] == run("ivector-extractor-init", *arguments, "1.ie")[0]
    assert (folder / "0.ie").read_bytes() == (folder / "1.ie").read_bytes()
    extractor = read_object("0.ie", EXTRACTOR)
    assert extractor.projections.shape == (3, 2, 4)
    assert extractor.has_weight_projections == (use_weights == "true")
    np.testing.assert_allclose(extractor.prior_offset * extractor.projections[:, :, 0], means, atol=1e-5)
    np.testing.assert_allclose(extractor.inv_covars[:, 0], np.linalg.inv(covars)[:, 0, 0], rtol=1e-5)


def test_jobs_sum_to_the_statistics_of_one_job(folder: Path) -> None:
    assert accumulate() == 0
    for part in ("ab", "cd"):
        make_table(f"ark:{part}.ark", {key: table("ark:feats.ark")[key] for key in part})
        assert accumulate(out=f"{part}.acc", feats=f"ark:{part}.ark") == 0
    for parallel in ("true", "false"):
        arguments = (f"--parallel={parallel}", "ab.acc", "cat cd.acc |", "sum")
        assert run("ivector-extractor-sum-accs", *arguments)[0] == 0
        whole, both = extractor_arrays(folder / "acc"), extractor_arrays(folder / "sum")
        for name, values in whole.items():
            scale = np.abs(values).max(initial=1e-30)
            np.testing.assert_allclose(both[name], values, atol=1e-6 * scale, err_msg=name)


def test_cache_size_and_threads_do_not_change_the_statistics(folder: Path) -> None:
    assert accumulate() == accumulate("--cache-size=1", "--num-threads=4", "--num-threads-total=9", out="acc1") == 0
    whole, single = extractor_arrays(folder / "acc"), extractor_arrays(folder / "acc1")
    for name, values in whole.items():
        np.testing.assert_allclose(single[name], values, atol=1e-5 * np.abs(values).max(initial=1e-30), err_msg=name)


def test_options_leave_parts_out(folder: Path) -> None:
    assert accumulate("--update-variances=false", "--compute-auxf=false") == 0
    stats = read_object("acc", EXTRACTOR_STATS)
    assert stats.auxf == 0.0 and stats.scatter.size == 0
    before = read_object("model.ie", EXTRACTOR).inv_covars
    assert run("ivector-extractor-est", "--gaussian-min-count=1", "model.ie", "acc", "next.ie")[0] == 0
    np.testing.assert_array_equal(read_object("next.ie", EXTRACTOR).inv_covars, before)


def test_the_log_has_kaldis_lines(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert accumulate() == 0
    assert run("ivector-extractor-est", "--gaussian-min-count=1", "model.ie", "acc", "next.ie")[0] == 0
    assert extract(model="next.ie") == 0
    logged = capfd.readouterr().err
    for text in (
        "Done 4 files, 0 with errors.  Total frames 78", "Overall auxf/frame on training data was -",
        "Overall objective function improvement for M (mean projections) was ",
        "Overall objf impr/frame for variances was ", "Eigenvalues of iVector covariance range from ",
        "Overall auxf improvement from prior is ", "Setting iVector prior offset to ",
        "Overall objective-function improvement per frame was ", "The proportion of within-Gaussian variance explained",
        "Done 4 files, 0 with errors.  Total (weighted) frames 78",
        "Overall average objective-function change from estimating ivector was ",
    ):  # fmt: skip
        assert text in logged


def test_a_speakers_vector_comes_from_all_its_utterances(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "spk2utt").write_text("s1 a b\ns2 c\ns3 nobody\n")
    assert extract("--spk2utt=ark:spk2utt") == 0
    logged = capfd.readouterr().err
    assert "No features present for utterance nobody" in logged
    assert "No stats accumulated for speaker s3" in logged
    assert "Done 2 speakers; 1 with errors.  3 utterances were processed, 1 with errors." in logged
    speakers = table("ark:iv.ark", FLOAT_VECTOR)
    assert list(speakers) == ["s1", "s2"]
    feats, post = table("ark:feats.ark"), table("ark:post.ark", POSTERIOR)
    make_table("ark:joined.ark", {"s1": np.concatenate([feats["a"], feats["b"]]), "s2": feats["c"]})
    make_table("ark:joined_post.ark", {"s1": post["a"] + post["b"], "s2": post["c"]}, POSTERIOR)
    assert extract(feats="ark:joined.ark", post="ark:joined_post.ark") == 0
    for key, vector in table("ark:iv.ark", FLOAT_VECTOR).items():
        np.testing.assert_allclose(speakers[key], vector, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("most", "calls"), [(20, [1, 1, 1, 1]), (30, [2, 1, 1]), (60, [3, 1]), (100_000, [4])])
def test_the_frames_of_a_speaker_with_many_utterances_are_not_all_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, calls: list[int]
) -> None:
    # The posteriors have 24, 29, 50 and 57 pairs.
    (folder / "spk2utt").write_text("s1 a b c\ns2 d\ns3 nobody\n")
    assert extract("--spk2utt=ark:spk2utt") == 0
    expected = table("ark:iv.ark", FLOAT_VECTOR)
    held: list[int] = []

    def counted(utterances: Sequence[WeightedFrames], *rest: Any, **named: Any) -> BatchStats:
        held.append(len(utterances))
        return batch_stats(utterances, *rest, **named)

    monkeypatch.setattr(speaker_extraction, "batch_stats", counted)
    monkeypatch.setattr(speaker_extraction, "PAIRS_AT_ONCE", most)
    assert extract("--spk2utt=ark:spk2utt") == 0
    assert held == calls
    found = table("ark:iv.ark", FLOAT_VECTOR)
    assert list(found) == list(expected) == ["s1", "s2"]
    for key, vector in found.items():
        np.testing.assert_allclose(vector, expected[key], rtol=1e-5, atol=1e-6)


def test_max_count_scales_speakers_and_utterances_alike(folder: Path) -> None:
    (folder / "spk2utt").write_text("".join(f"{key} {key}\n" for key in "abcd"))
    assert extract("--max-count=5", "--acoustic-weight=0.5") == 0
    single = table("ark:iv.ark", FLOAT_VECTOR)
    assert extract("--max-count=5", "--acoustic-weight=0.5", "--spk2utt=ark:spk2utt") == 0
    for key, vector in table("ark:iv.ark", FLOAT_VECTOR).items():
        np.testing.assert_allclose(single[key], vector, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", [["--acoustic-weight=0"], ["--acoustic-weight=0", "--compute-objf-change=false"]])
def test_an_acoustic_weight_of_0_leaves_the_priors_mean(folder: Path, options: list[str]) -> None:
    assert extract(*options) == 0
    for vector in table("ark:iv.ark", FLOAT_VECTOR).values():
        np.testing.assert_array_equal(vector, np.zeros(4))


def test_utterances_without_fitting_posteriors_are_left_out_with_a_warning(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    post = table("ark:post.ark", POSTERIOR)
    make_table("ark:few.ark", {"a": post["a"][:-1], "c": post["c"]}, POSTERIOR)
    for call in (extract, accumulate):
        assert call(post="ark:few.ark") == 0
        logged = capfd.readouterr().err
        assert "Size mismatch between posterior 11 and features 12 for utterance a" in logged
        assert "No posteriors for utterance b" in logged
        assert "Done 1 files, 3 with errors." in logged
    assert list(table("ark:iv.ark", FLOAT_VECTOR)) == ["c"]
    make_table("ark:none.ark", {"z": post["a"]}, POSTERIOR)
    assert extract(post="ark:none.ark") == accumulate(post="ark:none.ark") == 1


def test_weights_that_depend_on_the_vector_work_through_the_commands(folder: Path) -> None:
    extractor = random_extractor(with_weights=True)
    write_object("model.ie", EXTRACTOR, extractor)
    assert accumulate("--num-samples-for-weights=3") == 0
    stats = read_object("acc", EXTRACTOR_STATS)
    assert stats.weight_quadratic.shape == (5, 10) and stats.weight_linear.shape == (5, 4)
    assert run("ivector-extractor-sum-accs", "acc", "acc", "sum")[0] == 0
    assert run("ivector-extractor-est", "--gaussian-min-count=1", "model.ie", "sum", "next.ie")[0] == 0
    assert extract(model="next.ie") == 0
    updated: IvectorExtractor = read_object("next.ie", EXTRACTOR)
    assert updated.has_weight_projections
    assert len(table("ark:iv.ark", FLOAT_VECTOR)) == 4
