"""MUSAN and RIRS_NOISES as they lie on disk, up to copies that can be heard: counts, lengths, levels measured back."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from minikaldi.data_dir.wav_lines import as_pipe
from minikaldi.io import WAVE, read_object, sequential

RATE = 16000
RNG = np.random.default_rng(0)
FORMS = ("reverb", "noise", "music", "babble")
LEVELS = {"noise": {15, 10, 5, 0}, "music": {15, 10, 8, 5}, "babble": {20, 17, 15, 13}}
Recipe = Callable[[Path], None]


def sound(seconds: float, rate: int = RATE) -> np.ndarray:
    """Noise with syllables, float (N,)."""
    samples = RNG.standard_normal(int(seconds * rate))
    return 0.05 * samples * (1.2 + np.sin(25 * np.arange(len(samples)) / rate + RNG.uniform(0, 6)))


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """An audio file in the path's format; samples (N,) or (N, channels)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def response(seconds: float = 0.2, rate: int = RATE) -> np.ndarray:
    """Direct sound at 4 ms and a tail that dies away."""
    samples = 0.05 * RNG.standard_normal(int(seconds * rate)) * np.exp(-np.arange(int(seconds * rate)) / (0.03 * rate))
    samples[int(0.004 * rate)] = 0.8
    return samples


@pytest.fixture
def musan(tmp_path: Path) -> Path:
    """MUSAN's folders: five sources, ANNOTATIONS of each in its own form, one file at another rate, one FLAC."""
    root = tmp_path / "musan"
    for source, count in (("music/fma", 3), ("music/hd-classical", 2)):
        for n in range(count):
            write(root / source / f"{source.replace('/', '-')}-{n:04d}.wav", sound(4))
    lines = ["music-fma-0000 pop,rock Y Some Body", "music-fma-0001 jazz N Nobody", "", "music-fma-0002 hiphop Y X"]
    (root / "music/fma/ANNOTATIONS").write_text("\n".join(lines) + "\n")
    (root / "music/hd-classical/ANNOTATIONS").write_text(
        "music-hd-classical-0000 baroque N Composer\nmusic-hd-classical-0001 romantic N Composer\n"
    )
    for n, source in product(range(3), ("librivox", "us-gov")):
        write(root / f"speech/{source}/speech-{source}-{n:04d}.wav", sound(1.5))
    (root / "speech/us-gov/ANNOTATIONS").write_text("speech-us-gov-0000 m english\n")
    write(root / "noise/free-sound/noise-free-sound-0000.wav", sound(0.7))
    write(root / "noise/free-sound/noise-free-sound-0001.wav", sound(1.1, 44100), 44100)
    write(root / "noise/sound-bible/noise-sound-bible-0000.flac", sound(9))
    (root / "noise/free-sound/ANNOTATIONS").write_text("noise-free-sound-0000\n")
    for folder in (".", "music/fma", "noise/free-sound"):
        (root / folder / "LICENSE").write_text("free\n")
    (root / "README").write_text("MUSAN\n")
    return root


@pytest.fixture
def rirs_noises(tmp_path: Path) -> Path:
    """RIRS_NOISES: simulated rooms, real ones of several microphones with isotropic noises, point-source noises."""
    root = tmp_path / "RIRS_NOISES"
    for size, room in product(("smallroom", "mediumroom"), (1, 2)):
        folder = f"simulated_rirs/{size}"
        lines = []
        for n in (1, 2):
            name = f"{folder}/Room{room:03d}/Room{room:03d}-{n:05d}.wav"
            write(root / name, response())
            lines.append(f"--rir-id {size}-Room{room:03d}-{n:05d} --room-id {size}-Room{room:03d} RIRS_NOISES/{name}\n")
        with (root / folder / "rir_list").open("a") as stream:
            stream.writelines(lines)
    real = root / "real_rirs_isotropic_noises"
    write(real / "RVB2014_type1_rir_largeroom1_far_angla.wav", np.stack([response(), -response()], axis=1))
    write(real / "RVB2014_type1_noise_largeroom1_1.wav", np.stack([sound(3), sound(3)], axis=1))
    prefix = f"RIRS_NOISES/{real.name}/RVB2014_type1"
    (real / "rir_list").write_text(f"--rir-id far_angla --room-id largeroom1 {prefix}_rir_largeroom1_far_angla.wav\n")
    (real / "noise_list").write_text(
        f"--noise-id hall_1 --noise-type isotropic --room-linkage largeroom1 {prefix}_noise_largeroom1_1.wav\n"
    )
    write(root / "pointsource_noises/noise-free-sound-0842.wav", sound(0.5))
    (root / "pointsource_noises/noise_list").write_text(
        "--noise-id noise-free-sound-0842 --noise-type point-source --bg-fg-type foreground"
        " RIRS_NOISES/pointsource_noises/noise-free-sound-0842.wav\n"
    )
    return root


def write_data(folder: Path, waves: dict[str, str]) -> Path:
    """A data directory after stage 1, of ids <speaker>-<utterance> and files."""
    folder.mkdir(parents=True)
    seconds = {utt: soundfile.info(path).duration for utt, path in waves.items()}
    tables = {
        "wav.scp": [f"{utt} {path if path.endswith('.wav') else f'utils/to_wav.py {path} {RATE} |'}" for utt, path in
                    waves.items()],
        "utt2spk": [f"{utt} {utt.split('-')[0]}" for utt in waves],
        "vad.scp": [f"{utt} vad.ark:{n}" for n, utt in enumerate(waves)],
        "reco2dur": [f"{utt} {length:.6f}" for utt, length in seconds.items()],
    }  # fmt: skip
    speakers = {utt.split("-")[0] for utt in waves}
    voices = {spk: [utt for utt in waves if utt.startswith(f"{spk}-")] for spk in sorted(speakers)}
    tables["spk2utt"] = [" ".join([spk, *utts]) for spk, utts in voices.items()]
    for name, lines in tables.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture
def recipe(root: Path, command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """recipe(data): stage 2 by the recipe's step, with the noises and rooms that stand beside `data`; from here on in
    the checkout, with its commands on PATH, so that the copies can be read."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(root)

    def run(data: Path) -> None:
        command = ["steps/augment_data.sh", "--rir-sets", f"{data.parent}/rir_sets"]
        command += ["--noise-dir", f"{data.parent}/musan_noise", "--music-dir", f"{data.parent}/musan_music"]
        if (data.parent / "musan_speech").exists():
            command += ["--speech-dir", f"{data.parent}/musan_speech"]
        done = subprocess.run([*command, str(data)], env=command_env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


def table(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in path.read_text().splitlines())


def samples(rxfilename: str) -> np.ndarray:
    """One channel, float64 (N,)."""
    return read_object(rxfilename, WAVE).samples[0].astype(np.float64)


def added(line: str) -> list[tuple[np.ndarray, int, float]]:
    """The noises of a copy's line: samples, the sample each starts at, its level in dB below the speech; one that is
    added several times to the same place is one, of the sum of its amplitudes."""
    options = dict(re.findall(r"--(additive-signals|start-times|snrs)='([^']*)'", line))
    lists = (options[name].split(",") for name in ("additive-signals", "start-times", "snrs"))
    amplitudes: dict[tuple[str, int], float] = defaultdict(float)
    for signal, start, snr in zip(*lists, strict=True):
        amplitudes[signal, round(float(start) * RATE)] += 10 ** (-float(snr) / 20)
    return [(samples(signal), start, -20 * np.log10(amplitude)) for (signal, start), amplitude in amplitudes.items()]


def measured_levels(clean: np.ndarray, copy: np.ndarray, noises: list[tuple[np.ndarray, int, float]]) -> list[float]:
    """How far each noise lies below the speech in the copy, in dB: by least squares, copy = a speech + Σ b noise.

    As in Kaldi a noise's power is that of its whole file, whatever part of it is heard. Peaks that 16 bits cut are left
    out.
    """
    columns = [clean]
    for noise, start, _ in noises:
        column = np.zeros(len(clean))
        heard = noise[: len(clean) - start]
        column[start : start + len(heard)] = heard
        columns.append(column)
    whole = np.abs(copy) < 32767
    gains, *_ = np.linalg.lstsq(np.stack(columns, axis=1)[whole], copy[whole], rcond=None)
    speech = gains[0] ** 2 * np.mean(clean**2)
    return [
        10 * np.log10(speech / (gain**2 * np.mean(noise**2)))
        for gain, (noise, _, _) in zip(gains[1:], noises, strict=True)
    ]


def check_copies(data: Path) -> None:
    """Four copies of each utterance: lengths, powers, and the level of each noise within 0.1 dB."""
    clean = {utt: samples(audio) for utt, audio in table(data / "wav.scp").items()}
    lines = table(data.parent / f"{data.name}_aug/wav.scp")
    assert set(lines) == {f"{utt}-{form}" for utt, form in product(clean, FORMS)}
    with sequential(f"scp:{data.parent}/{data.name}_aug/wav.scp", WAVE) as waves:
        copies = {key: wave.samples[0].astype(np.float64) for key, wave in waves}
    for key, copy in copies.items():
        utt, _, form = key.rpartition("-")
        assert len(copy) == len(clean[utt]), key
        if form == "reverb":  # normalised with the echo behind the end, which is not heard
            assert abs(10 * np.log10(np.mean(copy**2) / np.mean(clean[utt] ** 2))) < 3, key
            continue
        snrs = [float(snr) for snr in re.search(r"--snrs='([^']*)'", lines[key])[1].split(",")]
        assert set(snrs) <= LEVELS[form] and len(snrs) >= (3 if form == "babble" else 1), key
        noises = [each for each in added(lines[key]) if len(copy) - each[1] > RATE // 20]
        if np.abs(copy).max() < 32767:  # no peak is cut: the mixture has the power that the speech had
            assert abs(10 * np.log10(np.mean(copy**2) / np.mean(clean[utt] ** 2))) < 0.1, key
        levels = measured_levels(clean[utt], copy, noises)
        np.testing.assert_allclose(levels, [snr for *_, snr in noises], atol=0.1, err_msg=key)


@pytest.mark.slow
def test_musan_and_rirs_noises_give_copies_that_sound_as_configured(
    musan: Path, rirs_noises: Path, tmp_path: Path, script, validate, recipe: Recipe
) -> None:
    data = tmp_path / "data"
    script("make_musan.py", "--root", musan, "--use-vocals", "false", data / "musan")
    script("make_rirs.py", "--root", rirs_noises, data / "rir_list")
    counts = {name: len(table(data / f"musan_{name}/wav.scp")) for name in ("music", "noise", "speech")}
    assert counts == {"music": 3, "noise": 3, "speech": 6}
    assert set(table(data / "musan_music/dropped")) == {"music-fma-0000", "music-fma-0002"}
    assert [line.split(",")[0] for line in (data / "rir_sets").read_text().splitlines()] == ["0.5", "0.5"]
    assert len((data / "rir_list").read_text().splitlines()) == 8
    for name in counts:
        validate(data / f"musan_{name}")
    utts = {f"{spk}-{n}": str(write(tmp_path / f"{spk}{n}.wav", sound(2 + n))) for spk, n in product("ab", range(2))}
    recipe(write_data(data / "train", utts))
    babble = (data / "train_babble/wav.scp").read_text()
    assert "speech-us-gov" in babble and not re.search(r"--duration=\S+ \S*/[ab]\d\.wav", babble)
    check_copies(data / "train")


def test_real_rooms_with_isotropic_noises_are_used_as_they_are_listed(
    rirs_noises: Path, tmp_path: Path, root: Path, command_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kaldi's recipes name the lists of RIRS_NOISES in its parent folder; of several microphones the first counts."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "utils").symlink_to(root / "utils")
    data = write_data(tmp_path / "train", {f"s-{n}": str(write(tmp_path / f"{n}.wav", sound(2))) for n in range(3)})
    lists = "RIRS_NOISES/real_rirs_isotropic_noises"
    command = [str(root / "steps/data/reverberate_data_dir.py"), "--rir-set-parameters", f"1.0, {lists}/rir_list"]
    command += [
        "--noise-set-parameters",
        f"0.5, {lists}/noise_list",
        "--background-snrs",
        "12",
        "--foreground-snrs",
        "7",
    ]
    command += ["--noise-set-parameters", "0.5, RIRS_NOISES/pointsource_noises/noise_list"]
    command += [
        "--max-noises-per-minute",
        "60",
        "--source-sampling-rate",
        str(RATE),
        str(data),
        str(tmp_path / "copies"),
    ]
    done = subprocess.run(command, env=command_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for key, line in table(tmp_path / "copies/wav.scp").items():
        assert line.count("utils/to_wav.py --rate 16000 --channel 0") >= 2 and "hall" not in line
        levels = re.search(r"--snrs='([^']*)'", line)
        assert levels and levels[1].split(",")[0] == "12" and set(levels[1].split(",")[1:]) == {"7"}
        copy = samples(line)
        assert len(copy) == 2 * RATE and np.isfinite(copy).all(), key
        rir = shlex.quote(f"{lists}/RVB2014_type1_rir_largeroom1_far_angla.wav")
        room = f"{as_pipe(table(data / 'wav.scp')[key])} wav-reverberate --impulse-response={rir} - - |"
        assert np.corrcoef(samples(room), copy)[0, 1] > 0.5, key


@pytest.mark.slow
def test_the_shared_corpora_give_copies_that_sound_as_configured(
    shared: Path, tmp_path: Path, script, recipe: Recipe
) -> None:
    data, corpora = tmp_path / "data", shared / "corpora"
    script("make_musan.py", "--root", corpora / "musan", data / "musan")
    script("make_rirs.py", "--root", corpora / "rirs", data / "rir_list")
    speakers = sorted(path for path in (corpora / "speechocean/test").iterdir() if path.is_dir())[:8]
    utts = {f"{spk.name}-{path.stem}": str(path) for spk in speakers for path in sorted(spk.iterdir())[:1]}
    recipe(write_data(data / "test", utts))
    check_copies(data / "test")
