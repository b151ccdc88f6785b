"""local/prepare_*.sh: what stage 0 leaves in a data folder, also where another run was there before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Prepare = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def prepare(root: Path, command_env: dict[str, str]) -> Prepare:
    """prepare("folder", "--data", path, …, code=1): run local/prepare_folder.sh in the checkout."""

    def run(corpus: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(root / "local" / f"prepare_{corpus}.sh"), *map(str, arguments)]
        done = subprocess.run(command, cwd=root, env=command_env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def musan(tmp_path: Path, write_audio) -> Path:
    for name in ("music", "noise", "speech"):
        write_audio(tmp_path / "musan" / name / "x" / f"{name}-0.wav")
    return tmp_path / "musan"


def test_speech_of_an_earlier_musan_is_no_babble_of_a_run_without(tmp_path: Path, musan: Path, prepare) -> None:
    data = tmp_path / "data"
    prepare("augmentation", "--data", data, "--made", "true", "--musan-root", musan)
    assert (data / "musan_speech" / "wav.scp").is_file()
    prepare("augmentation", "--data", data, "--made", "true")
    assert not (data / "musan_speech").exists()


def test_a_wrong_musan_root_leaves_the_earlier_noises(tmp_path: Path, musan: Path, prepare) -> None:
    data = tmp_path / "data"
    prepare("augmentation", "--data", data, "--made", "true", "--musan-root", musan)
    done = prepare("augmentation", "--data", data, "--made", "true", "--musan-root", tmp_path / "nowhere", code=1)
    assert "has none of the folders music, noise, speech" in done.stderr
    assert (data / "musan_noise" / "wav.scp").is_file() and (data / "musan_speech" / "wav.scp").is_file()


def test_two_test_roots_of_one_name_are_refused(tmp_path: Path, prepare) -> None:
    options = ["--data", tmp_path, "--train-root", "train", "--tests", "test test"]
    done = prepare("folder", *options, "a/test", "b/test", code=1)
    assert 'would both be the test set "test"' in done.stderr


def test_only_the_test_sets_of_this_run_must_have_other_speakers(
    tmp_path: Path, musan: Path, write_audio, prepare
) -> None:
    for path in ("train/a/1", "train/b/1", "test/c/1", "test/c/2", "test/d/1", "test/d/2"):
        write_audio(tmp_path / f"{path}.wav")
    data = tmp_path / "data"
    (data / "test_old").mkdir(parents=True)
    (data / "test_old" / "spk2utt").write_text("a a-1\n")
    write_audio(tmp_path / "rooms" / "r.wav")
    (tmp_path / "rooms" / "rir_list").write_text("--rir-id r --room-id R rooms/r.wav\n")
    options = ["--data", data, "--train-root", tmp_path / "train", "--musan-root", musan]
    options += ["--rirs-root", tmp_path / "rooms"]
    prepare("folder", *options, "--tests", "test", tmp_path / "test")
    write_audio(tmp_path / "test" / "a" / "1.wav")
    done = prepare("folder", *options, "--tests", "test", tmp_path / "test", code=1)
    assert "1 speakers of" in done.stderr and "(first: a)" in done.stderr
