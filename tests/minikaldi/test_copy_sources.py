"""Copies of held-out speech stay out of training, whatever they are called."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from common.errors import InputError
from minikaldi.copies.sources import find_sources
from nnet.data.hold_out import HoldOutOptions
from nnet.data.lists import read_id_table
from nnet.make_lists import make_lists

ORIGINALS = {f"s{spk}-u{utt}": f"s{spk}" for spk in range(4) for utt in range(6)}


def write(path: Path, table: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key} {value}\n" for key, value in table.items()))


def write_feats(path: Path) -> None:
    """Give a data directory features that nobody reads, 200 frames of each utterance."""
    utts = sorted(read_id_table(path / "utt2spk"))
    write(path / "feats.scp", {utt: f"a.ark:{place}" for place, utt in enumerate(utts)})
    write(path / "utt2num_frames", dict.fromkeys(utts, "200"))


def write_data(path: Path, utt2spk: Mapping[str, str], utt2uniq: Mapping[str, str] | None = None) -> Path:
    path.mkdir(parents=True)
    write(path / "utt2spk", dict(sorted(utt2spk.items())))
    if utt2uniq is not None:
        write(path / "utt2uniq", utt2uniq)
    write_feats(path)
    return path


def copies(prefix: str = "", suffix: str = "", of_speaker: bool = False) -> dict[str, str]:
    """Copies of the originals under other names; `of_speaker`: the speakers get the affixes too."""
    return {f"{prefix}{u}{suffix}": f"{prefix}{s}{suffix}" if of_speaker else s for u, s in ORIGINALS.items()}


def leaked(data: Path, out: Path, sources: Mapping[str, str]) -> set[str]:
    """The held-out sources with a copy in the training data."""
    make_lists(data, out, 100, 2, HoldOutOptions(valid_share=0.3))
    valid = {sources[utt] for utt in read_id_table(out / "valid.scp")}
    assert len(valid) >= 4
    return valid & {sources[utt] for utt in read_id_table(out / "train.scp")}


def source_by_speaker_and_number(utts: Mapping[str, str]) -> dict[str, str]:
    """The original whose id is somewhere in the id."""
    return {utt: next(original for original in ORIGINALS if original in utt) for utt in utts}


@pytest.mark.parametrize(("prefix", "suffix"), [("", "-aug"), ("aug-", ""), ("", "-x1_y"), ("", "far"), ("q.", "")])
def test_utt2uniq_decides_whatever_the_copies_are_called(
    tmp_path: Path, prefix: str, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    everything = ORIGINALS | copies(prefix, suffix)
    sources = source_by_speaker_and_number(everything)
    data = write_data(tmp_path / "data", everything, sources)
    assert not leaked(data, tmp_path / "lists", sources)
    assert "warning" not in caplog.text


def test_names_without_likeness_are_joined_by_utt2uniq_through_a_chain(tmp_path: Path) -> None:
    names = {utt: f"{utt.split('-')[0]}-copy{place:02d}" for place, utt in enumerate(ORIGINALS)}
    again = {copy: f"{copy.split('-')[0]}-second{place:02d}" for place, copy in enumerate(names.values())}
    chain = {copy: utt for utt, copy in names.items()} | {second: copy for copy, second in again.items()}
    everything = ORIGINALS | {utt: utt.split("-")[0] for utt in chain}
    sources = {utt: chain.get(chain.get(utt, utt), chain.get(utt, utt)) for utt in everything}
    data = write_data(tmp_path / "data", everything, chain)
    assert not leaked(data, tmp_path / "lists", sources)


@pytest.mark.parametrize(
    ("prefix", "suffix", "of_speaker"),
    [("", "-aug", False), ("", "aug", False), ("rev1-", "", True), ("sp0.9-", "", True), ("", "_speed09", True)],
)
@pytest.mark.parametrize("identity", [False, True])
def test_names_that_look_like_copies_are_kept_together_and_said(
    tmp_path: Path, prefix: str, suffix: str, of_speaker: bool, identity: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # identity: what combine_data.sh writes of a directory without utt2uniq, where another has it
    everything = ORIGINALS | copies(prefix, suffix, of_speaker)
    data = write_data(tmp_path / "data", everything, {utt: utt for utt in everything} if identity else None)
    assert not leaked(data, tmp_path / "lists", source_by_speaker_and_number(everything))
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert "24 utterances look like copies of others by their names" in said[0]
    assert f"({prefix}s0-u0{suffix} of s0-u0, " in said[0] and "and 21 more" in said[0] and "utt2uniq" in said[0]


def test_second_takes_words_and_other_speakers_are_no_copies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [f"w{place}" for place in range(24)]
    utts = {f"s{spk}-{word}": f"s{spk}" for spk in range(4) for word in [*words, "yes", "yesterday"]}
    utts |= {f"s5-s{spk}-yes": "s5" for spk in range(4)}   # of another speaker
    utts |= {f"s{spk}-take{number}": f"s{spk}" for spk in range(4) for number in (1, 2, 10)}
    utts |= {f"s6-u{number}": "s6" for number in range(6)} | {"s6": "s6"}    # one such name is chance
    data = write_data(tmp_path / "data", utts)
    make_lists(data, tmp_path / "lists", 100, 2, HoldOutOptions(valid_share=0.3))
    assert "look like copies" not in caplog.text
    assert not (tmp_path / "lists" / "dropped").read_text()


NOISY = {
    "number": "{utt}-{place}",
    "number_": "{utt}_{place}",
    "rate": "{utt}-snr{random}",
    "babble": "{utt}-babble{few}",
    "sound": "{utt}-noise-free-sound-{random}",
    "fraction": "{utt}_snr{few}.{random}",
    "before": "rev{random}-{utt}",
    "within": "{spk}-noisy-{rest}",
    "within_": "{spk}_noisy-{rest}",
    "within_number": "{spk}-babble-{few}-{rest}",
    "within_others": "{spk}-{word}-{rest}",
    "glued": "{utt}far{few}",
}


@pytest.mark.parametrize("form", NOISY.values(), ids=NOISY)
def test_copies_whose_names_differ_by_a_number_or_within_are_kept_together(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    sources = {utt: utt for utt in ORIGINALS}
    for place, (utt, spk) in enumerate(ORIGINALS.items()):
        rest, random, word = utt.split("-")[1], 7919 * (place + 3) % 10007, "abcdefghijklmnopqrstuvwx"[place] * 3
        again = form.format(utt=utt, spk=spk, rest=rest, place=place + 1, random=random, few=place % 9, word=word)
        sources[again] = utt
    assert len(sources) == 48
    everything = {utt: ORIGINALS[source] for utt, source in sources.items()}
    data = write_data(tmp_path / "data", everything)
    assert not leaked(data, tmp_path / "lists", sources)
    assert "24 utterances look like copies of others by their names" in caplog.text


def test_names_of_known_corpora_are_no_copies() -> None:
    utts = {}
    for spk in range(11, 31):
        for take in range(12):
            utts[f"{spk}-{spk * take % 7}-{take:04d}"] = f"{spk}"                           # LibriSpeech
            video = ("k-9a_Zq", "1zc-_b", "-noise_", "_a-1", "a-1-2", "aug")[take % 6]
            utts[f"id100{spk}-{video}{spk % 3}-{take:05d}"] = f"id100{spk}"                 # VoxCeleb
            genre = ("singing", "live_broadcast", "speech", "vlog")[take % 4]
            utts[f"id000{spk}-{genre}-{take // 4:02d}-{take:03d}"] = f"id000{spk}"          # CN-Celeb
            utts[f"CN{spk}-take{take}"] = f"CN{spk}"
    found = find_sources(utts, None, "data")
    assert not found.warnings and all(utt == source for utt, source in found.of.items())


def test_copies_are_looked_for_fast() -> None:
    utts = {f"id{spk:05d}-v{utt % 9}_a{utt}-b-{utt:05d}": f"id{spk:05d}" for spk in range(100) for utt in range(300)}
    utts |= {f"{utt}-{place % 5000}x-babble{place}": spk for place, (utt, spk) in enumerate(list(utts.items()))}
    start = time.process_time()
    found = find_sources(utts, None, "data")
    assert len(set(found.of.values())) == len(utts) // 2
    assert time.process_time() - start < 6          # 60,000 ids; a million take as much longer


def test_copies_of_an_absent_original_go_together_and_one_of_them_is_held_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    everything = copies("sp0.9-", "", True) | copies("sp1.0-") | copies("sp1.1-", "", True)
    sources = source_by_speaker_and_number(everything)
    data = write_data(tmp_path / "data", everything, sources)
    assert not leaked(data, tmp_path / "lists", sources)
    assert all(utt.startswith("sp1.0-") for utt in read_id_table(tmp_path / "lists" / "valid.scp"))
    assert "24 sources are not in the data directory, only their copies are (" in caplog.text


def test_the_copies_follow_the_recording_of_their_source(tmp_path: Path) -> None:
    everything = ORIGINALS | copies("", "-aug")
    sources = source_by_speaker_and_number(everything)
    data = write_data(tmp_path / "data", everything, sources)
    write(data / "utt2rec", {utt: f"session-{utt}" for utt in everything})     # renamed with the copies
    assert not leaked(data, tmp_path / "lists", sources)


def test_a_partial_utt2uniq_and_strange_lines_are_said(tmp_path: Path) -> None:
    table = {"s0-u0-far": "s0-u0", "gone": "s0-u1"}
    found = find_sources(ORIGINALS | {"s0-u0-far": "s0"}, table, "data")
    assert found.of["s0-u0-far"] == "s0-u0" and "s0-u0-far" not in found.clean
    assert "data/utt2uniq: 22 of 25 utterances have no line (s0-u2, s0-u3, s0-u4 and 19 more)" in found.warnings[0]
    assert "data/utt2uniq: 1 utterances are not in the data directory (gone)" in found.warnings[1]


def test_copies_in_a_circle_are_refused() -> None:
    with pytest.raises(InputError, match="data/utt2uniq: a -> b -> a: a copy of its own copy"):
        find_sources({"a": "s", "b": "s"}, {"a": "b", "b": "a"}, "data")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """A training directory whose audio nobody reads, and a noise."""
    for name, utts in (("train", ORIGINALS), ("noise", {"n1": "n1"})):
        data = tmp_path / name
        data.mkdir()
        write(data / "utt2spk", utts)
        write(data / "wav.scp", {utt: f"{utt}.wav" for utt in utts})
        write(data / "vad.scp", {utt: f"vad.ark:{place}" for place, utt in enumerate(utts)})
        for table in ("reco2dur", "utt2dur"):
            write(data / table, dict.fromkeys(utts, "2.5"))
    (tmp_path / "rooms").write_text("--rir-id r --room-id R r.wav\n")
    return tmp_path / "train"


def run(root: Path, folder: Path, command: str) -> None:
    """Run a shell command with utils/ and steps/ of the checkout in reach."""
    for name in ("utils", "steps", "minikaldi", "path.sh"):
        if not (folder / name).exists():
            (folder / name).symlink_to(root / name)
    done = subprocess.run(["bash", "-ec", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tools_that_make_copies_and_those_that_carry_them_on_keep_utt2uniq(
    train: Path, tmp_path: Path, root: Path
) -> None:
    utils, augment = root / "utils", root / "steps/data/augment_data_dir.py"
    run(
        root,
        tmp_path,
        f"""
        {utils}/perturb_data_dir_speed.sh 0.9 train slow
        {utils}/combine_data.sh both train slow
        cp train/vad.scp both/vad.scp; sed 's/^/sp0.9-/' train/vad.scp >> both/vad.scp
        {augment} --fg-noise-dir noise both aug                       # the default suffix
        {augment} --utt-suffix '' --utt-prefix rev --modify-spk-id true --fg-noise-dir noise aug twice
        {root}/steps/data/reverberate_data_dir.py --rir-set-parameters rooms --prefix p --num-replications 2 \\
          --pointsource-noise-addition-probability 0 --isotropic-noise-addition-probability 0 both rooms_plain
        {utils}/copy_data_dir.sh --utt-suffix -far rooms_plain far
        {utils}/subset_data_dir.sh aug 40 part
        {utils}/combine_data.sh all both part twice far
        {utils}/fix_data_dir.sh all
        {root}/steps/copy_for_features.sh all copied
        """,
    )
    everything = read_id_table(tmp_path / "copied" / "utt2spk")
    sources = source_by_speaker_and_number(everything)
    assert len(everything) == 48 + 40 + 48 + 96
    assert read_id_table(tmp_path / "copied" / "utt2uniq") == sources
    write_feats(tmp_path / "copied")
    assert not leaked(tmp_path / "copied", tmp_path / "lists", sources)


def test_the_directories_of_voiced_frames_carry_utt2uniq_on(train: Path, tmp_path: Path, root: Path) -> None:
    everything = ORIGINALS | copies("", "-aug")
    sources = source_by_speaker_and_number(everything)
    write(train / "utt2spk", dict(sorted(everything.items())))
    write(train / "utt2uniq", dict(sorted(sources.items())))
    (tmp_path / "feats.txt").write_text("".join(f"{utt}  [\n 1 2\n 3 4 ]\n" for utt in sorted(everything)))
    (tmp_path / "vad.txt").write_text("".join(f"{utt}  [ 1 0 ]\n" for utt in sorted(everything)))
    run(
        root,
        root,
        f"""
        . ./path.sh
        cd {tmp_path}
        copy-feats ark,t:feats.txt ark,scp:$PWD/f.ark,train/feats.scp
        copy-vector ark,t:vad.txt ark,scp:$PWD/v.ark,train/vad.scp
        cd {root}
        steps/prepare_feats.sh --nj 1 {tmp_path}/train {tmp_path}/train_no_sil {tmp_path}/ark
        """,
    )
    assert read_id_table(tmp_path / "train_no_sil" / "utt2uniq") == sources
