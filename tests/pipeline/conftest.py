"""The recipe in a copy of the checkout, and one finished run on synthetic voices that every test gets as new."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.helpers.voices import write_musan, write_rirs, write_tree

PARTS = (
    *("common", "conf", "local", "minikaldi", "nnet", "recipe", "scoring", "steps", "utils"),
    *("cmd.sh", "path.sh", "pipeline.sh", "requirements.txt"),
)
NETWORK = {
    "encoder.width": "16",
    "encoder.last_width": "32",
    "embedding.dim": "8",
    "data.batch_size": "8",
    "data.chunk_frames": "[50,100]",
    "data.workers": "0",  # a loader's shared memory counts as files where a test limits their size
    "training.steps": "40",
    "training.valid_every": "10",
    "training.save_every": "2",
    "training.precision": "float32",  # "auto" would be another on another machine
}
SMALL = {
    **{"speed-perturb": "false", "augment": "ondisk", "num-augmented": "12"},
    **{"min-frames": "50", "valid-share": "0.3", "bootstrap": "20"},
}

Done = subprocess.CompletedProcess[str]
Recipe = Callable[..., Done]


def copy_checkout(root: Path, to: Path) -> Path:
    """What the recipe needs of the checkout; the environment is shared by a link."""
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, to / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, to / part)
    if (root / ".venv").exists():
        (to / ".venv").symlink_to(root / ".venv")
    return to


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The test's own environment without Kaldi and without a venv on PATH that ./pipeline.sh would not look for."""
    env = {key: value for key, value in os.environ.items() if key not in ("KALDI_ROOT", "PIPELINE_CORES", "PYTHONPATH")}
    return {**env, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", **changes}


@pytest.fixture(scope="session")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that tests only read."""
    return copy_checkout(root, tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def own_checkout(root: Path, tmp_path: Path) -> Path:
    """A copy whose conf/ the test may change."""
    (tmp_path / "checkout").mkdir()
    return copy_checkout(root, tmp_path / "checkout")


@pytest.fixture(scope="session")
def recipe(checkout: Path) -> Recipe:
    """recipe("--stage", 3, code=1): ./pipeline.sh to its end; fails the test on another exit code or a traceback.

    Further keywords: env (changes of the environment), where (another checkout), before (shell commands that come
    first, as `ulimit -f 40`), within (seconds).
    """

    def run(
        *options: object,
        code: int = 0,
        env: Mapping[str, str] | None = None,
        where: Path = checkout,
        before: str = ":",
        within: float = 300,
    ) -> Done:
        command = ["bash", "-c", f'{before}; exec ./pipeline.sh "$@"', "bash", *map(str, options)]
        done = subprocess.run(
            command, cwd=where, env=environment(env or {}), capture_output=True, text=True, check=False, timeout=within
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@dataclass(frozen=True)
class Place:
    """Where a run has its corpus, data and experiment."""

    corpus: Path
    data: Path
    exp: Path

    def options(self, *more: object, **changes: str | None) -> list[str]:
        """The command line of a small run; `changes` are options with `_` for `-`, None leaves the corpus's default."""
        roots = {"train-root": self.corpus / "train", "test-root": self.corpus / "test"}
        roots |= {"musan-root": self.corpus / "musan", "rirs-root": self.corpus / "RIRS_NOISES"}
        table = {"corpus": "folder", "data": self.data, "exp": self.exp, "nj": "1", **roots, **SMALL}
        table |= {key.replace("_", "-"): value for key, value in changes.items()}
        network = [f"--nnet-opts={key}={value}" for key, value in NETWORK.items()]
        given = [f"--{key}={value}" for key, value in table.items() if value is not None]
        return [*given, *network, *map(str, more)]


def place_in(folder: Path) -> Place:
    """The usual names below a folder."""
    return Place(folder / "corpus", folder / "data", folder / "exp" / "small")


def write_corpus(folder: Path) -> None:
    """Six training and four test speakers, noises and rooms."""
    write_tree(folder / "train", first_speaker=0, num_speakers=6, num_utterances=5)
    write_tree(folder / "test", first_speaker=10, num_speakers=4, num_utterances=4, extension="flac")
    write_musan(folder / "musan")
    write_rirs(folder / "RIRS_NOISES")


@pytest.fixture
def fresh(tmp_path: Path) -> Place:
    """A corpus of the test's own, nothing run yet."""
    place = place_in(tmp_path / "run")
    write_corpus(place.corpus)
    return place


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> tuple[Path, Path]:
    """A run from end to end, and an exact copy of it."""
    folder = tmp_path_factory.mktemp("finished")
    place = place_in(folder / "run")
    write_corpus(place.corpus)
    recipe(*place.options())
    subprocess.run(["cp", "-a", folder / "run", folder / "copy"], check=True)
    return folder / "run", folder / "copy"


@pytest.fixture
def finished(snapshot: tuple[Path, Path]) -> Place:
    """The finished run, put back as it was whatever other tests did to it (its tables hold absolute paths)."""
    folder, copy = snapshot
    shutil.rmtree(folder)
    subprocess.run(["cp", "-a", copy, folder], check=True)
    return place_in(folder)


def stages_run(done: Done) -> list[int]:
    """The stages that ran, in order; a stage with two parts counts once."""
    begun = [line.split("stage ")[1] for line in done.stderr.splitlines() if "/12: " in line and ": done" not in line]
    return sorted({int(text.split("/")[0]) for text in begun})


def times(*folders: Path) -> dict[Path, int]:
    """Every file below the folders -> when it was written, in ns; locks and logs are not results."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if path.name != "lock" and "log" not in path.parts}


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """Relative name -> bytes of the files that match."""
    files = [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def scores(exp: Path) -> dict[str, bytes]:
    """Every score file of the network and the two baselines."""
    found = contents(exp, "scores/test_*")
    assert len(found) == 12  # plain and normalised cosine, LDA-cosine and PLDA of three systems
    return found
