"""Real Kaldi answers where KALDI_ROOT has a command: its place is taken by wrappers that write down their calls."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from minikaldi.commands import MODULES

from .conftest import Place, Recipe, contents, environment, scores

FEATURES = {"compute-mfcc-feats", "compute-fbank-feats", "copy-feats", "apply-cmvn-sliding", "wav-reverberate"}
VOICED = {"compute-vad", "select-voiced-frames"}
BACK_END = {
    *("ivector-mean", "ivector-subtract-global-mean", "ivector-normalize-length", "ivector-compute-lda"),
    *("ivector-compute-plda", "ivector-copy-plda", "ivector-plda-scoring"),
}
# The first as the baselines have more dimensions than the small corpus has utterances.
VECTORS = {"est-pca", "transform-vec"}


def install(folder: Path, names: set[str], checkout: Path) -> None:
    """Wrappers that note their own path in $CALLS and let minikaldi do the work."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        wrapper = folder / name
        wrapper.write_text(f'#!/usr/bin/env bash\necho "$0" >> "$CALLS"\nexec "{checkout}/minikaldi/bin/{name}" "$@"\n')
        wrapper.chmod(0o755)


def install_tree(kaldi: Path, checkout: Path) -> None:
    """Every command in the folder where a built Kaldi has it: src/featbin, src/ivectorbin, src/bin …, and no other."""
    folders: dict[str, set[str]] = {}
    for name, module in MODULES.items():
        if not name.endswith(".py"):
            folders.setdefault(module.split(".")[1].replace("basebin", "bin"), set()).add(name)
    for folder, names in folders.items():
        install(kaldi / "src" / folder, names, checkout)


def where_is(command: str, checkout: Path, kaldi: Path) -> str:
    """What path.sh makes of a command's name."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". ./path.sh; command -v {command}"],
        cwd=checkout, env=environment({"KALDI_ROOT": str(kaldi)}), capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_each_command_is_looked_for_in_kaldis_folders_first(checkout: Path, tmp_path: Path) -> None:
    kaldi = tmp_path / "kaldi"
    install(kaldi, {"copy-feats", "compute-vad", "copy-vector"}, checkout)
    install(kaldi / "bin", {"copy-feats", "compute-vad"}, checkout)
    install(kaldi / "src" / "featbin", {"copy-feats"}, checkout)
    assert where_is("copy-feats", checkout, kaldi) == f"{kaldi}/src/featbin/copy-feats"
    assert where_is("compute-vad", checkout, kaldi) == f"{kaldi}/bin/compute-vad"
    assert where_is("copy-vector", checkout, kaldi) == f"{kaldi}/copy-vector"
    assert where_is("transform-vec", checkout, kaldi) == f"{checkout}/minikaldi/bin/transform-vec"


def test_a_kaldi_root_that_is_no_folder_is_an_error(recipe: Recipe, fresh: Place, tmp_path: Path) -> None:
    done = recipe(*fresh.options(), code=1, env={"KALDI_ROOT": str(tmp_path / "nowhere")})
    assert f"KALDI_ROOT is {tmp_path}/nowhere, which is not a folder" in done.stderr
    assert not fresh.data.exists()


def test_a_kaldi_root_without_a_command_is_an_error(recipe: Recipe, fresh: Place, tmp_path: Path) -> None:
    """A wrong folder, or Kaldi that is not built: its sources alone would leave everything to minikaldi, unseen."""
    (tmp_path / "src" / "featbin").mkdir(parents=True)
    (tmp_path / "src" / "featbin" / "copy-feats.cc").touch()
    done = recipe(*fresh.options(), code=1, env={"KALDI_ROOT": str(tmp_path)})
    assert f"KALDI_ROOT is {tmp_path}, but neither it nor its src/*bin or bin has a command of Kaldi" in done.stderr
    assert not fresh.data.exists()


@pytest.mark.slow
def test_the_recipe_calls_kaldis_commands_and_ends_with_the_same_scores(
    recipe: Recipe, finished: Place, checkout: Path, tmp_path: Path
) -> None:
    kaldi, calls = tmp_path / "kaldi", tmp_path / "calls"
    install(kaldi / "src" / "featbin", FEATURES, checkout)
    install(kaldi / "bin", VOICED | BACK_END, checkout)
    install(kaldi, VECTORS, checkout)
    place = Place(finished.corpus, tmp_path / "data", tmp_path / "exp" / "small")
    recipe(*place.options(), env={"KALDI_ROOT": str(kaldi), "CALLS": str(calls)})

    counts = Counter(calls.read_text().splitlines())
    wanted = {f"{kaldi}/src/featbin/{name}" for name in FEATURES} | {f"{kaldi}/{name}" for name in VECTORS}
    assert set(counts) == wanted | {f"{kaldi}/bin/{name}" for name in VOICED | BACK_END}
    # Each augmented utterance is a pipe in wav.scp; were it run inside the reader, no wrapper would have seen it.
    augmented = (place.data / "fbank" / "train_aug_subset" / "wav.scp").read_text().splitlines()
    assert counts[f"{kaldi}/src/featbin/wav-reverberate"] >= len(augmented) == 12
    assert scores(place.exp) == scores(finished.exp)
    assert f"commands of Kaldi: {kaldi} where it has them, else minikaldi" in (place.exp / "RESULTS.md").read_text()


# What each stage asks of Kaldi; stages 5, 6 and 12 ask nothing, stage 8 voiced frames for the baselines.
FEATURE_CALLS = {"src/featbin/compute-fbank-feats", "src/featbin/copy-feats"}
VOICED_CALLS = {"src/featbin/apply-cmvn-sliding", "src/ivectorbin/select-voiced-frames"}
CHAIN_CALLS = {
    *("src/ivectorbin/ivector-subtract-global-mean", "src/bin/transform-vec"),
    "src/ivectorbin/ivector-normalize-length",
}
STAGE_CALLS: dict[int, set[str]] = {
    1: {*FEATURE_CALLS, "src/featbin/compute-mfcc-feats", "src/ivectorbin/compute-vad"},
    2: set(),
    3: {*FEATURE_CALLS, "src/featbin/wav-reverberate"},
    4: {*VOICED_CALLS, "src/featbin/copy-feats"},
    7: {*VOICED_CALLS, "src/featbin/copy-feats"},
    8: VOICED_CALLS,
    9: {"src/ivectorbin/ivector-mean"},
    10: {
        *(*CHAIN_CALLS, "src/bin/est-pca", "src/ivectorbin/ivector-mean"),
        *("src/ivectorbin/ivector-compute-lda", "src/ivectorbin/ivector-compute-plda"),
    },
    11: {*CHAIN_CALLS, "src/ivectorbin/ivector-copy-plda", "src/ivectorbin/ivector-plda-scoring"},
}


def results(place: Place) -> dict[str, bytes]:
    """Every file that a stage makes, but for logs and markers, which hold times, and plan.yaml, which holds options."""
    files = {**contents(place.data), **{f"exp/{name}": data for name, data in contents(place.exp).items()}}
    return {name: data for name, data in files.items() if not {"log", ".stages", "plan.yaml"} & set(Path(name).parts)}


def calls_of_stage(recipe: Recipe, place: Place, stage: int, kaldi: Path) -> set[str]:
    """What a stage that is run again called, as paths below the Kaldi folder."""
    calls = kaldi / f"calls.{stage}"
    only = ("--stage", stage, "--stop-stage", stage, "--force", "--trust-earlier")
    recipe(*place.options(*only), env={"KALDI_ROOT": str(kaldi), "CALLS": str(calls)})
    return {str(Path(call).relative_to(kaldi)) for call in calls.read_text().splitlines()} if calls.exists() else set()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGE_CALLS)
def test_each_stage_calls_kaldi_by_name_and_makes_the_same_files(
    recipe: Recipe, finished: Place, checkout: Path, tmp_path: Path, stage: int
) -> None:
    kaldi = tmp_path / "kaldi"
    install_tree(kaldi, checkout)
    before = results(finished)
    assert calls_of_stage(recipe, finished, stage, kaldi) == STAGE_CALLS[stage]
    after = results(finished)
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.slow
def test_a_stage_may_call_some_commands_of_kaldi_and_others_of_minikaldi(
    recipe: Recipe, finished: Place, checkout: Path, tmp_path: Path
) -> None:
    """The first and the last command of a pipe, the middle one not: real Kaldi reads what minikaldi writes and back."""
    kaldi = tmp_path / "kaldi"
    some = {"ivector-subtract-global-mean", "ivector-normalize-length", "ivector-copy-plda"}
    install(kaldi / "src" / "ivectorbin", some, checkout)
    before = results(finished)
    assert calls_of_stage(recipe, finished, 11, kaldi) == {f"src/ivectorbin/{name}" for name in some}
    assert results(finished) == before


@pytest.mark.slow
def test_a_command_of_kaldi_that_fails_is_not_replaced_by_minikaldi(
    recipe: Recipe, finished: Place, checkout: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "kaldi" / "src" / "ivectorbin" / "ivector-compute-plda"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\necho libkaldi-base.so: cannot open shared object file >&2\nexit 127\n")
    broken.chmod(0o755)
    only = ("--stage", "10", "--stop-stage", "10", "--force")
    done = recipe(*finished.options(*only), code=1, env={"KALDI_ROOT": str(tmp_path / "kaldi")})
    assert "libkaldi-base.so: cannot open shared object file" in done.stdout + done.stderr
