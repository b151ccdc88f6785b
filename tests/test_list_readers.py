"""Every reader of a list follows `common.text_lines`; those of data directories refuse what Kaldi cannot read."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError, KaldiError, UsageError
from common.text_lines import BLANKS
from local.genders import read_metadata, read_spk2gender
from local.make_musan import read_vocals
from local.make_rirs import read_list as read_rooms
from local.trials import read_corpus_trials as read_listed_trials
from minikaldi.copies.noises import read_noises
from minikaldi.copies.rooms import RIR_OPTIONS, make_rir, read_sets
from minikaldi.data_dir.directory import read_segments
from minikaldi.data_dir.tables import read_keys, read_numbers, read_pairs, read_values
from minikaldi.data_dir.validate import validate
from minikaldi.featbin.compute_mfcc_feats import main as compute_mfcc_feats
from minikaldi.io import TOKEN, TOKEN_VECTOR, Holder, random_access, sequential
from minikaldi.options import parse_command_line
from minikaldi.running import run_command
from nnet.data.lists import read_id_table as read_training_list
from nnet.data.lists import read_valid_trials as read_held_out_trials
from nnet.data.wave_lists import _rir_lines
from scoring.enrollment import enrollment_lines
from scoring.trials import read_scores, read_trials

MARK = b"\xef\xbb\xbf"
# All characters that are blanks or line ends to Python's strings, and are neither to Kaldi.
ODD = [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code) not in BLANKS]


# --- every reader that takes such files


@dataclass(frozen=True)
class Reader:
    """A reader of a file, and a good file in which {odd} stands inside of an id or a name."""

    what: str
    read: Callable[[Path], Any]
    good: str
    error: type[Exception]
    name: str = "input"
    others: tuple[tuple[str, str], ...] = ()


def in_folder(read: Callable[[Path], Any], path: Path) -> Any:
    return read(path.parent)


def as_table(kind: str, holder: Holder[Any], path: Path) -> Any:
    with sequential(f"{kind}:{path}", holder) as entries:
        return dict(entries)


def by_key(path: Path) -> Any:
    with random_access(f"ark:{path}", TOKEN_VECTOR) as table:
        return table["s2"]


def answer(words: list[str], path: Path) -> bytes:
    """The standard output of a command; a failure is a KaldiError, as the command printed it."""
    output = io.BytesIO()
    code = run_command([word.format(path=path, folder=path.parent) for word in words], io.BytesIO(), output)
    if code:
        raise KaldiError("the command failed")
    return output.getvalue()


def metadata(path: Path) -> Any:
    return read_metadata(path, "ID")


def scored(path: Path) -> Any:
    found = read_scores(path)
    return list(found.pairs), found.values.tolist()


VECTORS = "a{odd}  [ 1 2 ]\nb  [ 3 4 ]\n"
DOT_PRODUCTS = ["ivector-compute-dot-products", "{path}", "ark:{folder}/v", "ark:{folder}/v", "-"]
SCORING = [
    Reader("trials", lambda path: list(read_trials(path).pairs), "a{odd} b target\nb a nontarget\n", InputError),
    Reader("VoxCeleb trials", lambda path: list(read_trials(path).pairs), "1 a{odd} b\n0 b a\n", InputError),
    Reader("scores", scored, "a{odd} b 1.5\nb a -inf\n", InputError),
    Reader("enrolment", partial(in_folder, enrollment_lines), "m{odd} a b\nn b\n", InputError, "enroll2utt"),
    Reader(
        "enrolment ids",
        partial(in_folder, enrollment_lines),
        "a{odd} b target\nb a nontarget\n",
        InputError,
        "trials",
    ),
]
NNET = [
    Reader("list", read_training_list, "a{odd} x.ark:5\nb y{odd}z\n", Exception),
    Reader(
        "held-out trials",
        lambda path: read_held_out_trials(path, [f"a{odd}" for odd in ["", "ODD", *ODD]] + ["b"]).target.tolist(),
        "a{odd} b target\nb b nontarget\n",
        Exception,
    ),
    Reader(
        "sets of rooms",
        _rir_lines,
        "0.5, rirs{odd}\n1, rirs{odd}\n",
        Exception,
        others=(("rirs{odd}", "--rir-id r --room-id A r.wav\n"),),
    ),
]
LOCAL = [
    Reader("any trials", lambda path: read_listed_trials(path), "1 a{odd} b\n0 b a\n", InputError),
    Reader("genders", read_spk2gender, "ann{odd} f\nbob M\n", InputError),
    Reader("metadata", metadata, "ID ,Gender ,Set \nid{odd}1 ,m ,dev \nid2 ,f ,test \n", InputError),
    Reader("tabbed metadata", metadata, "ID\tGender\tSet\nid{odd}1\tm\tdev\nid2\tf\ttest\n", InputError),
    Reader(
        "annotations", lambda path: read_vocals([path]), "m{odd} jazz N one\nn pop Y two\n", InputError, "ANNOTATIONS"
    ),
    Reader("rooms", lambda path: read_rooms(path, path.parent), "--rir-id r{odd} --room-id A x/input\n", InputError),
]
MINIKALDI = [
    Reader(
        "rooms of a set",
        lambda path: read_sets([str(path)], RIR_OPTIONS, make_rir, 0.3, None),
        "--rir-id r{odd} --room-id=A r.wav\n" * 2,
        InputError,
    ),
    Reader(
        "option file",
        lambda path: parse_command_line([f"--config={path}"], compute_mfcc_feats.options)[0],
        "--num-ceps=30\n--low-freq=20 # Hz\n",
        UsageError,
    ),
    Reader(
        "script",
        partial(as_table, "scp", TOKEN),
        "a{odd} {folder}/one\nb {folder}/one\n",
        KaldiError,
        others=(("one", "word\n"),),
    ),
    Reader("utt2spk", partial(as_table, "ark", TOKEN), "a{odd} s1\nb s2\n", KaldiError),
    Reader("spk2utt", partial(as_table, "ark", TOKEN_VECTOR), "s1 a{odd} b\ns2 c\n", KaldiError),
    Reader("spk2utt by key", by_key, "s1 a b\ns2 a{odd} c\n", KaldiError),
    Reader("pairs to score", partial(answer, DOT_PRODUCTS), "a{odd} b\nb b\n", KaldiError, others=(("v", VECTORS),)),
    Reader("scores with labels", partial(answer, ["compute-eer", "{path}"]), "1.5 target\n-1 nontarget\n", KaldiError),
]
READERS = [*SCORING, *NNET, *LOCAL, *MINIKALDI]
EACH_READER = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.what)


def value_of(reader: Reader, folder: Path, change: Callable[[bytes], bytes] = bytes, odd: str = "") -> Any:
    """What a reader makes of its good file, changed."""
    for name, content in reader.others:
        (folder / name.replace("{odd}", odd)).write_bytes(content.replace("{odd}", odd).encode())
    good = reader.good.replace("{odd}", odd).replace("{folder}", str(folder))
    path = folder / reader.name
    path.write_bytes(change(good.encode()))
    return reader.read(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, so that lists may name files beside them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reports(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, path: Path) -> list[str]:
    """The lines on standard error and in the log that name a file."""
    lines = capfd.readouterr().err.splitlines() + [record.getMessage() for record in caplog.records]
    caplog.clear()
    return [line for line in lines if f"{path}: " in line]


@EACH_READER
def test_marks_and_line_ends_change_nothing_and_are_reported_once(
    reader: Reader, here: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    wanted, path = value_of(reader, here), here / reader.name
    assert not reports(capfd, caplog, path)
    changes: list[tuple[Callable[[bytes], bytes], list[str]]] = [
        (lambda data: MARK + data, ["byte order mark"]),
        (lambda data: data.replace(b"\n", b"\r\n"), ["line ends are CRLF"]),
        (lambda data: MARK + data.replace(b"\n", b"\r\n"), ["byte order mark", "line ends are CRLF"]),
    ]
    for change, said in changes:
        assert value_of(reader, here, change) == wanted
        found = sorted(reports(capfd, caplog, path))
        assert len(found) == len(said) and all(any(words in line for line in found) for words in said), found


@EACH_READER
def test_utf_16_is_refused_by_every_reader(reader: Reader, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for encoding in ("utf-16", "utf-16-be"):
        head = b"\xfe\xff" if encoding == "utf-16-be" else b""
        with pytest.raises(reader.error) as raised:
            value_of(reader, here, lambda data, e=encoding, h=head: h + data.decode().encode(e))  # type: ignore[misc]
        said = f"{raised.value} {capfd.readouterr().err}"
        assert f"{here / reader.name}:1: the file is UTF-16" in said and "save it as UTF-8" in said


@EACH_READER
def test_tabs_and_several_blanks_are_blanks(reader: Reader, here: Path) -> None:
    wanted = value_of(reader, here)
    if "metadata" not in reader.what and reader.what != "option file":
        assert value_of(reader, here, lambda data: data.replace(b" ", b" \t ").replace(b"\n", b" \t\n")) == wanted


@EACH_READER
@pytest.mark.parametrize("odd", ["\u00a0", "\u3000", "\x1c", "\x1f", "\x85", "\u2028"], ids=ascii)
def test_other_blanks_are_part_of_a_name(reader: Reader, here: Path, odd: str) -> None:
    wanted = repr(value_of(reader, here, odd="ODD"))
    found = value_of(reader, here, odd=odd)
    if isinstance(found, bytes):
        found = found.replace(odd.encode(), b"ODD")
    assert repr(found).replace(repr(odd)[1:-1], "ODD") == wanted


# --- the tables of data directories, which real Kaldi reads too: refused with the repair
TABLES: list[tuple[str, Callable[[Path], Any], str]] = [
    ("wav.scp", read_values, "a{odd} x{odd} y{odd}\nb z\n"),
    ("utt2spk", read_pairs, "a{odd} s{odd}\nb s{odd}\n"),
    ("utt2dur", read_numbers, "a{odd} 1\nb 2\n"),
    ("feats.scp", read_keys, "a{odd} x.ark:5\nb x.ark:9\n"),
    ("segments", partial(in_folder, read_segments), "a{odd} r{odd} 0 1\nb r 1 2\n"),
    ("reco2dur", lambda path: read_noises(path.parent).seconds, "a{odd} 1\nb 2\n"),
    ("spk2utt", lambda path: validate(path.parent), "s{odd} a{odd} b\n"),
]


def table_value(folder: Path, name: str, read: Callable[[Path], Any], data: bytes, odd: str) -> Any:
    (folder / "wav.scp").write_text(f"a{odd} x\nb y\n")
    (folder / "utt2spk").write_text(f"a{odd} s{odd}\nb s{odd}\n")
    for other in ("feats.scp", "text"):
        (folder / other).write_text(f"a{odd} x\nb y\n")
    (folder / name).write_bytes(data)
    return read(folder / name)


@pytest.mark.parametrize(("name", "read", "good"), TABLES, ids=lambda value: value if isinstance(value, str) else "")
def test_data_directories_follow_the_same_rule_and_refuse_marks(
    tmp_path: Path, name: str, read: Callable[[Path], Any], good: str
) -> None:
    wanted = table_value(tmp_path, name, read, good.replace("{odd}", "ODD").encode(), "ODD")
    for odd in ("\u00a0", "\u3000", "\x1c", "\x85"):
        found = table_value(tmp_path, name, read, good.replace("{odd}", odd).encode(), odd)
        assert found == _replaced(wanted, odd)
    for change, says in (
        (lambda data: data.replace(b"\n", b"\r\n"), "ends in CR LF"),
        (lambda data: MARK + data, "byte order mark; remove it"),
        (lambda data: b"\xff\xfe" + data.decode().encode("utf-16-le"), "is UTF-16, by its byte order mark; save it"),
    ):
        data = change(good.replace("{odd}", "").encode())
        if read is TABLES[-1][1]:
            faults = table_value(tmp_path, name, read, data, "")
            assert any(f"{tmp_path / name}:1: " in fault and says in fault for fault in faults)
        else:
            with pytest.raises(InputError, match=f"{name}:1: .*{says}"):
                table_value(tmp_path, name, read, data, "")


def _replaced(value: Any, odd: str) -> Any:
    if isinstance(value, str):
        return value.replace("ODD", odd)
    if isinstance(value, dict):
        return {_replaced(key, odd): _replaced(item, odd) for key, item in value.items()}
    return type(value)(_replaced(item, odd) for item in value) if isinstance(value, list | tuple | set) else value
