"""Chunks from audio: the numbers of the commands, whatever the workers, the step to begin with, and the speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.io import FLOAT_MATRIX, FLOAT_VECTOR, WAVE, read_object, writer
from minikaldi.running import run_command
from nnet.config.experiment import Config, load
from nnet.data.batches import FeatureChunks, training_batches
from nnet.data.hold_out import HoldOutOptions
from nnet.data.lists import TrainingLists, read_lists
from nnet.data.sampler import BatchPlan, BatchPlanner
from nnet.data.wave_data import WaveChunks, open_waves
from nnet.data.wave_lists import AudioSources
from nnet.make_lists import make_lists
from tests.nnet.helpers.audio_corpus import make_no_sil, run, voice, write_waves

ALL_ON = (
    "augment={speed: {factors: [0.9, 1.1]}, audio: [{name: room, probability: 0.6, context: 0.1}, {one_of: ["
    "{name: noise}, {name: music}, {name: babble, voices: [1, 3]}, {name: clean}], probability: 0.8},"
    " {one_of: [{name: telephone}, {name: low_pass}, {name: companding}], probability: 0.5},"
    " {name: clipping, probability: 0.3}, {name: gain, probability: 0.3}],"
    " features: [{name: time_mask, probability: 0.5}, {name: frequency_mask, probability: 0.5, width: [1, 3]}]}"
)


def opened(corpus: Any, *settings: str) -> tuple[WaveChunks, TrainingLists, Config]:
    """The source of chunks, the lists with speed copies, and the experiment."""
    config = load(corpus.config, settings)
    chunks, lists, _ = open_waves(config, read_lists(corpus.lists), corpus.lists, corpus.features_conf)
    return chunks, lists, config


def whole_utterances(lists: TrainingLists, utts: Sequence[int]) -> list[BatchPlan]:
    """For each utterance a plan of a chunk that is all of it."""
    lengths = lists.train.num_frames
    return [BatchPlan(1, int(lengths[utt]), np.array([utt]), np.array([0])) for utt in utts]


def test_without_augmentation_a_whole_utterance_has_the_features_of_the_commands(audio_corpus: Any) -> None:
    chunks, lists, _ = opened(audio_corpus)
    for utt, plan in enumerate(whole_utterances(lists, range(len(lists.train)))):
        expected = read_object(lists.train.feats[utt], FLOAT_MATRIX)
        # the same float32 numbers, but for sums that BLAS takes in another order in another block of frames
        np.testing.assert_allclose(chunks.chunks(plan)[0], expected, atol=2e-5)


def test_chunks_are_those_of_the_features_where_the_mean_has_its_window(audio_corpus: Any) -> None:
    """Within 30 frames of the chunk a centred window of 60 sees what it saw in the whole utterance, ends apart."""
    no_sil, lists_dir = audio_corpus.root / "no_sil_60", audio_corpus.root / "lists_60"
    make_no_sil(audio_corpus.data, no_sil, window=60)
    make_lists(no_sil, lists_dir, 20, 2, HoldOutOptions(valid_share=0.2), AudioSources(audio_corpus.data))
    config = load(audio_corpus.config, ["data.cmn_window=60", "data.cmn_context=60"])
    chunks, lists, _ = open_waves(config, read_lists(lists_dir), lists_dir, audio_corpus.features_conf)
    feats, planner = FeatureChunks(lists.train, 8), BatchPlanner(lists.train, (20, 60), 8, "speakers", 3)
    for step in range(1, 6):
        plan = planner.plan(step)
        np.testing.assert_allclose(chunks.chunks(plan), feats.chunks(plan), atol=1e-4)  # sums in another order


def test_a_chunk_longer_than_its_utterance_repeats_it_as_features_do(audio_corpus: Any) -> None:
    chunks, lists, _ = opened(audio_corpus)
    plan = BatchPlan(1, 400, np.arange(6), np.array([0, 3, 7, 11, 13, 17]))
    expected = FeatureChunks(lists.train, 8).chunks(plan)
    np.testing.assert_allclose(chunks.chunks(plan), expected, atol=2e-5)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_same_whatever_the_workers(audio_corpus: Any, workers: int) -> None:
    chunks, lists, here = opened(audio_corpus, ALL_ON, "training.steps=8")
    config = load(audio_corpus.config, [ALL_ON, "training.steps=8", f"data.workers={workers}"])
    batches = list(training_batches(lists.train, config, 1, False, chunks))
    expected = list(training_batches(lists.train, here, 1, False, opened(audio_corpus, ALL_ON)[0]))
    assert all(a.feats.equal(b.feats) and a.labels.equal(b.labels) for a, b in zip(batches, expected, strict=True))
    assert len({batch.feats.shape[1] for batch in batches}) > 4


def test_a_later_first_step_gives_the_rest_of_the_batches(audio_corpus: Any) -> None:
    chunks, lists, config = opened(audio_corpus, ALL_ON, "training.steps=7")
    whole = list(training_batches(lists.train, config, 1, False, chunks))
    rest = list(training_batches(lists.train, config, 5, False, opened(audio_corpus, ALL_ON)[0]))
    assert all(a.feats.equal(b.feats) for a, b in zip(whole[4:], rest, strict=True))


def test_another_seed_or_step_draws_other_augmentation_of_the_same_chunk(audio_corpus: Any) -> None:
    chunks, _, _ = opened(audio_corpus, ALL_ON)
    other, _, _ = opened(audio_corpus, ALL_ON, "training.seed=4")
    plan = BatchPlan(1, 30, np.arange(6), np.zeros(6, np.int64))
    later = BatchPlan(2, 30, plan.utts, plan.starts)
    assert np.array_equal(chunks.chunks(plan), opened(audio_corpus, ALL_ON)[0].chunks(plan))
    assert not np.allclose(chunks.chunks(plan), chunks.chunks(later), atol=0.1)
    assert not np.allclose(chunks.chunks(plan), other.chunks(plan), atol=0.1)


def test_a_chunk_does_not_depend_on_the_others_of_its_batch(audio_corpus: Any) -> None:
    chunks, _, _ = opened(audio_corpus, ALL_ON)
    starts = np.zeros(6, np.int64)
    first = chunks.chunks(BatchPlan(1, 30, np.arange(6), starts))
    # the same places in the batch, other neighbours: FFTs of other lengths and rows round otherwise, nothing else
    other = chunks.chunks(BatchPlan(1, 30, np.array([0, 1, 2, 20, 21, 22]), starts))
    np.testing.assert_allclose(first[:3], other[:3], atol=0.02)


def test_speed_copies_are_new_classes_and_sound_like_to_wav_makes_them(audio_corpus: Any, tmp_path: Path) -> None:
    chunks, lists, _ = opened(audio_corpus, "augment={speed: {factors: [0.9, 1.1]}}")
    plain = read_lists(audio_corpus.lists)
    number, speakers = len(plain.train), len(plain.speaker_ids)
    assert len(lists.train) == 3 * number and len(lists.speaker_ids) == 3 * speakers
    assert lists.speaker_ids[speakers] == "sp0.9-" + plain.speaker_ids[0]
    assert lists.train.utt_ids[2 * number + 1] == "sp1.1-" + plain.train.utt_ids[1]
    assert lists.train.speakers[number + 2] == speakers + plain.train.speakers[2]
    assert lists.train.num_frames[number] == int(plain.train.num_frames[0] / 0.9)
    for copy, factor in ((1, 0.9), (2, 1.1)):
        utt = plain.train.utt_ids[4]
        expected = fast_features(audio_corpus, utt, factor, tmp_path / f"{factor}")
        length = len(expected)
        plan = BatchPlan(1, length, np.array([copy * number + 4]), np.array([0]))
        # 0.02: the FFT's low-pass has no images and rounds a few samples the other way, to be seen where bins are empty
        np.testing.assert_allclose(chunks.chunks(plan)[0], expected, atol=0.02)


def fast_features(corpus: Any, utt: str, factor: float, folder: Path) -> np.ndarray:
    """Voiced frames of an utterance that to_wav.py plays at another speed."""
    folder.mkdir()
    wave, feats = f"{folder}/fast.wav", f"{folder}/feats.ark"
    with Path(wave).open("wb") as out:
        assert run_command(["to_wav.py", "--speed", f"{factor}", f"{corpus.data}/audio/{utt}.wav"], None, out) == 0
    (folder / "wav.scp").write_text(f"{utt} {wave}\n")
    run("compute-fbank-feats", f"--config={corpus.features_conf}", f"scp:{folder}/wav.scp", f"ark:{folder}/raw.ark")
    run("apply-cmvn-sliding", "--center=true", "--cmn-window=300", f"ark:{folder}/raw.ark", f"ark,t:{feats}")
    rows = read_object(f"{feats}:{len(utt) + 1}", FLOAT_MATRIX)
    vad = dict(line.split() for line in (corpus.data / "vad.scp").read_text().splitlines())
    voiced = read_object(vad[utt], FLOAT_VECTOR) != 0
    places = np.minimum(((np.arange(len(rows)) + 0.5) * factor).astype(int), len(voiced) - 1)
    return rows[voiced[places]]


def test_plain_speed_keeps_the_classes_and_draws_each_factor(audio_corpus: Any) -> None:
    chunks, lists, _ = opened(audio_corpus, "augment={speed: {factors: [0.9, 1.1], new_speakers: false}}")
    assert len(lists.train) == len(read_lists(audio_corpus.lists).train)
    plan = BatchPlan(1, 40, np.full(48, 3), np.zeros(48, np.int64))
    different = {chunk.round(3).tobytes() for chunk in chunks.chunks(plan)}
    assert len(different) == 3  # the same chunk at 0.9, 1 and 1.1, and nothing else


@pytest.fixture
def by_segments(audio_corpus: Any) -> Any:
    """The same utterances as segments of six long recordings, one for each speaker."""
    data = audio_corpus.data
    utts = dict(line.split() for line in (data / "wav.scp").read_text().splitlines())
    segments, recordings = [], {}
    for spk in sorted({utt.split("-")[0] for utt in utts}):
        parts, at = [], 0
        for utt in sorted(u for u in utts if u.startswith(spk)):
            samples = read_object(utts[utt], WAVE).samples[0]
            padded = np.pad(samples, (0, -len(samples) % 16))
            segments.append(f"{utt} {spk} {at / 16000:.3f} {(at + len(samples)) / 16000:.5f}\n")
            parts.append(padded)
            at += len(padded)
        recordings[spk] = np.concatenate(parts)
    write_waves(audio_corpus.root / "long", recordings)
    (audio_corpus.root / "long" / "segments").write_text("".join(segments))
    (audio_corpus.root / "long" / "vad.scp").write_text((data / "vad.scp").read_text())
    return audio_corpus


def test_segments_of_a_recording_are_read_as_utterances_of_their_own(by_segments: Any) -> None:
    lists_dir = by_segments.root / "lists_long"
    sources = AudioSources(by_segments.root / "long")
    make_lists(by_segments.no_sil, lists_dir, 20, 2, HoldOutOptions(valid_share=0.2), sources)
    assert (lists_dir / "segments").is_file()
    config = load(by_segments.config)
    cut, lists, _ = open_waves(config, read_lists(lists_dir), lists_dir, by_segments.features_conf)
    whole, _, _ = opened(by_segments)
    for plan in whole_utterances(lists, range(6)):
        np.testing.assert_allclose(cut.chunks(plan), whole.chunks(plan), atol=2e-5)


Change = Callable[[Any], None]


def rewrite(name: str, change: Callable[[str], str]) -> Change:
    """A change of a file in the lists directory."""

    def apply(corpus: Any) -> None:
        path = corpus.lists / name
        path.write_text(change(path.read_text()))

    return apply


def other_vad(corpus: Any) -> None:
    """Voice activity of another utterance's length."""
    utt = (corpus.lists / "vad.scp").read_text().split()[0]
    with writer(f"ark,scp:{corpus.root}/v.ark,{corpus.root}/v.scp", FLOAT_VECTOR) as out:
        out.write(utt, np.ones(3, np.float32))
    lines = (corpus.lists / "vad.scp").read_text().splitlines(keepends=True)
    (corpus.lists / "vad.scp").write_text("".join([(corpus.root / "v.scp").read_text(), *lines[1:]]))


def at_8_khz(corpus: Any) -> None:
    """The first utterance's audio has another rate."""
    utt = (corpus.lists / "wav.scp").read_text().split()[0]
    write_waves(corpus.root / "slow", {utt: voice(np.random.default_rng(0), 9000)}, rate=8000)
    lines = (corpus.lists / "wav.scp").read_text().splitlines(keepends=True)
    (corpus.lists / "wav.scp").write_text(f"{utt} {corpus.root}/slow/audio/{utt}.wav\n" + "".join(lines[1:]))


def cut_short(corpus: Any) -> None:
    """The first utterance's audio lacks its end."""
    path = Path((corpus.lists / "wav.scp").read_text().split()[1])
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_vad, r"has 3 frames, the audio \d+; make the voice activity of this audio again"),
        (at_8_khz, r"is 8000 Hz, --sample-frequency of the features is 16000; name it as `utils"),
        (cut_short, r"promises 1000 bytes more than there are"),
        (rewrite("wav.scp", lambda text: text.replace("/train/audio", "/nowhere")), r"cannot read .*nowhere"),
        (rewrite("vad.scp", lambda text: text.replace("vad.ark:", "vad.ark:1")), r"cannot read the voice activity"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_unusable_audio_stops_training_and_names_the_utterance(
    audio_corpus: Any, change: Change, message: str, workers: int
) -> None:
    change(audio_corpus)
    chunks, lists, config = opened(audio_corpus, f"data.workers={workers}")
    with pytest.raises(InputError, match=message) as caught:
        list(training_batches(lists.train, config, 1, False, chunks))
    assert str(caught.value).startswith("s")


def test_features_with_other_voice_activity_are_reported(audio_corpus: Any) -> None:
    path = audio_corpus.lists / "utt2num_frames"
    path.write_text("".join(f"{line.split()[0]} 25\n" for line in path.read_text().splitlines()))
    chunks, _, _ = opened(audio_corpus)
    with pytest.raises(InputError, match=r"marks \d+ frames voiced, utt2num_frames says 25; make the lists again"):
        chunks.chunks(BatchPlan(1, 20, np.array([0]), np.array([0])))


@pytest.mark.parametrize(
    ("step", "file", "option"),
    [("noise", "noise.list", "--noise-dir"), ("music", "music.list", "--music"), ("room", "rir.list", "--rir-sets")],
)
def test_a_step_without_its_material_says_how_to_get_it(audio_corpus: Any, step: str, file: str, option: str) -> None:
    (audio_corpus.lists / file).unlink()
    with pytest.raises(InputError, match=f'"{step}" needs {file} in the lists directory.*{option}'):
        opened(audio_corpus, f"augment={{audio: [{{name: {step}}}]}}")


def test_lists_without_audio_say_how_to_get_it(audio_corpus: Any) -> None:
    (audio_corpus.lists / "wav.scp").unlink()
    with pytest.raises(InputError, match=r"no wav\.scp, which data\.source audio reads.*--audio-dir"):
        opened(audio_corpus)


def test_features_of_other_columns_than_the_experiment_has_are_refused(audio_corpus: Any) -> None:
    with pytest.raises(InputError, match=r"fbank\.conf: gives fbank of 8 columns, features\.dim is 30"):
        opened(audio_corpus, "features.dim=30")


def test_what_is_odd_is_logged_once(audio_corpus: Any, caplog: pytest.LogCaptureFixture) -> None:
    loud = "augment={audio: [{name: gain, db: [40, 40]}]}"
    chunks, lists, config = opened(audio_corpus, loud, "training.steps=5", "data.workers=2")
    with caplog.at_level("WARNING"):
        list(training_batches(lists.train, config, 1, False, chunks))
    assert [record.message for record in caplog.records] == [
        "some augmented chunks pass 16 bits and are clipped, as in a file; less gain avoids it"
    ]
