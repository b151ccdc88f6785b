"""python3 -m nnet.make_feats: tables in and out, counts, rates, failures by name; voice activity cut to rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minikaldi.feat.resample import wideband_resample
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, INT32, WAVE, Wave, sequential, write_object, writer
from nnet.features import INPUTS
from nnet.features.logmel import LogmelOptions, compute_logmel
from nnet.features.samples import SamplesOptions, compute_samples
from nnet.make_feats import OPTIONS, main
from tests.nnet.helpers.input_signals import spoken

SIGNALS = {f"utt{n}": spoken(16000 + 1234 * n, 16000, n) for n in range(3)}


@pytest.fixture
def wav_scp(tmp_path: Path) -> Path:
    """Three waves of 16 kHz."""
    for name, samples in SIGNALS.items():
        write_object(f"{tmp_path}/{name}.wav", WAVE, Wave(16000.0, samples[None]))
    (tmp_path / "wav.scp").write_text("".join(f"{name} {tmp_path}/{name}.wav\n" for name in SIGNALS))
    return tmp_path / "wav.scp"


def add(wav_scp: Path, name: str, channels: np.ndarray, rate: float = 16000.0) -> None:
    """One more wave."""
    write_object(f"{wav_scp.parent}/{name}.wav", WAVE, Wave(rate, channels))
    with wav_scp.open("a") as lines:
        lines.write(f"{name} {wav_scp.parent}/{name}.wav\n")


def made(ark: Path) -> dict[str, np.ndarray]:
    """The table of features."""
    with sequential(f"ark:{ark}", FLOAT_MATRIX) as table:
        return dict(table)


def test_each_kind_has_its_options_and_a_file_of_them(root: Path) -> None:
    assert set(OPTIONS) == set(INPUTS) == {"logmel", "librosa_mfcc", "samples"}
    assert all((root / "conf" / f"{kind}.conf").is_file() for kind in INPUTS)


def test_audio_of_another_rate_is_resampled_as_to_wav_does(
    root: Path, wav_scp: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    durations = f"--write-utt2dur=ark,t:{tmp_path}/utt2dur"
    conf = f"--config={root}/conf/logmel.conf"
    assert main(["logmel", conf, durations, f"scp:{wav_scp}", f"ark:{tmp_path}/feats.ark"]) == 0
    feats = made(tmp_path / "feats.ark")
    for name, samples in SIGNALS.items():
        np.testing.assert_array_equal(
            feats[name], compute_logmel(wideband_resample(samples, 16000, 22050), LogmelOptions())
        )
        assert len(feats[name]) == 1 + -(-len(samples) * 441 // 320) // 256
    assert (tmp_path / "utt2dur").read_text().splitlines()[0].split() == ["utt0", "1"]
    assert "Done 3 out of 3 utterances." in capfd.readouterr().err


def test_a_failing_utterance_is_named_and_counted(
    root: Path, wav_scp: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add(wav_scp, "short", SIGNALS["utt0"][None, :159])
    stereo = np.stack([SIGNALS["utt1"], -SIGNALS["utt1"]])
    add(wav_scp, "stereo", stereo)
    assert main(["samples", f"--config={root}/conf/samples.conf", f"scp:{wav_scp}", f"ark:{tmp_path}/f.ark"]) == 0
    said = capfd.readouterr().err
    assert "Failed to compute features for utterance short: 159 samples at 16000 Hz are too short for a frame" in said
    assert "stereo: has 2 channels and no --channel is given; the first is taken" in said
    assert "Done 4 out of 5 utterances." in said
    assert main(["samples", "--channel=1", f"scp:{wav_scp}", f"ark:{tmp_path}/second.ark"]) == 0
    assert "utterance utt0: has 1 channels, --channel is 1, counted from 0" in capfd.readouterr().err
    np.testing.assert_array_equal(made(tmp_path / "second.ark")["stereo"], compute_samples(stereo[1], SamplesOptions()))
    assert main(["samples", "--min-duration=9", f"scp:{wav_scp}", f"ark:{tmp_path}/none.ark"]) == 1
    assert "utterance utt0: lasts 1 s, --min-duration is 9" in capfd.readouterr().err


def test_the_program_answers_as_a_process_and_loads_no_torch(root: Path, wav_scp: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nnet.make_feats", *words]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    conf = "--config=conf/librosa_mfcc.conf"
    done = run("librosa_mfcc", conf, f"scp:{wav_scp}", f"ark:{tmp_path}/f.ark")
    assert done.returncode == 0 and done.stdout == ""
    assert "LOG (compute-librosa-mfcc-feats" in done.stderr
    assert {name: rows.shape for name, rows in made(tmp_path / "f.ark").items()} == {
        name: (1 + len(samples) // 512, 40) for name, samples in SIGNALS.items()
    }
    wrong = run("mel")
    assert wrong.returncode == 1 and "found type 'mel'; Usage: python3 -m nnet.make_feats <type>" in wrong.stderr
    assert run("--help").returncode == 0
    usage = run("logmel", "--help")
    assert usage.returncode == 0 and "--power-floor" in usage.stderr
    refused = run("logmel", "--floor=0", f"scp:{wav_scp}", "ark:/dev/null")
    assert refused.returncode == 255 and "--floor=0: expected a number above 0" in refused.stderr
    assert run("logmel", "--fmax=8000", f"scp:{wav_scp}", "ark:/dev/null").returncode == 1
    script = "import sys; import nnet.make_feats, nnet.features.fit_vad; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "False"


def test_voice_activity_is_cut_to_rows_of_samples(root: Path, tmp_path: Path) -> None:
    lengths = {"same": (5, 5), "half": (6, 5), "other": (9, 5), "fewer": (4, 5)}
    with writer(f"ark:{tmp_path}/vad.ark", FLOAT_VECTOR) as vad, writer(f"ark:{tmp_path}/n.ark", INT32) as counts:
        for name, (decisions, frames) in lengths.items():
            vad.write(name, np.arange(decisions) % 2)
            counts.write(name, frames)
        counts.write("without", 5)
    tables = [f"ark:{tmp_path}/n.ark", f"ark:{tmp_path}/vad.ark", f"ark:{tmp_path}/fitted.ark"]
    command = [sys.executable, "-m", "nnet.features.fit_vad", *tables]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    with sequential(f"ark:{tmp_path}/fitted.ark", FLOAT_VECTOR) as table:
        assert {name: rows.tolist() for name, rows in table} == {"same": [0, 1, 0, 1, 0], "half": [0, 1, 0, 1, 0]}
    assert "other: 9 decisions on voice activity for 5 frames" in done.stderr
    assert "without: has no line in" in done.stderr and "Done 2 utterances, 3 had errors" in done.stderr
