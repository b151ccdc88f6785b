"""Training chunks from audio: cropped, augmented and turned into features while they are read.

crop → speed → the steps of the section `augment.audio` → 16 bits, as a file would hold → features → sliding mean →
voiced frames; the last two if the section `features` has them. What is drawn for chunk n of step k depends on
(seed, k, n) only, not on the reader or the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError, KaldiError
from minikaldi.io import FLOAT_VECTOR, read_object
from nnet.augment import AugmentOptions, RoomOptions
from nnet.augment.audio import Audio, AudioReader
from nnet.augment.chain import Chain, Costs
from nnet.augment.crop import Crop, chunk_frames, crop, speed_length, voiced_at
from nnet.augment.features import FeatureMaker, InputFeatures, read_feature_maker, without_mean
from nnet.augment.material import Material, NoisePool, Notes, UtteranceAudio, noise_sets
from nnet.augment.signal import FloatArray, Signal
from nnet.augment.speed import Passage, change_speed, passage
from nnet.config.experiment import Config
from nnet.data.lists import StringTable, TrainingLists, with_speed_copies
from nnet.data.sampler import AUGMENTATION, BatchPlan
from nnet.data.wave_lists import AudioLists, read_audio_lists

TOGETHER = 64  # chunks made at once: enough for the FFTs' vector registers, few enough for the processor's caches


@dataclass(frozen=True)
class ChunkCut:
    """What a chunk is made of.

    Attributes:
        utt: its utterance, without speed copies.
        factor: its speed.
        audio: the utterance's audio.
        crop: the samples and frames of the chunk.
        before: samples that precede the crop.
    """

    utt: int
    factor: float
    audio: Audio
    crop: Crop
    before: int

    @property
    def passage(self) -> Passage:
        """The samples at another speed, those before the crop among them."""
        return passage(self.factor, self.crop.start - self.before, self.crop.stop)


class WaveChunks:
    """Makes the features of a plan's chunks.

    Args:
        lists: the training lists, without speed copies.
        audio: their audio.
        config: the experiment.
        maker: of features.
    """

    def __init__(self, lists: TrainingLists, audio: AudioLists, config: Config, maker: FeatureMaker) -> None:
        self.notes, self.costs = Notes(), Costs()
        self._lists, self._audio, self._data, self.maker = lists, audio, config.data, maker
        self._seed, self._augment = config.training.seed, config.augment
        self._cmn_window = config.data.cmn_window if config.features.cmvn else 0
        self._all_frames = not config.features.vad
        rate, cache_bytes = maker.sample_frequency, config.data.audio_cache_mb * 1_000_000
        reader = AudioReader(rate, cache_bytes)
        assert isinstance(lists.train.utt_ids, StringTable)
        self._utterances = UtteranceAudio(audio, lists.train.utt_ids, reader)
        noises = noise_sets(audio, reader)
        if "speech" not in noises and len(set(lists.train.speakers.tolist())) > 1:
            what = "the training utterances"
            noises["speech"] = NoisePool(self._utterances, lists.train.speakers, lists.speaker_ids, what)
        material = Material(rate, reader, noises, audio.rirs, cache_bytes, self.notes)
        self._chain = Chain(config.augment, material, self.costs)
        rooms = [step.options for step in config.augment.audio_steps() if isinstance(step.options, RoomOptions)]
        self._before = int(max((room.context for room in rooms), default=0.0) * rate)

    def chunks(self, plan: BatchPlan) -> FloatArray:
        """The features of a plan's chunks.

        Returns:
            float32 (B, T, F).

        Raises:
            InputError: audio, voice activity or noise that cannot be used; names the utterance and the file.
        """
        rngs = [np.random.default_rng([self._seed, AUGMENTATION, plan.step, n]) for n in range(len(plan))]
        chunks = np.empty((len(plan), plan.chunk_frames, self.maker.dim), np.float32)
        for first in range(0, len(plan), TOGETHER):
            some = slice(first, first + TOGETHER)
            self._make(plan, some, rngs[some], chunks[some])
        return chunks

    def _make(self, plan: BatchPlan, some: slice, rngs: list[np.random.Generator], chunks: FloatArray) -> None:
        """Some of a plan's chunks, into `chunks` (B', T, F)."""
        with self.costs.of("read"):
            starts = zip(plan.utts[some].tolist(), plan.starts[some].tolist(), rngs, strict=True)
            cuts = [self._cut(utt, start, plan.chunk_frames, rng) for utt, start, rng in starts]
            waves = [self._read(cut) for cut in cuts]
        pairs = zip(cuts, waves, strict=True)
        with self.costs.of("speed"):
            spoken = [w if cut.factor == 1.0 else change_speed(w, cut.passage, cut.factor) for cut, w in pairs]
        pairs = zip(cuts, spoken, strict=True)
        signals = [Signal(wave, cut.before, self._speaker(cut.utt)) for cut, wave in pairs]
        signals = self._chain.apply(signals, rngs)
        with self.costs.of("features"):
            ready = [self._framed(cut, signal) for cut, signal in zip(cuts, signals, strict=True)]
            dither_key = f"{self._seed} {plan.step} {some.start}"
            feats, clipped = self.maker.of_waves(ready, [cut.crop.num_frames for cut in cuts], dither_key)
            if clipped:
                self.notes.add("some augmented chunks pass 16 bits and are clipped, as in a file; less gain avoids it")
        with self.costs.of("mean, voiced frames"):
            for chunk, cut, rows in zip(chunks, cuts, feats, strict=True):
                chunk[:] = without_mean(rows, self._cmn_window)[cut.crop.rows]

    def _cut(self, place: int, start: int, length: int, rng: np.random.Generator) -> ChunkCut:
        copy, utt = divmod(place, len(self._audio.recordings))
        factor = self._factor(copy, rng)
        if copy == 0:
            start = int(start / factor)  # a plan knows no speed that is drawn here
        framing = self.maker.framing
        audio = self._utterances.open(utt, length * framing.shift)
        num_samples = speed_length(factor, audio.num_samples)
        voiced = voiced_at(self._voiced(utt, audio), factor, framing.num_frames(num_samples))
        if not voiced.any():
            raise InputError(f"{self._utterances.name(utt)}: has no voiced frame at speed {factor:g}; remove it")
        frames, all_of_them = chunk_frames(voiced, start, length)
        # A chunk with all voiced frames is the whole utterance: the mean is then taken over its pauses at the ends too.
        part = crop(frames, len(voiced) if all_of_them else self._data.cmn_context, num_samples, framing)
        return ChunkCut(utt, factor, audio, part, min(self._before, part.start))

    def _factor(self, copy: int, rng: np.random.Generator) -> float:
        """The speed of a copy or, if copies are not speakers of their own, one that is drawn."""
        speed = self._augment.speed
        if speed is None:
            return 1.0
        if speed.new_speakers:
            return (1.0, *speed.factors)[copy]
        return (1.0, *speed.factors)[int(rng.integers(1 + len(speed.factors)))]

    def _voiced(self, utt: int, audio: Audio) -> npt.NDArray[np.bool_]:
        """Which frames of an utterance chunks are made of: the voiced ones, or all. Checked against audio and lists."""
        name, rxfilename = self._utterances.name(utt), self._audio.vad[utt]
        in_audio, listed = self.maker.framing.num_frames(audio.num_samples), int(self._lists.train.num_frames[utt])
        if self._all_frames:
            if in_audio != listed:
                raise InputError(
                    f"{name}: the audio has {in_audio} frames, utt2num_frames says {listed}; make the lists again"
                )
            return np.ones(in_audio, bool)
        try:
            voiced = read_object(rxfilename, FLOAT_VECTOR) != 0
        except (KaldiError, OSError) as error:
            raise InputError(f"{name}: cannot read the voice activity {rxfilename}: {error}") from error
        if isinstance(self.maker, InputFeatures) and len(voiced) == in_audio + 1:  # see nnet/features/fit_vad.py
            voiced = voiced[:-1]
        if len(voiced) != in_audio:
            raise InputError(
                f"{name}: {rxfilename} has {len(voiced)} frames, the audio {in_audio}; make the voice activity of this"
                " audio again, with the frame options of the features"
            )
        if np.count_nonzero(voiced) != listed:
            raise InputError(
                f"{name}: {rxfilename} marks {np.count_nonzero(voiced)} frames voiced, utt2num_frames says {listed};"
                " make the lists again"
            )
        return voiced

    def _read(self, cut: ChunkCut) -> FloatArray:
        """The samples that the cut needs; at another speed, those of the original, zeros over its ends."""
        first, last = cut.crop.start - cut.before, cut.crop.stop
        if cut.factor != 1.0:
            first, last = cut.passage.first, cut.passage.last
        inside = max(0, first), min(last, cut.audio.num_samples)
        try:
            samples = cut.audio.read(*inside)
        except (InputError, OSError) as error:
            raise InputError(f"{self._utterances.name(cut.utt)}: {error}") from error
        if len(samples) == last - first:
            return samples
        return np.pad(samples, (inside[0] - first, last - inside[1]))

    def _speaker(self, utt: int) -> str:
        return self._lists.speaker_ids[self._lists.train.speakers[utt]]

    def _framed(self, cut: ChunkCut, signal: Signal) -> FloatArray:
        """The samples of the cut's frames: at an end of the utterance, with what the features have beyond it."""
        return self.maker.framing.extended(signal.samples, cut.crop.left, cut.crop.right)


def open_waves(
    config: Config, lists: TrainingLists, lists_dir: Path, features_conf: Path
) -> tuple[WaveChunks, TrainingLists, str]:
    """What training from audio reads.

    Args:
        config: the experiment, with data.source audio.
        lists: the training lists, as read.
        lists_dir: where they are.
        features_conf: the Kaldi option file of the features.

    Returns:
        The maker of chunks; the lists, with speed copies as new speakers if the experiment has them; a hash of what
        is drawn from.

    Raises:
        InputError: the lists hold no audio, or lack what a step draws from.
    """
    features = config.features
    maker = read_feature_maker(features.type, features_conf, features.dim)
    audio = read_audio_lists(lists_dir, lists.train)
    chunks = WaveChunks(lists, audio, config, maker)
    return chunks, with_speed_copies(lists, new_speaker_factors(config.augment)), audio.digest()


def new_speaker_factors(augment: AugmentOptions) -> tuple[float, ...]:
    """The speeds whose copies are speakers of their own."""
    return augment.speed.factors if augment.speed is not None and augment.speed.new_speakers else ()
