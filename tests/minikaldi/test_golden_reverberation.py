"""The golden cases of wav-reverberate inside one process: by run_command, and as the pipes of a feature process."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from minikaldi.feat.wave_cache import SHARED_WAVES
from minikaldi.io import WAVE, read_object, sequential
from minikaldi.io.inner import parse_pipeline
from tests.minikaldi.helpers.golden_files import SAMPLES, compare_files
from tests.minikaldi.helpers.running import run, table

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(
    path.name
    for path in (GOLDEN / "cases").iterdir()
    if (path / "cmd").read_text().startswith("wav-reverberate ") and (path / "out").is_dir()
)
MFCC = ["--config=mfcc.conf", "--dither=0", "--sample-frequency=16000"]


def words_of(name: str) -> list[str]:
    """The command of a case, whose output is the standard output; `- | cat > file` is no part of what is tested."""
    command = re.sub(r"(\$OUT/o\.wav|- \| cat > \$OUT/o\.wav)\s*$", "-", (GOLDEN / "cases" / name / "cmd").read_text())
    return shlex.split(command)


def kaldis(name: str) -> Path:
    """The wave that real Kaldi wrote."""
    return GOLDEN / "cases" / name / "out" / "o.wav"


@pytest.fixture(autouse=True)
def inputs(monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str]) -> None:
    """Our commands on PATH, the golden inputs here."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(GOLDEN / "inputs")


@pytest.fixture
def wav_scp(tmp_path: Path) -> Path:
    """All cases as lines of one wav.scp, twice, so that the second finds rooms and noises kept."""
    lines = [f"{turn}-{name} {shlex.join(words_of(name))} |\n" for turn in (1, 2) for name in CASES]
    assert all(parse_pipeline(line.split(" ", 1)[1].rstrip(" |\n")) is not None for line in lines)
    (tmp_path / "wav.scp").write_text("".join(lines))
    return tmp_path / "wav.scp"


def test_there_are_rooms_noises_and_both() -> None:
    assert {"reverberate", "reverberate-noshift", "reverberate-pipe", "noise-add", "noise-and-rir"} <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_run_command_gives_kaldis_wave_and_the_same_from_what_is_kept(name: str, tmp_path: Path) -> None:
    outputs = [run(*words_of(name)) for _ in range(2)]
    assert outputs[0] == outputs[1] and outputs[0][0] == 0
    (tmp_path / "o.wav").write_bytes(outputs[0][1])
    compare_files(tmp_path / "o.wav", kaldis(name), tmp_path, SAMPLES, free_sign=False)


def test_a_process_that_reads_the_cases_as_pipes_gets_kaldis_waves(wav_scp: Path) -> None:
    with sequential(f"scp:{wav_scp}", WAVE) as waves:
        found = dict(waves)
    assert len(found) == 2 * len(CASES) and SHARED_WAVES.held_bytes > 0
    for name in CASES:
        np.testing.assert_array_equal(found[f"1-{name}"].samples, found[f"2-{name}"].samples)
        # a sample that float32 sums move to the other side of an integer
        np.testing.assert_allclose(found[f"1-{name}"].samples, read_object(str(kaldis(name)), WAVE).samples, atol=1)


def test_features_of_the_pipes_are_those_of_kaldis_waves(wav_scp: Path, tmp_path: Path) -> None:
    """Some samples differ by 1: up to one in 1,500 among noises, by the order of float32 sums, and one in sixty in
    a room, whose float32 FFT is another. The quiet frames of a room, a few units loud, then differ most.
    """
    (tmp_path / "kaldi.scp").write_text("".join(f"{name} {kaldis(name)}\n" for name in CASES))
    for scp in (wav_scp, tmp_path / "kaldi.scp"):
        assert run("compute-mfcc-feats", *MFCC, f"scp:{scp}", f"ark:{scp}.ark")[0] == 0
    found, expected = table(f"ark:{wav_scp}.ark"), table(f"ark:{tmp_path}/kaldi.scp.ark")
    assert len(found) == 2 * len(CASES)
    for key, feats in found.items():
        difference = np.abs(feats - expected[key.split("-", 1)[1]])
        mean, most = (0.01, 0.5) if "--impulse-response" in " ".join(words_of(key.split("-", 1)[1])) else (1e-4, 0.01)
        assert difference.mean() < mean and difference.max() < most, key
