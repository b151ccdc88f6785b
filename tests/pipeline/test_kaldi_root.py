"""Real Kaldi answers where KALDI_ROOT has a command: its place is taken by wrappers that write down their calls."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from .conftest import Place, Recipe, environment, scores

FEATURES = {"compute-mfcc-feats", "compute-fbank-feats", "copy-feats", "apply-cmvn-sliding", "wav-reverberate"}
VOICED = {"compute-vad", "select-voiced-frames"}
BACK_END = {
    *("ivector-mean", "ivector-subtract-global-mean", "ivector-normalize-length", "ivector-compute-lda"),
    *("ivector-compute-plda", "ivector-copy-plda", "ivector-plda-scoring"),
}
VECTORS = {"copy-vector", "transform-vec"}


def install(folder: Path, names: set[str], checkout: Path) -> None:
    """Wrappers that note their own path in $CALLS and let minikaldi do the work."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        wrapper = folder / name
        wrapper.write_text(
            f'#!/usr/bin/env bash\necho "$0" >> "$CALLS"\nexec "{checkout}/minikaldi/bin/{name}" "$@"\n'
        )
        wrapper.chmod(0o755)


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
    assert f"KALDI_ROOT is {tmp_path}/nowhere, which is no folder" in done.stderr
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
