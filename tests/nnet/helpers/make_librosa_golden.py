"""Makes tests/nnet/data/librosa_inputs.npz: what librosa gives for the signals of input_signals.py.

    python tests/nnet/helpers/make_librosa_golden.py      # needs librosa, which the project does not

Everything is computed in float64, but for librosa's mel filters, which it rounds to float32.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np

from tests.nnet.helpers.input_signals import CASES, spoken


def logmel(samples: np.ndarray, rate: int) -> np.ndarray:
    """Tacotron 2: centred, magnitudes, 0 to 8000 Hz."""
    magnitudes = np.abs(librosa.stft(samples, n_fft=1024, hop_length=256, center=True, pad_mode="reflect"))
    return np.log(np.maximum(librosa.filters.mel(sr=rate, n_fft=1024, n_mels=80, fmax=8000) @ magnitudes, 1e-5)).T


def logmel_hifigan(samples: np.ndarray, rate: int) -> np.ndarray:
    """HiFi-GAN: peak 0.95, not centred, half the rate."""
    padded = np.pad(0.95 * librosa.util.normalize(samples), 384, mode="reflect")
    power = np.abs(librosa.stft(padded, n_fft=1024, hop_length=256, center=False)) ** 2
    mels = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=80, fmin=0, fmax=None)
    return np.log(np.maximum(mels @ np.sqrt(power + 1e-9), 1e-5)).T


def mfcc(samples: np.ndarray, rate: int, pad_mode: str) -> np.ndarray:
    """librosa's defaults."""
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, pad_mode=pad_mode)
    return librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=40).T


def main() -> None:
    """Write the file."""
    signals = {case: spoken(*numbers) / 32768.0 for case, numbers in CASES.items()}
    rates = {case: rate for case, (_, rate, _) in CASES.items()}
    golden = {
        "logmel": logmel(signals["logmel"].astype(np.float64), rates["logmel"]),
        "logmel_hifigan": logmel_hifigan(signals["logmel_hifigan"].astype(np.float64), rates["logmel_hifigan"]),
    }
    for pad_mode in ("constant", "reflect"):
        case = f"librosa_mfcc_{pad_mode}"
        golden[case] = mfcc(signals[case].astype(np.float64), rates[case], pad_mode)
    arrays = {case: values.astype(np.float32) for case, values in golden.items()}
    path = Path(__file__).parents[1] / "data" / "librosa_inputs.npz"
    np.savez_compressed(path, librosa_version=np.array(librosa.__version__), **arrays)
    print(path, path.stat().st_size, {case: values.shape for case, values in arrays.items()})


if __name__ == "__main__":
    main()
