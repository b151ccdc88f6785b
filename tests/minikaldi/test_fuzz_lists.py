"""Every reader of text: option files, experiments, data directories, trials, scores, lists of rooms and noises.

Whatever the bytes, each gives a value or one error of its own class, in one line, with the file and the line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError, UsageError
from common.options import ConfigError
from local.genders import metadata_genders, read_metadata, read_spk2gender
from local.make_musan import read_vocals
from local.make_rirs import read_list
from local.minicorpus.config import read_config
from local.minicorpus.store import stored
from local.trials import read_corpus_trials as read_any_trials
from minikaldi.copies.noises import read_noises
from minikaldi.copies.rooms import NOISE_OPTIONS, RIR_OPTIONS, make_noise, make_rir, read_sets
from minikaldi.copies.speed import segment_lines
from minikaldi.data_dir.directory import read_utt2spk
from minikaldi.data_dir.tables import read_numbers, read_pairs, read_values
from minikaldi.data_dir.validate import validate
from minikaldi.featbin.compute_mfcc_feats import main as compute_mfcc_feats
from minikaldi.options import parse_command_line
from nnet.config.experiment import load
from nnet.data.lists import StringTable, read_int_table, read_valid_trials
from nnet.data.lists import read_id_table as read_list_table
from nnet.training.curve import CURVE_HEADER, Curve
from recipe.markers import reason_to_run
from scoring.trial_sets import model_speakers
from scoring.trials import read_scores, write_trials
from scoring.trials import read_trials as read_scored_trials
from tests.minikaldi.helpers.fuzzing import Refusal, cuts, damaged, memory_limit, refusal_or_value

pytestmark = pytest.mark.filterwarnings("error")

ROOT = Path(__file__).resolve().parents[2]
TABLE = b"utt1 one\nutt2 two words\nutt3 3\n"
PAIRS = b"utt1 spk1\nutt2 spk1\nutt3 spk2\n"
TRIALS = b"utt1 utt2 target\nutt1 utt3 nontarget\nutt2 utt3 nontarget\n"


@dataclass(frozen=True)
class Reader:
    """A reader of a file, a good file, and the class of its errors.

    `place`: the place of its errors in the file, after the file's name. `name`: of the file, for readers that look for
    it in a folder. `others`: files beside it.
    """

    what: str
    read: Callable[[Path], Any]
    good: bytes
    error: type[Exception] | tuple[type[Exception], ...]
    place: str = r"(:\d+)?(: | \(|$)"
    name: str = "input"
    others: tuple[tuple[str, bytes], ...] = ()


def in_folder(read: Callable[[Path], Any], path: Path) -> Any:
    return read(path.parent)


def options_of(path: Path) -> Any:
    return parse_command_line([f"--config={path}"], compute_mfcc_feats.options)


def sets(known: tuple[str, ...], make: Any, path: Path) -> Any:
    return read_sets([str(path)], known, make, 0.3, 16000)


def weighted_sets(path: Path) -> Any:
    """As utils/…/reverberate_data_dir.py has --rir-set-parameters: texts `weight, list`."""
    texts = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    return read_sets([text for text in texts if text], RIR_OPTIONS, make_rir, 0.3, None)


def metadata(path: Path) -> Any:
    return metadata_genders(path, read_metadata(path, "VoxCeleb2 ID"), "VoxCeleb2 ID")


def kept_curve(path: Path) -> Any:
    return Curve(path, 3)


RIRS = b"--rir-id r1 --room-id A wav/r1.wav\n--rir-id r2 --room-id=A --probability 0.5 sox 'a b.wav' -t wav - |\n"
NOISES = b"--noise-id n1 --noise-type point-source --bg-fg-type foreground n1.wav\n" + (
    b"--noise-id n2 --noise-type isotropic --room-linkage A --probability 0.2 n2.wav\n"
)
SETS = b"0.5, {folder}/rirs\n0.5, {folder}/rirs\n"
SIMULATED = b"--rir-id r1 --room-id A x/input\n"
VOCALS = b"m1 jazz N someone\nm2 pop Y other\n"
MARKER = b'{"options": {"a": "1"}, "inputs": {"x": "sha256:0"}, "outputs": {"d": {"f": "size:1 mtime_ns:2"}}}\n'
MANIFEST = b'{"hash": "abc", "sounds": [["a", "b.wav", "c", "d", 16000]]}'

SPEAKERS = {"utt1": "a", "utt2": "a"}
READERS = [
    Reader("option file", options_of, b"# MFCC\n--num-ceps=30\n--low-freq=20 # Hz\n--use-energy=false\n", UsageError),
    Reader("Kaldi conf", options_of, (ROOT / "conf/mfcc.conf").read_bytes(), UsageError),
    Reader("experiment", load, (ROOT / "conf/nnet/mini.yaml").read_bytes(), ConfigError),
    Reader("mini corpus", read_config, (ROOT / "conf/mini_corpus.yaml").read_bytes(), ConfigError),
    Reader("table", read_values, TABLE, InputError),
    Reader("pairs", read_pairs, PAIRS, InputError),
    Reader("numbers", read_numbers, b"utt1 1.5\nutt2 2e-1\nutt3 300\n", InputError),
    Reader("utt2spk", partial(in_folder, read_utt2spk), PAIRS, InputError, name="utt2spk"),
    Reader(
        "segments",
        partial(in_folder, lambda folder: list(segment_lines(folder, 1.1, "sp-"))),
        b"seg1 rec1 0 1.5\nseg2 rec1 1.5 -1 1\n",
        InputError,
        name="segments",
    ),
    Reader("validated utt2spk", partial(in_folder, validate), PAIRS, InputError, name="utt2spk"),
    Reader(
        "validated segments",
        partial(in_folder, validate),
        b"utt1 rec1 0 1.5\nutt2 rec1 1.5 3\nutt3 rec1 3 4\n",
        InputError,
        name="segments",
        others=(("utt2spk", PAIRS), ("wav.scp", b"rec1 rec1.wav\n")),
    ),
    Reader(
        "validated frames",
        partial(in_folder, validate),
        b"utt1 100\nutt2 20\nutt3 3\n",
        InputError,
        name="utt2num_frames",
        others=(("utt2spk", PAIRS), ("wav.scp", TABLE)),
    ),
    Reader("impulse responses", partial(sets, RIR_OPTIONS, make_rir), RIRS, InputError),
    Reader("noises", partial(sets, NOISE_OPTIONS, make_noise), NOISES, InputError),
    Reader("sets of rooms", weighted_sets, SETS, (InputError, OSError), place="|", others=(("rirs", RIRS),)),
    Reader(
        "noise directory",
        partial(in_folder, read_noises),
        b"n1 n1.wav\nn2 sox n2.flac -t wav - |\n",
        InputError,
        name="wav.scp",
        place="(:\\d+)?: |reco2dur: ",
        others=(("reco2dur", b"n1 1\nn2 2\n"), ("utt2spk", b"n1 a\nn2 b\n")),
    ),
    Reader("stage marker", lambda path: reason_to_run(path, {"a": "1"}, ["x"], ["d"]), MARKER, InputError),
    Reader("manifest", lambda path: stored(path.parent, path.name, "abc"), MANIFEST, InputError),
    Reader("training list", read_list_table, TABLE, InputError),
    Reader("integers", read_int_table, b"utt1 100\nutt2 20\nutt3 -3\n", InputError),
    Reader("held-out trials", lambda path: read_valid_trials(path, ["utt1", "utt2", "utt3"]), TRIALS, InputError),
    Reader("curve", kept_curve, f"{CURVE_HEADER}\n1\t0.5\n2\t0.4\n".encode(), InputError),
    Reader("trials", read_scored_trials, TRIALS, InputError),
    Reader("VoxCeleb trials", read_scored_trials, b"1 a/1.wav a/2.wav\r\n0 a/1.wav b/1.wav\r\n", InputError),
    Reader("scores", read_scores, b"utt1 utt2 1.5\nutt1 utt3 -2e1\nutt2 utt3 -inf\n", InputError),
    Reader("models", partial(model_speakers, utt2spk=SPEAKERS), b"m1 utt1 utt2\nm2 utt1\n", InputError),
    Reader("any trials", read_any_trials, b"\xef\xbb\xbf1 a/1.wav a/2.wav\n0 a/1.wav b/1.wav\n", InputError),
    Reader("genders", read_spk2gender, b"ann f\nbob M\n", InputError),
    Reader("metadata", metadata, b"\xef\xbb\xbfVoxCeleb2 ID ,Gender ,Set \nid1 ,m ,dev \nid2 ,f ,test \n", InputError),
    Reader("annotations", lambda path: read_vocals([path]), VOCALS, InputError, name="ANNOTATIONS"),
    Reader("RIRS_NOISES", lambda path: read_list(path, path.parent), SIMULATED, (InputError, OSError), place="|"),
]  # fmt: skip
EACH_READER = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.what)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Reader], tuple[Path, bytes]]:
    """place(reader): the file's name, its good content, with the files beside it."""

    def make(reader: Reader) -> tuple[Path, bytes]:
        for name, content in reader.others:
            (tmp_path / name).write_bytes(content)
        path = tmp_path / reader.name
        path.touch()
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the curve is written safely, a thousand times
        return path, reader.good.replace(b"{folder}", str(tmp_path).encode())

    return make


def outcome_of(reader: Reader, path: Path, data: bytes) -> Any:
    with path.open("r+b", buffering=0) as file:
        file.truncate(file.write(data))
    name = "" if reader.place == "|" else re.escape(str(path))
    errors = reader.error if isinstance(reader.error, tuple) else (reader.error,)
    return refusal_or_value(partial(reader.read, path), errors, rf"{name}{reader.place}", data)


@EACH_READER
def test_a_good_file_is_read(reader: Reader, place: Callable[[Reader], tuple[Path, bytes]]) -> None:
    outcome = outcome_of(reader, *place(reader))
    assert not isinstance(outcome, Refusal), outcome


@EACH_READER
def test_a_damaged_file_is_a_value_or_one_error(reader: Reader, place: Callable[[Reader], tuple[Path, bytes]]) -> None:
    path, good = place(reader)
    with memory_limit():
        for data in [*damaged(good, seed=11, mixed=30, header=4, places=2), *cuts(good, 20)]:
            outcome_of(reader, path, data)


@pytest.mark.slow
@EACH_READER
def test_a_file_damaged_in_many_places_is_a_value_or_one_error(
    reader: Reader, place: Callable[[Reader], tuple[Path, bytes]]
) -> None:
    path, good = place(reader)
    with memory_limit():
        for data in damaged(good, seed=12, mixed=600, header=60, places=8):
            outcome_of(reader, path, data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: [*x, *x]\n", r"input:2: found the alias \*x; write out"),
        ("a: " + "[" * 5000, "input: is nested too deeply"),
        ("a: 2001-13-45\n", "input:1: cannot be read: month must be in 1"),
        ("a: 1\nb: " + "9" * 5000, "input:2: cannot be read: Exceeds the limit"),
        ("a: 1\na: 2\n", 'input:2: key "a" appears twice'),
        ("a: !!python/object/apply:os.system [ls]\n", "input:1: could not determine a constructor"),
        ("a: " + "x" * 300000, "input: has 300003 characters"),
        ("features: {type: mfcc, config: a, dim: 1" + "0" * 400 + "}", "input: missing: encoder"),
    ],
)
def test_yaml_that_no_experiment_needs_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "input").write_text(text)
    with memory_limit(), pytest.raises(ConfigError, match=said):
        load(tmp_path / "input")


def test_a_yaml_file_that_is_no_utf8_names_line_and_byte(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match="input:2: byte 8 of the file is not UTF-8"):
        load(tmp_path / "input")


def test_ids_that_are_no_utf8_pass_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "trials"
    path.write_bytes(b"\xff1 \xff2 target\n")
    trials = read_scored_trials(path)
    write_trials(tmp_path / "again", trials)
    assert (tmp_path / "again").read_bytes() == b"\xff1 \xff2 target\n"
    path.write_bytes(b"\xff1 x.ark:5\n")
    ids = list(read_list_table(path))
    assert [StringTable(ids)[0]] == ids == ["\udcff1"]
