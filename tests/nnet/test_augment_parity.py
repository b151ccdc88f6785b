"""A chunk that is a whole utterance sounds as the copy on disk: wav-reverberate, compute-fbank-feats, sliding mean.

The tolerances: both round to 16 bits, and a sample differs by 1 at most, where the float32 sums before the rounding
differ in their last bits: 0.0005 in a log energy, 1e-5 on the average. In a room Kaldi's convolution adds a constant
and an alternation besides (see minikaldi/feat/reverberate.py): a frame's mean removes them, but for frames across two
blocks of it (0.05; 0.0005 on the average).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, WAVE, read_object
from nnet.augment.noise import Piece, mixed
from nnet.augment.room import least_length, make_response, put_in_rooms, response_spectra
from nnet.augment.signal import Signal, signal_power, to_sixteen_bits
from nnet.augment.spectra import fast_length
from nnet.config.experiment import load
from nnet.data.lists import read_lists
from nnet.data.sampler import BatchPlan
from nnet.data.wave_data import open_waves
from tests.nnet.helpers.audio_corpus import run, voice, write_waves

UTTS = (0, 7, 20)


def online(corpus: Any, wave_steps: str, utt: int) -> np.ndarray:
    """The features of a whole utterance through the steps."""
    config = load(corpus.config, [f"augment.audio={wave_steps}"])
    chunks, lists, _ = open_waves(config, read_lists(corpus.lists), corpus.lists, corpus.features_conf)
    length = int(lists.train.num_frames[utt])
    rows: np.ndarray = chunks.chunks(BatchPlan(1, length, np.array([utt]), np.array([0])))[0]
    return rows


def on_disk(corpus: Any, utt_id: str, *reverberate: str) -> np.ndarray:
    """The voiced frames of the utterance through wav-reverberate."""
    folder = corpus.root / "disk"
    folder.mkdir(exist_ok=True)
    run("wav-reverberate", *reverberate, f"{corpus.data}/audio/{utt_id}.wav", f"{folder}/{utt_id}.wav")
    (folder / "wav.scp").write_text(f"{utt_id} {folder}/{utt_id}.wav\n")
    run("compute-fbank-feats", f"--config={corpus.features_conf}", f"scp:{folder}/wav.scp", f"ark:{folder}/raw.ark")
    centred = f"ark,scp:{folder}/feats.ark,{folder}/feats.scp"
    run("apply-cmvn-sliding", "--center=true", "--cmn-window=300", f"ark:{folder}/raw.ark", centred)
    vad = dict(line.split() for line in (corpus.data / "vad.scp").read_text().splitlines())
    rows = read_object((folder / "feats.scp").read_text().split()[1], FLOAT_MATRIX)
    voiced: np.ndarray = rows[read_object(vad[utt_id], FLOAT_VECTOR) != 0]
    return voiced


def num_samples(corpus: Any, utt_id: str) -> int:
    """Of an utterance."""
    return int(read_object(f"{corpus.data}/audio/{utt_id}.wav", WAVE).samples.shape[1])


def only(path: Path, number: int) -> str:
    """Leave one line of a list; its file."""
    line = path.read_text().splitlines()[number]
    path.write_text(f"{line}\n")
    return line.split()[-1]


def compare(found: np.ndarray, expected: np.ndarray, mean: float, most: float) -> None:
    """Log energies agree."""
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.mean() < mean and difference.max() < most


@pytest.mark.parametrize("utt", UTTS)
@pytest.mark.parametrize("number", [0, 2])
def test_a_room(audio_corpus: Any, utt: int, number: int) -> None:
    rir = only(audio_corpus.lists / "rir.list", number)
    utt_id = read_lists(audio_corpus.lists).train.utt_ids[utt]
    expected = on_disk(audio_corpus, utt_id, f"--impulse-response={rir}")
    compare(online(audio_corpus, "[{name: room}]", utt), expected, 5e-4, 0.05)


@pytest.mark.parametrize("utt", UTTS)
@pytest.mark.parametrize("snr", [15, 0])
def test_a_noise_that_lasts_as_long(audio_corpus: Any, utt: int, snr: int) -> None:
    utt_id = read_lists(audio_corpus.lists).train.utt_ids[utt]
    path = one_noise(audio_corpus, num_samples(audio_corpus, utt_id))
    expected = on_disk(audio_corpus, utt_id, f"--additive-signals={path}", f"--snrs={snr}", "--start-times=0")
    found = online(audio_corpus, f"[{{name: noise, snrs: [{snr}], placement: background}}]", utt)
    compare(found, expected, 1e-5, 5e-4)


def one_noise(corpus: Any, length: int) -> str:
    """A noise of that many samples, the only one of noise.list; its file."""
    write_waves(corpus.root / "one", {"one": voice(np.random.default_rng(5), length)})
    path = f"{corpus.root}/one/audio/one.wav"
    (corpus.lists / "noise.list").write_text(f"one one {path}\n")
    return path


@pytest.mark.parametrize("utt", UTTS)
def test_a_noise_in_a_room(audio_corpus: Any, utt: int) -> None:
    """The room of one command with the noise: its level refers to the early part of the speech.

    wav-reverberate adds the noise before it moves the speech to its place, and takes the power of the sum with the
    echo after the end; so the noise is given later by the response's delay, and what differs in gain is taken off by
    the mean.
    """
    rir = only(audio_corpus.lists / "rir.list", 1)
    utt_id = read_lists(audio_corpus.lists).train.utt_ids[utt]
    path = one_noise(audio_corpus, num_samples(audio_corpus, utt_id))
    delay = int(np.argmax(read_object(rir, WAVE).samples[0]))
    noise = [f"--additive-signals={path}", "--snrs=5", f"--start-times={delay / 16000}"]
    expected = on_disk(audio_corpus, utt_id, f"--impulse-response={rir}", *noise)
    found = online(audio_corpus, "[{name: room}, {name: noise, snrs: [5], placement: background}]", utt)
    compare(found, expected, 2e-3, 0.05)  # the power of the early part is known to 0.01 dB, 0.0023 in log energy


@pytest.mark.parametrize(
    ("starts", "lengths", "snrs"),
    [([0.0], [9000], [10]), ([0.0, 0.25, 0.5], [2000, 3000, 40000], [15, 0, 5]), ([0.9], [50], [0])],
)
def test_samples_of_noises_one_after_the_other(
    audio_corpus: Any, starts: list[float], lengths: list[int], snrs: list[int]
) -> None:
    rng = np.random.default_rng(6)
    waves = {f"n{n}": voice(rng, length) for n, length in enumerate(lengths)}
    write_waves(audio_corpus.root / "several", waves)
    speech = read_object(f"{audio_corpus.data}/audio/s1-1.wav", WAVE).samples[0]
    pieces = []
    for (name, noise), start, snr in zip(waves.items(), starts, snrs, strict=True):
        place = int(start * 16000)
        part = noise[: len(speech) - place].astype(np.float32)
        if len(part) < len(noise):  # the level here is that of the part, on disk that of the whole file
            write_waves(audio_corpus.root / f"cut-{name}", {name: part})
            (audio_corpus.root / f"cut-{name}/audio/{name}.wav").replace(
                audio_corpus.root / f"several/audio/{name}.wav"
            )
        pieces.append(Piece(part, place, snr, name))
    mixture, silent = mixed(Signal(speech), pieces)
    to_sixteen_bits(mixture.samples)
    on_disk(
        audio_corpus, "s1-1",
        "--additive-signals=" + ",".join(f"{audio_corpus.root}/several/audio/{name}.wav" for name in waves),
        "--snrs=" + ",".join(map(str, snrs)), "--start-times=" + ",".join(map(str, starts)),
    )  # fmt: skip
    expected = read_object(f"{audio_corpus.root}/disk/s1-1.wav", WAVE).samples[0]
    difference = np.abs(mixture.samples - expected)
    assert difference.max() <= 1 and difference.mean() < 1e-2 and not silent  # float32 sums before the rounding


def kaldi_case(root: Path, name: str) -> np.ndarray:
    """What real Kaldi wrote."""
    samples: np.ndarray = read_object(f"{root}/tests/golden/cases/{name}/out/o.wav", WAVE).samples[0]
    return samples


def golden_wave(root: Path, name: str) -> np.ndarray:
    """An input of the golden cases."""
    samples: np.ndarray = read_object(f"{root}/tests/golden/inputs/wav/{name}.wav", WAVE).samples[0]
    return samples


def golden_room(root: Path, speech: np.ndarray) -> Signal:
    """The speech in the golden room."""
    room = make_response(golden_wave(root, "rir"), 16000)
    assert room is not None
    length = fast_length(least_length(Signal(speech), room))
    return put_in_rooms([Signal(speech)], [room], response_spectra([room], length), length)[0]


def as_kaldi_levels(noise: np.ndarray, start: float, snr: float, length: int, name: str) -> Piece:
    """A noise whose level is that of its whole file, where only a part of it is heard."""
    place = int(start * 16000)
    part = noise[: length - place]
    return Piece(part, place, snr + 10 * np.log10(signal_power(noise) / signal_power(part)), name)


def test_real_kaldis_noises(root: Path) -> None:
    speech = golden_wave(root, "spk1-utt0")
    given = (("noise1", 0.0, 15.0), ("noise2", 0.9, 5.0))
    pieces = [as_kaldi_levels(golden_wave(root, n), start, snr, len(speech), n) for n, start, snr in given]
    noisy, _ = mixed(Signal(speech), pieces)
    to_sixteen_bits(noisy.samples)
    assert np.abs(noisy.samples - kaldi_case(root, "noise-add")).max() <= 1


def test_real_kaldis_room(root: Path) -> None:
    """But for the constant and the alternation that Kaldi's convolution adds to a block; x[n] - x[n-2] knows neither.

    Their power counts in Kaldi's level.
    """
    found, expected = golden_room(root, golden_wave(root, "spk0-utt0")).samples, kaldi_case(root, "reverberate")
    gain = found @ expected / (found @ found)
    assert gain == pytest.approx(1, abs=1e-3)
    difference = gain * found - expected
    rest = np.abs(difference[2:] - difference[:-2])
    assert np.quantile(rest, 0.999) < 2  # of two samples rounded down; the 0.001 are where blocks meet


def test_real_kaldis_noise_in_a_room(root: Path) -> None:
    """The whole command; Kaldi adds the noise before it takes the delay off."""
    speech = golden_wave(root, "spk2-utt1")
    signal, noise = golden_room(root, speech), golden_wave(root, "noise2")
    start = 0.2 - int(np.argmax(golden_wave(root, "rir"))) / 16000
    noisy, _ = mixed(signal, [as_kaldi_levels(noise, start, 10.0, len(speech), "noise2")])
    expected = kaldi_case(root, "noise-and-rir")
    gain = noisy.samples @ expected / (noisy.samples @ noisy.samples)
    assert gain == pytest.approx(1, abs=0.02)  # Kaldi takes the power with the echo after the end
    assert 10 * np.log10(signal_power(gain * noisy.samples - expected) / signal_power(expected)) < -40
