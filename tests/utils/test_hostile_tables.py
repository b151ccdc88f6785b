"""Tables as people bring them: Windows line ends, no last newline, tabs, broken UTF-8, empty files, locales."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# Bytes, for a table may hold any: é and a blank of another script in ids, and two bytes that are not UTF-8.
UTTS = {b"Z-1": b"Z", b"a-1": b"a", b"a-\xc3\xa9": b"a", b"a-\xff\xfe": b"a", "b\u3000-1".encode(): "b\u3000".encode()}
LOCALES = [{}, {"LC_ALL": "C"}, {"LC_ALL": "en_US.UTF-8"}, {"LC_ALL": "en_US.ISO-8859-1"}, {"PYTHONUTF8": "0"}]


def call(
    root: Path, folder: Path, *words: str, env: dict[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a script of utils/ in a folder, over bytes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [str(root / "utils" / words[0]), *words[1:]]
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, env={**clean, **(env or {})}, check=False
    )


def write(path: Path, lines: list[bytes], end: bytes = b"\n") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(line + end for line in lines))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A whole data directory with the odd ids, sorted by bytes."""
    folder = tmp_path / "data"
    write(folder / "utt2spk", [utt + b" " + spk for utt, spk in UTTS.items()])
    write(folder / "spk2utt", [b"Z Z-1", b"a a-1 a-\xc3\xa9 a-\xff\xfe", "b\u3000 b\u3000-1".encode()])
    write(folder / "wav.scp", [utt + b"  wav/" + utt + b".wav" for utt in UTTS])
    write(folder / "text", [utt + b" caf\xc3\xa9 \xe9 " + "\u3000x".encode() for utt in UTTS])
    write(folder / "utt2dur", [utt + b"\t2.5" for utt in UTTS])
    write(folder / "reco2dur", [utt + b"\t2.5" for utt in UTTS])
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name[0] != "."}


@pytest.mark.parametrize("env", LOCALES, ids=str)
def test_any_locale_gives_the_same_bytes(odd: Path, root: Path, env: dict[str, str]) -> None:
    here = odd.parent
    assert call(root, here, "validate_data_dir.sh", "--no-feats", "data", env=env).returncode == 0
    assert call(root, here, "fix_data_dir.sh", "data", env=env).returncode == 0
    (here / "list").write_bytes(b"\n".join(UTTS) + b"\n")
    wav = (odd / "wav.scp").read_bytes()
    assert call(root, here, "filter_scp.pl", "list", "data/wav.scp", env=env).stdout == wav
    assert call(root, here, "filter_scp.pl", "list", "-", env=env, stdin=wav).stdout == wav
    assert call(root, here, "subset_scp.pl", "5", "data/wav.scp", env=env).stdout == wav
    speakers = call(root, here, "utt2spk_to_spk2utt.pl", "data/utt2spk", env=env).stdout
    assert speakers == (odd / "spk2utt").read_bytes()
    assert call(root, here, "spk2utt_to_utt2spk.pl", env=env, stdin=speakers).stdout == (odd / "utt2spk").read_bytes()
    assert call(root, here, "split_scp.pl", "data/wav.scp", "1", "2", env=env).returncode == 0
    assert (here / "1").read_bytes() + (here / "2").read_bytes() == wav
    for words in (["combine_data.sh", "c", "data"], ["subset_data_dir.sh", "--first", "data", "5", "c"]):
        done = call(root, here, *words, env=env)
        assert done.returncode == 0, done.stderr
        assert tables(here / "c") == tables(odd)
    assert call(root, here, "copy_data_dir.sh", "--utt-suffix", "-x", "data", "d", env=env).returncode == 0
    assert (here / "d/text").read_bytes().splitlines()[3] == b"a-\xff\xfe-x caf\xc3\xa9 \xe9 " + "\u3000x".encode()
    assert call(root, here, "split_data.sh", "data", "3", env=env).returncode == 0
    assert b"".join((odd / f"split3/{part}/wav.scp").read_bytes() for part in (1, 2, 3)) == wav


def test_order_is_that_of_sort_in_the_c_locale(odd: Path, root: Path) -> None:
    """By code points é (U+00E9) comes before the broken byte 80 (U+DC80), and U+10000 after FF; not so by bytes."""
    utts = [b"x-\xff", b"x-\xc3\xa9", b"x-\x80", b"x-\xf0\x90\x80\x80", b"x-", b"x-\xee\x80\x80", b"X-1"]
    write(odd / "utt2spk", [utt + b" " + utt[:1] for utt in utts])
    write(odd / "wav.scp", [utt + b" w" for utt in utts])
    for name in ("text", "utt2dur", "reco2dur", "spk2utt"):
        (odd / name).unlink()
    sort = subprocess.run(
        ["sort"], input=(odd / "wav.scp").read_bytes(), capture_output=True, env={"LC_ALL": "C"}, check=True
    )
    assert call(root, odd.parent, "validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 1
    assert call(root, odd.parent, "fix_data_dir.sh", "data").returncode == 0
    assert (odd / "wav.scp").read_bytes() == sort.stdout
    assert call(root, odd.parent, "validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 0


# Every tool that reads a table, with a call that is good but for what the test does to data/wav.scp or data/utt2spk.
READERS = {
    "filter_scp": ["filter_scp.pl", "data/spk2utt", "data/{table}"],
    "filter_scp list": ["filter_scp.pl", "data/{table}", "data/spk2utt"],
    "subset_scp": ["subset_scp.pl", "1", "data/{table}"],
    "split_scp": ["split_scp.pl", "data/{table}", "out/1"],
    "utt2spk_to_spk2utt": ["utt2spk_to_spk2utt.pl", "data/{table}"],
    "spk2utt_to_utt2spk": ["spk2utt_to_utt2spk.pl", "data/{table}"],
    "copy": ["copy_data_dir.sh", "data", "out"],
    "combine": ["combine_data.sh", "out", "data"],
    "subset": ["subset_data_dir.sh", "--first", "data", "2", "out"],
    "subset --utt-list": ["subset_data_dir.sh", "--utt-list", "data/{table}", "data", "out"],
    "split": ["split_data.sh", "data", "2"],
    "validate": ["validate_data_dir.sh", "--no-feats", "--no-text", "data"],
    "perturb": ["perturb_data_dir_speed.sh", "1.1", "data", "out"],
    "perturb 3way": ["data/perturb_data_dir_speed_3way.sh", "data", "out"],
}
FAULTS = {
    "CR LF": (b"a-2 a\r", b"CR LF"),
    "an empty line": (b"", b"empty line"),
    "a line of blanks": (b" \t ", b"empty line"),
    "a zero byte": (b"a-\x002 a", b"NUL"),
}


@pytest.mark.parametrize("table", ["utt2spk", "wav.scp"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("tool", READERS)
def test_every_tool_names_the_line_that_is_no_line(data: Path, root: Path, tool: str, fault: str, table: str) -> None:
    line, text = FAULTS[fault]
    (data / "utt2dur").write_bytes((data / "reco2dur").read_bytes())
    write(data / table, [b"a-1 a", line, b"b-1 b", b"b-2 b"])
    before = tables(data)
    words = [word.format(table=table) for word in READERS[tool]]
    (data.parent / "out").mkdir() if tool == "split_scp" else None
    done = call(root, data.parent, *words)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"data/{table}:2: ".encode() in done.stderr, done.stderr
    assert text in done.stderr
    assert tables(data) == before
    assert not (data.parent / "out").exists() or not list((data.parent / "out").iterdir())


def test_a_byte_order_mark_is_reported_and_mended(data: Path, root: Path) -> None:
    (data / "wav.scp").write_bytes(b"\xef\xbb\xbf" + (data / "wav.scp").read_bytes())
    done = call(root, data.parent, "validate_data_dir.sh", "--no-feats", "--no-text", "data")
    assert (done.returncode, b"data/wav.scp:1: the file begins with a byte order mark" in done.stderr) == (1, True)
    assert call(root, data.parent, "combine_data.sh", "c", "data").returncode == 1
    assert call(root, data.parent, "fix_data_dir.sh", "data").returncode == 0
    assert (data / "wav.scp").read_bytes().startswith(b"a-1 wav")


@pytest.mark.parametrize("ending", [b"", b"\r\n"], ids=["no newline", "CR LF"])
def test_fix_mends_the_end_of_the_last_line(data: Path, root: Path, ending: bytes) -> None:
    good = tables(data)
    for name, content in good.items():
        (data / name).write_bytes(content.rstrip(b"\n") + ending)
    assert call(root, data.parent, "fix_data_dir.sh", "data").returncode == 0
    assert tables(data) == good


def test_a_missing_last_newline_loses_nothing_and_joins_nothing(data: Path, root: Path) -> None:
    good = tables(data)
    for name, content in good.items():
        (data / name).write_bytes(content.rstrip(b"\n"))
    here = data.parent
    assert call(root, here, "validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 0
    assert call(root, here, "combine_data.sh", "c", "data").returncode == 0
    assert tables(here / "c") == good
    assert call(root, here, "copy_data_dir.sh", "data", "d").returncode == 0
    assert tables(here / "d") == good
    assert call(root, here, "filter_scp.pl", "data/utt2spk", "data/wav.scp").stdout == good["wav.scp"]
    assert call(root, here, "utt2spk_to_spk2utt.pl", stdin=b"a-1 a\na-2 a").stdout == b"a a-1 a-2\n"


def test_tabs_and_several_blanks_part_fields_as_one_blank_does(data: Path, root: Path) -> None:
    good = tables(data)
    for name, content in good.items():
        (data / name).write_bytes(content.replace(b" ", b" \t "))
    here = data.parent
    assert call(root, here, "validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 0
    wav = (data / "wav.scp").read_bytes()
    assert call(root, here, "filter_scp.pl", "data/utt2spk", "data/wav.scp").stdout == wav
    assert call(root, here, "utt2spk_to_spk2utt.pl", "data/utt2spk").stdout == good["spk2utt"]
    assert call(root, here, "spk2utt_to_utt2spk.pl", "data/spk2utt").stdout == good["utt2spk"]
    assert call(root, here, "copy_data_dir.sh", "--utt-suffix", "-x", "data", "c").returncode == 0
    assert (here / "c/wav.scp").read_bytes().splitlines()[0] == b"a-1-x wav/a-1.wav"


def test_ids_that_begin_alike_are_reported_apart(tmp_path: Path, root: Path) -> None:
    utts = ["s1-u", "s1-u!", "s1-u-x", "s1-u.x", "s10-u"]
    write(tmp_path / "data/wav.scp", [f"{utt} {utt}.wav".encode() for utt in utts])
    write(tmp_path / "data/utt2spk", [f"{utt} {utt.split('-')[0]}".encode() for utt in utts])
    write(tmp_path / "list", [b"s1-u"])
    assert call(root, tmp_path, "fix_data_dir.sh", "data").returncode == 0
    assert call(root, tmp_path, "validate_data_dir.sh", "--no-feats", "--no-text", "data").returncode == 0
    assert call(root, tmp_path, "filter_scp.pl", "list", "data/wav.scp").stdout == b"s1-u s1-u.wav\n"
    assert call(root, tmp_path, "subset_data_dir.sh", "--utt-list", "list", "data", "c").returncode == 0
    assert tables(tmp_path / "c")["wav.scp"] == b"s1-u s1-u.wav\n"
    write(tmp_path / "list", [b"s1"])
    assert call(root, tmp_path, "subset_data_dir.sh", "--spk-list", "list", "data", "d").returncode == 0
    assert tables(tmp_path / "d")["spk2utt"] == b"s1 s1-u s1-u! s1-u-x s1-u.x\n"
    # the very line of another directory's utterance, and one whose id goes on
    write(tmp_path / "other/utt2spk", [b"s1-u s1", b"s1-u- s1"])
    write(tmp_path / "other/wav.scp", [b"s1-u s1-u.wav", b"s1-u- x"])
    assert call(root, tmp_path, "combine_data.sh", "e", "data", "other").returncode == 0
    assert len(tables(tmp_path / "e")["wav.scp"].splitlines()) == 6


def test_a_speaker_whose_id_begins_anothers_may_unsort_the_speakers_and_is_reported(tmp_path: Path, root: Path) -> None:
    write(tmp_path / "data/utt2spk", [b"s1-b-u s1-b", b"s1-u s1"])
    write(tmp_path / "data/wav.scp", [b"s1-b-u x", b"s1-u x"])
    for script in ("fix_data_dir.sh", "validate_data_dir.sh"):
        done = call(root, tmp_path, script, "data")
        assert (done.returncode, b"<spk>-<utt>" in done.stderr) == (1, True)


def test_unsorted_inputs_come_out_sorted_or_as_they_were(data: Path, root: Path) -> None:
    good = tables(data)
    for name, content in good.items():
        (data / name).write_bytes(b"".join(reversed(content.splitlines(keepends=True))))
    here = data.parent
    assert call(root, here, "combine_data.sh", "c", "data").returncode == 0
    assert call(root, here, "copy_data_dir.sh", "data", "d").returncode == 0
    assert call(root, here, "subset_data_dir.sh", "--first", "data", "4", "e").returncode == 0
    assert tables(here / "c") == tables(here / "d") == tables(here / "e") == good
    reverse = (data / "wav.scp").read_bytes()
    assert call(root, here, "filter_scp.pl", "data/utt2spk", "data/wav.scp").stdout == reverse
    assert call(root, here, "fix_data_dir.sh", "data").returncode == 0
    assert tables(data) == good


@pytest.mark.parametrize("tool", ["copy", "combine", "subset", "split", "validate", "perturb", "perturb 3way"])
@pytest.mark.parametrize("there", [True, False])
def test_a_directory_without_utterances_is_refused(data: Path, root: Path, tool: str, there: bool) -> None:
    write(data / "utt2spk", []) if there else (data / "utt2spk").unlink()
    done = call(root, data.parent, *READERS[tool])
    assert (done.returncode, b"data/utt2spk: " in done.stderr) == (1, True), done.stderr
    assert not (data.parent / "out").exists()


def test_empty_tables_are_no_tables_of_this_directory(data: Path, root: Path) -> None:
    write(data / "vad.scp", [])
    write(data / "list", [])
    here = data.parent
    done = call(root, here, "validate_data_dir.sh", "--no-feats", "--no-text", "data")
    assert (done.returncode, b"data/vad.scp: has no usable line" in done.stderr) == (1, True)
    assert call(root, here, "filter_scp.pl", "data/list", "data/wav.scp").stdout == b""
    assert call(root, here, "filter_scp.pl", "--exclude", "data/list", "data/wav.scp").stdout.count(b"\n") == 4
    assert call(root, here, "filter_scp.pl", "data/wav.scp", "data/list").stdout == b""
    assert call(root, here, "utt2spk_to_spk2utt.pl").stdout == b""
    done = call(root, here, "split_scp.pl", "data/list", "o.1", "o.2")
    assert (done.returncode, b"data/list: is empty" in done.stderr) == (1, True)
    assert call(root, here, "subset_data_dir.sh", "--utt-list", "data/list", "data", "c").returncode == 1
    write(data / "wav.scp", [])
    (data / "reco2dur").unlink()
    done = call(root, here, "data/get_utt2dur.sh", "data")
    assert (done.returncode, b"data/wav.scp: is empty" in done.stderr) == (1, True)
