"""Features written down from their definitions: float64, one frame, one filter, one sample at a time.

Sources: The HTK Book, chapter 5; what Kaldi's options mean (feat/feature-window.cc, feat/mel-computations.cc).
Nothing here is shared with minikaldi.feat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EPSILON = 2.0**-23  # of float32: Kaldi's floor under every log


@dataclass
class Definition:
    """All that the options say, under the options' names."""

    sample_frequency: float = 16000.0
    frame_length: float = 25.0
    frame_shift: float = 10.0
    preemphasis_coefficient: float = 0.97
    remove_dc_offset: bool = True
    window_type: str = "povey"
    blackman_coeff: float = 0.42
    round_to_power_of_two: bool = True
    snip_edges: bool = True
    num_mel_bins: int = 23
    low_freq: float = 20.0
    high_freq: float = 0.0
    vtln_warp: float = 1.0
    vtln_low: float = 100.0
    vtln_high: float = -500.0
    use_energy: bool = True
    energy_floor: float = 0.0
    raw_energy: bool = True
    htk_compat: bool = False
    num_ceps: int = 13
    cepstral_lifter: float = 22.0
    use_log_fbank: bool = True
    use_power: bool = True


def slow_mfcc(samples: np.ndarray, wanted: Definition) -> np.ndarray:
    """MFCCs (T, num_ceps) of samples (N,)."""
    rows = []
    for frame in frames_of(samples, wanted):
        windowed, raw_energy = prepared(frame, wanted)
        log_mel = [math.log(max(e, EPSILON)) for e in mel_energies(power_of(windowed, wanted), wanted)]
        cepstra = [cepstrum(log_mel, i, wanted.cepstral_lifter) for i in range(wanted.num_ceps)]
        first = energy_of(windowed, raw_energy, wanted) if wanted.use_energy else cepstra[0]
        if not wanted.htk_compat:
            rows.append([first, *cepstra[1:]])
        else:
            rows.append([*cepstra[1:], first if wanted.use_energy else math.sqrt(2) * first])
    return np.array(rows)


def slow_fbank(samples: np.ndarray, wanted: Definition) -> np.ndarray:
    """Filter-bank features (T, num_mel_bins or one more) of samples (N,)."""
    rows = []
    for frame in frames_of(samples, wanted):
        windowed, raw_energy = prepared(frame, wanted)
        spectrum = power_of(windowed, wanted)
        mel = mel_energies(spectrum if wanted.use_power else [math.sqrt(p) for p in spectrum], wanted)
        row = [math.log(max(e, EPSILON)) for e in mel] if wanted.use_log_fbank else mel
        energy = [energy_of(windowed, raw_energy, wanted)] if wanted.use_energy else []
        rows.append(row + energy if wanted.htk_compat else energy + row)
    return np.array(rows)


def frames_of(samples: np.ndarray, wanted: Definition) -> list[list[float]]:
    """The frames, cut one by one; beyond the ends the wave is mirrored."""
    length = int(wanted.sample_frequency * 0.001 * wanted.frame_length)
    shift = int(wanted.sample_frequency * 0.001 * wanted.frame_shift)
    frames = []
    if wanted.snip_edges:
        begin = 0
        while begin + length <= len(samples):
            frames.append([float(x) for x in samples[begin : begin + length]])
            begin += shift
        return frames
    for t in range((len(samples) + shift // 2) // shift):
        begin = t * shift + shift // 2 - length // 2
        frames.append([float(samples[mirrored(i, len(samples))]) for i in range(begin, begin + length)])
    return frames


def mirrored(index: int, length: int) -> int:
    """Where a sample outside the wave is taken from; the edge sample counts twice."""
    while not 0 <= index < length:
        index = -index - 1 if index < 0 else 2 * length - 1 - index
    return index


def prepared(frame: list[float], wanted: Definition) -> tuple[list[float], float]:
    """The frame after offset, pre-emphasis and window; its energy before the last two."""
    if wanted.remove_dc_offset:
        mean = math.fsum(frame) / len(frame)
        frame = [x - mean for x in frame]
    energy = math.fsum(x * x for x in frame)
    before = [frame[0], *frame[:-1]]
    emphasized = [x - wanted.preemphasis_coefficient * b for x, b in zip(frame, before, strict=True)]
    return [x * window(n, len(frame), wanted) for n, x in enumerate(emphasized)], energy


def window(n: int, length: int, wanted: Definition) -> float:
    """The n-th value of the window."""
    phase = 2 * math.pi * n / (length - 1)
    hann = 0.5 - 0.5 * math.cos(phase)
    a = wanted.blackman_coeff
    return {
        "hanning": hann,
        "hamming": 0.54 - 0.46 * math.cos(phase),
        "povey": max(hann, 0.0) ** 0.85,
        "rectangular": 1.0,
        "sine": math.sin(phase / 2),
        "blackman": a - 0.5 * math.cos(phase) + (0.5 - a) * math.cos(2 * phase),
    }[wanted.window_type]


def power_of(windowed: list[float], wanted: Definition) -> list[float]:
    """|sum x e^(-2 pi i k n / N)|^2 for k = 0 … N/2 - 1, by the sum itself."""
    size = len(windowed)
    while wanted.round_to_power_of_two and size & (size - 1):
        size += 1
    n = np.arange(len(windowed))
    values = np.array(windowed)
    return [
        float(values @ np.cos(2 * np.pi * k * n / size)) ** 2 + float(values @ np.sin(2 * np.pi * k * n / size)) ** 2
        for k in range(size // 2)
    ]


def mel(freq: float) -> float:
    """Hz to mel."""
    return 1127 * math.log(1 + freq / 700)


def mel_energies(spectrum: list[float], wanted: Definition) -> list[float]:
    """Each triangle's sum over the spectrum."""
    nyquist = wanted.sample_frequency / 2
    low, high = wanted.low_freq, wanted.high_freq if wanted.high_freq > 0 else nyquist + wanted.high_freq
    step = (mel(high) - mel(low)) / (wanted.num_mel_bins + 1)
    corners = [warped(mel(low) + i * step, low, high, wanted) for i in range(wanted.num_mel_bins + 2)]
    bins = [mel(k * nyquist / len(spectrum)) for k in range(len(spectrum))]
    energies = []
    for left, centre, right in zip(corners, corners[1:], corners[2:], strict=False):
        total = 0.0
        for position, power in zip(bins, spectrum, strict=True):
            if left < position <= centre:
                total += power * (position - left) / (centre - left)
            elif centre < position < right:
                total += power * (right - position) / (right - centre)
        energies.append(total)
    return energies


def warped(position: float, low: float, high: float, wanted: Definition) -> float:
    """A corner's mel after the speaker's warp, which keeps the ends and divides by the factor in between."""
    factor = wanted.vtln_warp
    if factor == 1.0:
        return position
    upper = wanted.vtln_high if wanted.vtln_high >= 0 else wanted.sample_frequency / 2 + wanted.vtln_high
    left, right = wanted.vtln_low * max(1.0, factor), upper * min(1.0, factor)
    freq = 700 * (math.exp(position / 1127) - 1)
    if freq < left:
        freq = low + (freq - low) * (left / factor - low) / (left - low)
    elif freq < right:
        freq = freq / factor
    else:
        freq = high - (high - freq) * (high - right / factor) / (high - right)
    return mel(freq)


def cepstrum(log_mel: list[float], i: int, lifter: float) -> float:
    """The i-th coefficient of the orthonormal cosine transform, liftered."""
    count = len(log_mel)
    total = math.fsum(x * math.cos(math.pi * i * (j + 0.5) / count) for j, x in enumerate(log_mel))
    scale = math.sqrt((1 if i == 0 else 2) / count)
    return scale * total * (1 + lifter / 2 * math.sin(math.pi * i / lifter) if lifter else 1.0)


def energy_of(windowed: list[float], raw_energy: float, wanted: Definition) -> float:
    """The log energy that stands beside or in the features."""
    energy = raw_energy if wanted.raw_energy else math.fsum(x * x for x in windowed)
    return max(math.log(max(energy, EPSILON)), math.log(wanted.energy_floor) if wanted.energy_floor > 0 else -math.inf)


def slow_resampled(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Each output sample as the sum of the input under a Hann-windowed sinc of six zeros, centred on its time."""
    cutoff = 0.99 * 0.5 * min(rate_in, rate_out)
    width = 6 / (2 * cutoff)
    output = []
    for k in range(-(-len(samples) * rate_out // rate_in)):
        total = 0.0
        for n, x in enumerate(samples):
            t = n / rate_in - k / rate_out
            if abs(t) < width:
                hann = 0.5 * (1 + math.cos(2 * math.pi * cutoff / 6 * t))
                sinc = math.sin(2 * math.pi * cutoff * t) / (math.pi * t) if t else 2 * cutoff
                total += float(x) * hann * sinc / rate_in
        output.append(total)
    return np.array(output)


def slow_sliding_cmvn(feats: np.ndarray, window: int, min_window: int, center: bool, norm_vars: bool) -> np.ndarray:
    """Each frame normalised by the frames of its window, which is found by moving it step by step."""
    rows = []
    for t in range(len(feats)):
        if center:
            start, end = t - window // 2, t - window // 2 + window
            while start < 0:
                start, end = start + 1, end + 1
        else:
            start, end = max(0, t - window), max(t + 1, min_window)
        while end > len(feats):
            start, end = start - 1, end - 1
        inside = feats[max(start, 0) : end].astype(np.float64)
        row = feats[t] - inside.mean(axis=0)
        if norm_vars:
            row = row / np.sqrt(np.maximum(inside.var(axis=0), 1e-10)) if len(inside) > 1 else 0 * row
        rows.append(row)
    return np.array(rows)


def slow_vad(energy: list[float], threshold: float, mean_scale: float, context: int, share: float) -> list[float]:
    """1 for each frame of whose neighbourhood enough frames lie over the threshold."""
    limit = np.float32(threshold + (mean_scale * math.fsum(energy) / len(energy) if mean_scale else 0.0))
    voiced = []
    for t in range(len(energy)):
        near = [energy[u] for u in range(t - context, t + context + 1) if 0 <= u < len(energy)]
        loud = sum(np.float32(e) > limit for e in near)
        voiced.append(float(np.float32(loud) >= np.float32(len(near)) * np.float32(share)))
    return voiced
