"""steps/prepare_feats.sh: the folder of voiced frames is a data directory that validate_data_dir.sh passes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, writer

UTTS = {"a-1": 30, "a-2": 40, "b-1": 25, "b-2": 50}


def write_table(path: Path, lines: dict[str, str]) -> None:
    path.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))


def run(root: Path, *words: object) -> str:
    env = {key: value for key, value in os.environ.items() if key != "KALDI_ROOT"}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("segments", [False, True])
def test_voiced_frames_are_in_a_valid_data_directory(root: Path, tmp_path: Path, segments: bool) -> None:
    data, out = tmp_path / "data", tmp_path / "data_no_sil"
    data.mkdir()
    rng = np.random.default_rng(0)
    with (
        writer(f"ark,scp:{tmp_path}/f.ark,{data}/feats.scp", FLOAT_MATRIX) as feats,
        writer(f"ark,scp:{tmp_path}/v.ark,{data}/vad.scp", FLOAT_VECTOR) as vad,
    ):
        for utt, frames in UTTS.items():
            feats.write(utt, rng.normal(size=(frames, 3)).astype(np.float32))
            voiced = np.zeros(frames) if utt == "b-2" else np.arange(frames) % 2  # b-2 has no voiced frame
            vad.write(utt, voiced.astype(np.float32))
    write_table(data / "utt2spk", {utt: utt[0] for utt in UTTS})
    write_table(data / "spk2utt", {"a": "a-1 a-2", "b": "b-1 b-2"})
    write_table(data / "spk2gender", {"a": "f", "b": "m"})
    write_table(data / "utt2num_frames", {utt: str(frames) for utt, frames in UTTS.items()})
    write_table(data / "utt2dur", {utt: f"{frames / 100:g}" for utt, frames in UTTS.items()})
    for name in ("utt2uniq", "utt2lang", "text", "utt2rec"):
        write_table(data / name, dict.fromkeys(UTTS, "same"))
    recordings = {"r1": "a", "r2": "b", "r3": "c"} if segments else dict.fromkeys(UTTS, "x")
    write_table(data / "wav.scp", {recording: f"wav/{name}.wav" for recording, name in recordings.items()})
    if segments:
        places = zip(UTTS, ["r1", "r1", "r2", "r3"], [0, 1, 0, 0], strict=True)
        write_table(data / "segments", {utt: f"{recording} {start} {start + 0.3}" for utt, recording, start in places})
    run(root, "utils/validate_data_dir.sh", data)

    run(root, "steps/prepare_feats.sh", "--nj", "2", "--max-loss", "0.5", data, out, tmp_path / "ark")
    assert "Successfully validated" in run(root, "utils/validate_data_dir.sh", out)
    frames = dict(line.split() for line in (out / "utt2num_frames").read_text().splitlines())
    assert frames == {"a-1": "15", "a-2": "20", "b-1": "12"}
    kept = {line.split()[0] for line in (out / "wav.scp").read_text().splitlines()}
    assert kept == ({"r1", "r2"} if segments else {"a-1", "a-2", "b-1"})
    assert (out / "spk2utt").read_text() == "a a-1 a-2\nb b-1\n"
    # Of all frames, not of those that were kept.
    assert not [name for name in ("utt2dur", "vad.scp", "cmvn.scp", "reco2dur") if (out / name).exists()]
    assert (out / "segments").exists() == segments
