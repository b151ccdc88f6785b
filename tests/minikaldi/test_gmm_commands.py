"""The commands of mixtures: what they write and report, pipes and `-`, and inputs that are wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.gmm.diag_gmm import DIAG_GMM
from minikaldi.gmm.diag_stats import DIAG_STATS
from minikaldi.gmm.full_gmm import FULL_GMM
from minikaldi.io import (
    FLOAT,
    FLOAT_VECTOR,
    GSELECT,
    POSTERIOR,
    POSTERIOR_ARRAYS,
    FrameIndices,
    read_object,
    write_object,
)
from tests.minikaldi.helpers.running import make_table, run, table
from tests.minikaldi.helpers.slow_mixtures import random_diag, random_frames, random_full, random_selection

SIZE, DIM = 5, 3
UTTS = {"a": 20, "b": 12, "c": 9}


class Folder:
    """A folder with models, features, selections and weights."""

    def __init__(self, path: Path) -> None:
        self.path = path
        write_object(str(path / "diag"), DIAG_GMM, random_diag(SIZE, DIM))
        write_object(str(path / "full"), FULL_GMM, random_full(SIZE, DIM))
        self.feats = {key: random_frames(frames, DIM, len(key) + frames) for key, frames in UTTS.items()}
        self.write("feats", self.feats)
        make_table(self["gselect"], {k: random_selection(n, SIZE, n) for k, n in UTTS.items()}, GSELECT)

    def __getitem__(self, name: str) -> str:
        """The table of this name."""
        return f"ark:{self.path}/{name}"

    def write(self, name: str, feats: dict[str, Any]) -> None:
        """A table of features."""
        make_table(self[name], feats)

    def file(self, name: str) -> str:
        """A file's name."""
        return str(self.path / name)

    def accumulate(self, *options: str, kind: str = "diag", feats: str = "feats") -> int:
        """The exit code; the statistics are `acc`."""
        command = "gmm-global-acc-stats" if kind == "diag" else "fgmm-global-acc-stats"
        return run(command, *options, self.file(kind), self[feats], self.file("acc"))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_gselect_reports_and_writes_likelihoods(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    likes = f"--write-likes=ark:{folder.file('likes')}"
    assert run("gmm-gselect", "--n=2", likes, folder.file("diag"), folder["feats"], folder["out"])[0] == 0
    selected = table(folder["out"], GSELECT)
    assert {key: (one.num_frames, set(one.counts.tolist())) for key, one in selected.items()} == {
        key: (frames, {2}) for key, frames in UTTS.items()
    }
    sums = table(folder["likes"], FLOAT)
    log = capfd.readouterr().err
    assert f"For 0'th file, average UBM likelihood over 20 frames is {sums['a'] / 20:.4g}"[:-1] in log
    total = f"Done 3 files, 0 with errors, average UBM log-likelihood is {sum(sums.values()) / 41:.4g}"[:-1]
    assert total in log and log.rstrip().endswith(" over 41 frames.")


def test_more_gaussians_than_there_are_is_a_warning(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("gmm-gselect", folder.file("diag"), folder["feats"], folder["out"])[0] == 0
    assert "You asked for 50 Gaussians but GMM only has 5, returning this many." in capfd.readouterr().err
    assert set(table(folder["out"], GSELECT)["a"].counts.tolist()) == {SIZE}
    assert run("gmm-gselect", "--n=0", folder.file("diag"), folder["feats"], folder["out"])[0] == 255


def test_selection_among_given_gaussians(folder: Folder) -> None:
    given = f"--gselect={folder['gselect']}"
    assert run("gmm-gselect", given, "--n=1", folder.file("diag"), folder["feats"], folder["out"])[0] == 0
    candidates, found = table(folder["gselect"], GSELECT)["c"], table(folder["out"], GSELECT)["c"]
    ends = np.cumsum(candidates.counts)
    lists = np.split(candidates.indices, ends[:-1])
    assert all(index in of_frame for index, of_frame in zip(found.indices, lists, strict=True))


def test_a_model_and_statistics_pass_through_pipes_and_standard_streams(folder: Folder) -> None:
    code, text = run("gmm-global-copy", "--binary=false", f"gmm-global-copy {folder.file('diag')} - |", "-")
    assert code == 0 and text.startswith(b"<DiagGMM> \n<GCONSTS>  [ ")
    assert run("gmm-global-to-fgmm", "-", folder.file("again"), stdin=text)[0] == 0
    found = read_object(folder.file("again"), FULL_GMM)
    np.testing.assert_allclose(found.weights, random_diag(SIZE, DIM).weights, rtol=1e-6)


def test_sums_of_jobs_are_those_of_one(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert folder.accumulate() == 0
    whole = read_object(folder.file("acc"), DIAG_STATS)
    for key, feats in folder.feats.items():
        folder.write(key, {key: feats})
        assert folder.accumulate(feats=key) == 0
        (folder.path / "acc").rename(folder.path / f"{key}.acc")
    parts = [folder.file(f"{key}.acc") for key in UTTS]
    assert run("gmm-global-sum-accs", "--binary=false", folder.file("sum"), *parts)[0] == 0
    assert f"Written stats to {folder.file('sum')}" in capfd.readouterr().err
    assert (folder.path / "sum").read_bytes().startswith(b"<GMMACCS> <VECSIZE> 3 <NUMCOMPONENTS> 5 <FLAGS> 7 ")
    summed = read_object(folder.file("sum"), DIAG_STATS)
    np.testing.assert_allclose(summed.squares, whole.squares, rtol=1e-5)


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_weights_scale_the_statistics_and_zeros_leave_frames_out(
    folder: Folder, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = {key: (np.arange(frames) % 2).astype(np.float32) for key, frames in UTTS.items()}
    weights["a"][:] = 0
    make_table(folder["weights"], weights, FLOAT_VECTOR)
    options = (f"--weights={folder['weights']}", f"--gselect={folder['gselect']}", "--verbose=2")
    assert folder.accumulate(*options, kind=kind) == 0
    log = capfd.readouterr().err
    assert "Done 3 files; 0 with errors." in log and " over 10 (weighted) frames." in log
    assert "File 'a': Average likelihood = nan over 0 frames." in log and "File 'b': Average likelihood = -" in log


@pytest.mark.parametrize(
    ("missing", "warning"),
    [
        ("weights", "No per-frame weights available for utterance b"),
        ("short weights", "Weights for utterance b have wrong dim 3 vs. 12"),
        ("gselect", "No gselect information for utterance b"),
        ("short gselect", "gselect information for utterance b has wrong size 1 vs. 12"),
    ],
)
def test_an_utterance_without_weights_or_gaussians_is_left_out(
    folder: Folder, missing: str, warning: str, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = {key: np.ones(frames, np.float32) for key, frames in UTTS.items()}
    gselect = table(folder["gselect"], GSELECT)
    if missing.startswith("short"):
        weights["b"] = np.ones(3, np.float32)
        gselect["b"] = FrameIndices(np.ones(1, np.int32), np.ones(1, np.int32))
    else:
        del weights["b"], gselect["b"]
    make_table(folder["weights"], weights, FLOAT_VECTOR)
    make_table(folder["gselect"], gselect, GSELECT)
    option = missing.split()[-1]
    assert folder.accumulate(f"--{option}={folder[option]}") == 0
    log = capfd.readouterr().err
    assert warning in log and "Done 2 files; 1 with errors." in log and "over 29 (weighted) frames" in log


def test_posteriors_skip_what_kaldi_skips(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.feats["b"][4, 1] = np.nan
    folder.write("feats", folder.feats)
    gselect = table(folder["gselect"], GSELECT)
    del gselect["a"]
    make_table(folder["gselect"], gselect, GSELECT)
    command = ["fgmm-global-gselect-to-post", "--min-post=0.1", "--verbose=2", folder.file("full"), folder["feats"]]
    assert run(*command, folder["gselect"], folder["post"])[0] == 0
    log = capfd.readouterr().err
    assert "No gselect information for utterance a" in log
    assert "Skipping utterance b because bad posterior-sum encountered (NaN?)" in log
    assert "Like/frame for utt c was -" in log and "Done 1 files; 2 had errors." in log
    (post,) = table(folder["post"], POSTERIOR).values()
    assert len(post) == 9 and all(sum(share for _, share in frame) == pytest.approx(1, abs=1e-6) for frame in post)
    assert all(share >= 0.1 for frame in post for _, share in frame)


def test_scales_by_utterance_and_by_zero(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["fgmm-global-gselect-to-post", folder.file("full"), folder["feats"], folder["gselect"], folder["post"]]
    assert run(*command)[0] == 0
    before = table(folder["post"], POSTERIOR_ARRAYS)
    make_table(folder["scales"], {"a": 2.0, "b": 0.0}, FLOAT)
    assert run("scale-post", folder["post"], folder["scales"], folder["scaled"])[0] == 0
    assert "Done 2 posteriors;  1 had no scales." in capfd.readouterr().err
    after = table(folder["scaled"], POSTERIOR_ARRAYS)
    assert np.array_equal(after["a"].shares, 2 * before["a"].shares)
    assert after["b"].counts.tolist() == [0] * 12 and "c" not in after
    assert run("scale-post", folder["post"], "half", folder["scaled"])[0] == 255
    assert "Bad second argument 'half' (expected scale or scale rspecifier)" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_an_update_mixes_up_and_repeats_itself(folder: Folder, kind: str) -> None:
    assert folder.accumulate(kind=kind) == 0
    est = "gmm-global-est" if kind == "diag" else "fgmm-global-est"
    options = ["--min-gaussian-occupancy=1", "--mix-up=8", "--perturb-factor=0.2"]
    models = [folder.file(name) for name in ("one", "two")]
    for model in models:
        assert run(est, *options, folder.file(kind), folder.file("acc"), model)[0] == 0
    assert Path(models[0]).read_bytes() == Path(models[1]).read_bytes()
    holder: Any = DIAG_GMM if kind == "diag" else FULL_GMM
    assert read_object(models[0], holder).num_gauss == 8


def wrong_inputs(folder: Folder) -> None:
    """Tables and models that are wrong, each in one way."""
    folder.write("wide", {"utt-w": random_frames(5, DIM + 1)})
    folder.write("empty", {"utt-e": np.zeros((0, 0), np.float32)})
    folder.write("nan", {"utt-n": np.full((4, DIM), np.nan, np.float32)})
    folder.write("huge", {"utt-1": random_frames(3, DIM), "utt-h": np.float32([[0] * DIM, [0] * DIM, [1e20] * DIM])})
    make_table(folder["middle"], {"utt-1": np.float32([1, 1, 1]), "utt-h": np.float32([1, 0, 1])}, FLOAT_VECTOR)
    folder.write("none", {})
    outside = FrameIndices(np.ones(20, np.int32), np.full(20, SIZE, np.int32))
    make_table(folder["outside"], {"a": outside}, GSELECT)
    unselected = FrameIndices(np.zeros(20, np.int32), np.zeros(0, np.int32))
    make_table(folder["unselected"], {"a": unselected}, GSELECT)
    for name in ("diag", "full"):
        data = (folder.path / name).read_bytes()
        (folder.path / f"{name}.cut").write_bytes(data[: len(data) // 2])
    write_object(folder.file("larger"), DIAG_GMM, random_diag(SIZE + 1, DIM))


WRONG = [
    ("gmm-gselect diag {wide} ark:/dev/null", 255, "utt-w: the features have 4 dimensions, the model 3"),
    ("gmm-global-acc-stats diag {wide} /dev/null", 255, "utt-w: the features have 4 dimensions, the model 3"),
    ("fgmm-global-acc-stats full {wide} /dev/null", 255, "utt-w: the features have 4 dimensions, the model 3"),
    ("gmm-gselect diag {empty} ark:/dev/null", 255, "utt-e: the features have no frames"),
    ("gmm-global-acc-stats diag {empty} /dev/null", 0, "frame = nan over 0 (weighted) frames."),
    ("fgmm-global-acc-stats full {empty} /dev/null", 0, "frame = nan over 0 (weighted) frames."),
    ("gmm-gselect diag {nan} ark:/dev/null", 255, "utt-n: frame 0 holds a value that is not finite"),
    ("fgmm-global-acc-stats full {nan} /dev/null", 255, "utt-n: frame 0 holds a value that is not finite"),
    ("gmm-global-acc-stats diag {huge} /dev/null", 255, "utt-h: frame 2: Invalid answer (overflow or invalid"),
    ("gmm-global-acc-stats --weights={middle} diag {huge} /dev/null", 255, "utt-h: frame 2: Invalid answer"),
    ("fgmm-global-acc-stats full {huge} /dev/null", 255, "utt-h: frame 2: Invalid answer (overflow or invalid"),
    ("gmm-global-init-from-feats {nan} /dev/null", 255, "utt-n: frame 0 holds a value that is not finite"),
    ("gmm-global-init-from-feats {none} /dev/null", 255, "no features"),
    ("gmm-global-init-from-feats --num-gauss=5 {feats} /dev/null", 255, "Too few frames to train on: found 41"),
    ("gmm-global-init-from-feats --num-gauss=0 {feats} /dev/null", 255, "--num-gauss=0"),
    ("gmm-gselect diag {none} ark:/dev/null", 1, "Done 0 files, 0 with errors"),
    ("gmm-global-acc-stats diag {none} /dev/null", 1, "Done 0 files; 0 with errors."),
    ("fgmm-global-gselect-to-post full {none} {gselect} ark:/dev/null", 1, "Done 0 files; 0 had errors."),
    ("gmm-global-acc-stats --gselect={outside} diag {feats} /dev/null", 255, "a: frame 0 selects Gaussian 5"),
    ("fgmm-global-gselect-to-post full {feats} {outside} ark:/dev/null", 255, "a: frame 0 selects Gaussian 5"),
    ("fgmm-global-gselect-to-post full {feats} {unselected} ark:/dev/null", 255, "a: frame 0 has no selected"),
    ("gmm-global-copy diag.cut /dev/null", 255, "truncated?"),
    ("fgmm-global-to-gmm full.cut /dev/null", 255, "full.cut: byte 179: expected the token <INV_COVARS>"),
    ("gmm-global-copy full /dev/null", 255, "expected the token <DiagGMM>, found '<FullGMM>'"),
    ("gmm-global-est larger acc /dev/null", 255, "the statistics are of 5 Gaussians"),
    ("gmm-global-est --update-flags=q diag acc /dev/null", 255, "found 'q', expected letters of mvw"),
    ("fgmm-global-est --max-condition=0 full acc /dev/null", 255, "--max-condition=0; expected a number >= 1"),
    ("fgmm-global-est --max-condition=nan full acc /dev/null", 255, "--max-condition=nan; expected a number >= 1"),
    ("fgmm-global-est --variance-floor=0 full acc /dev/null", 255, "--variance-floor=0; expected a number above 0"),
    ("gmm-global-sum-accs /dev/null acc full", 255, "expected the token <GMMACCS>"),
    ("gmm-global-sum-accs /dev/null", 1, "expected 2 or more arguments"),
]


@pytest.mark.parametrize(("line", "code", "message"), WRONG)
def test_wrong_input_is_reported_by_name(
    folder: Folder, line: str, code: int, message: str, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(folder.path)
    assert folder.accumulate() == 0
    wrong_inputs(folder)
    tables = "wide empty nan huge middle none outside unselected feats gselect"
    names = {name: f"ark:{name}" for name in tables.split()}
    assert run(*line.format(**names).split())[0] == code
    assert message in capfd.readouterr().err


def test_rejected_frames_are_counted_as_a_process(folder: Folder, command_env: dict[str, str]) -> None:
    """No voiced frame in any utterance: the selection has nothing to do, and its pipe has failed."""
    make_table(folder["vad"], {key: np.zeros(frames, np.float32) for key, frames in UTTS.items()}, FLOAT_VECTOR)
    feats = f"ark:select-voiced-frames {folder['feats']} {folder['vad']} ark:- |"
    command = ["gmm-gselect", "--n=2", folder.file("diag"), feats, folder["out"]]
    done = subprocess.run(command, env=command_env, capture_output=True, text=True, check=False)
    assert done.returncode == 255 and done.stdout == ""
    assert "WARNING (select-voiced-frames" in done.stderr
    assert "ERROR (gmm-gselect" in done.stderr and "failed with exit code 1" in done.stderr
