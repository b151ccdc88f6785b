"""The tools that take lines thousands at a time against slow ones that take them one by one, on drawn directories."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from common import text_files
from common.errors import InputError
from minikaldi.data_dir import lines
from minikaldi.data_dir.combine import combine
from minikaldi.data_dir.directory import KINDS
from minikaldi.data_dir.fix import fix
from minikaldi.data_dir.split import split_data
from minikaldi.data_dir.subset import write_subset
from minikaldi.data_dir.tables import read_keys, read_numbers, read_pairs, read_values
from minikaldi.data_dir.validate import validate

SEEDS = range(12)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some lines, so that each table has many, and what is odd falls on their edges."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 40)
    monkeypatch.setattr(text_files, "BLOCK_LINES", 3)


def draw_directory(folder: Path, seed: int, messy: bool) -> dict[str, list[str]]:
    """Write a directory; messy: unsorted, with repeated, missing and foreign lines, blanks, CRs and odd last lines."""
    rng = random.Random(seed)
    utts = [f"s{rng.randrange(6)}-{rng.choice(['é', '-', 'a', '.'])}{number:02d}" for number in range(40)]
    utt2spk = {utt: utt[:2] for utt in sorted(utts, key=str.encode)}
    folder.mkdir()
    tables = {"utt2spk": [f"{utt} {spk}" for utt, spk in utt2spk.items()]}
    tables["utt2lang"] = [f"{utt}\ten" for utt in utt2spk]
    for name in ("wav.scp", "feats.scp", "text", "vad.scp"):
        tables[name] = [f"{utt}{rng.choice([' ', '  ', chr(9)])}{name} of {utt}" for utt in utt2spk]
    tables["spk2gender"] = [f"{spk} {'mf'[int(spk[1]) % 2]}" for spk in sorted(set(utt2spk.values()))]
    tables["utt2dur"] = [f"{utt} {rng.uniform(1, 9):.3f}" for utt in utt2spk]
    if messy:
        for name, table in tables.items():
            if name in ("wav.scp", "feats.scp", "spk2gender", "utt2lang") and rng.random() < 0.5:
                del table[rng.randrange(len(table))]
            table += rng.sample(table, k=rng.randrange(4))
            if name != "utt2spk" and rng.random() < 0.5:
                table.append(f"zz {rng.randrange(1, 9)}")
            rng.shuffle(table)
    for name, table in tables.items():
        end = rng.choice(["\n", "\r\n"]) if messy else "\n"
        blank = rng.choice(["", " \n"]) if messy else ""
        text = "".join(line + end + (blank if rng.random() < 0.1 else "") for line in table)
        (folder / name).write_text(text if rng.random() < 0.7 else text.rstrip("\n"), newline="")
    return tables


def first_of_each(table: list[str]) -> dict[str, str]:
    """Key -> the first of its lines."""
    found: dict[str, str] = {}
    for line in table:
        found.setdefault(line.split()[0], line)
    return found


def slowly_fixed(tables: dict[str, list[str]]) -> dict[str, list[str]]:
    """What should be left of a directory without segments."""
    by_name = {name: first_of_each(table) for name, table in tables.items()}
    left = {}
    for utt, line in by_name["utt2spk"].items():
        spk = line.split()[1]
        known = all(utt in by_name[name] for name in ("wav.scp", "feats.scp", "text", "utt2lang"))
        if known and spk in by_name["spk2gender"]:
            left[utt] = spk
    fixed = {}
    for name, table in by_name.items():
        keys = set(left.values()) if KINDS[name].level == "spk" else set(left)
        fixed[name] = [
            line for _, line in sorted(table.items(), key=lambda item: item[0].encode()) if line.split()[0] in keys
        ]
    speakers: dict[str, list[str]] = {}
    for utt in sorted(left, key=str.encode):
        speakers.setdefault(left[utt], []).append(utt)
    fixed["spk2utt"] = [f"{spk} {' '.join(utts)}" for spk, utts in speakers.items()]
    return fixed


def tables_in(folder: Path) -> dict[str, list[str]]:
    """Name -> lines of the tables of a directory."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return {path.name: path.read_bytes().decode().split("\n")[:-1] for path in files}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("messy", [True, False])
def test_fix_leaves_what_the_slow_version_leaves(tmp_path: Path, seed: int, messy: bool) -> None:
    tables = draw_directory(tmp_path / "data", seed, messy)
    fix(tmp_path / "data")
    assert tables_in(tmp_path / "data") == slowly_fixed(tables)
    assert validate(tmp_path / "data") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_combine_is_the_sorted_union(tmp_path: Path, seed: int) -> None:
    first = draw_directory(tmp_path / "a", seed, messy=False)
    second = draw_directory(tmp_path / "b", seed + 100, messy=False)
    other = {line.split()[0] for line in second["utt2spk"]}
    if other & {line.split()[0] for line in first["utt2spk"]}:
        with pytest.raises(InputError, match="differs from its line"):
            combine(tmp_path / "c", [tmp_path / "a", tmp_path / "b"], [])
        second = {name: [f"x{line}" for line in table] for name, table in second.items()}
        second["utt2spk"] = [line.replace(" ", " x") for line in second["utt2spk"]]
        for name, table in second.items():
            (tmp_path / "b" / name).write_text("".join(f"{line}\n" for line in table))
    num_utts = combine(tmp_path / "c", [tmp_path / "a", tmp_path / "b"], [])
    expected = slowly_fixed({name: first[name] + second[name] for name in first})
    assert tables_in(tmp_path / "c") == expected
    assert num_utts == len(expected["utt2spk"])


@pytest.mark.parametrize("seed", SEEDS)
def test_subset_and_split_deal_out_lines(tmp_path: Path, seed: int) -> None:
    tables = draw_directory(tmp_path / "data", seed, messy=False)
    fix(tmp_path / "data")  # for spk2utt and the last newlines
    utt2spk = dict(line.split() for line in tables["utt2spk"])
    chosen = {utt: utt2spk[utt] for utt in random.Random(seed).sample(list(utt2spk), 9)}
    tables["vad.scp"] = tables["vad.scp"][:7] + tables["vad.scp"][8:]  # from here on the tables do not go side by side
    (tmp_path / "data/vad.scp").write_text("".join(f"{line}\n" for line in tables["vad.scp"]))
    write_subset(tmp_path / "data", tmp_path / "c", chosen)
    narrowed = {**tables, "utt2spk": [line for line in tables["utt2spk"] if line.split()[0] in chosen]}
    assert tables_in(tmp_path / "c") == slowly_fixed(narrowed)
    split_data(tmp_path / "data", 3, per_utt=True)
    parts = [tables_in(tmp_path / f"data/split3utt/{part}") for part in (1, 2, 3)]
    for name in ("utt2spk", "wav.scp", "text", "utt2dur"):
        assert [line for part in parts for line in part[name]] == tables[name]
    for part in parts:
        own = {line.split()[0] for line in part["utt2spk"]}
        assert part == slowly_fixed(
            {**tables, "utt2spk": [line for line in tables["utt2spk"] if line.split()[0] in own]}
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_are_read_as_line_by_line(tmp_path: Path, seed: int) -> None:
    tables = draw_directory(tmp_path / "data", seed, messy=False)
    folder = tmp_path / "data"
    assert list(read_pairs(folder / "utt2spk").items()) == [tuple(line.split()) for line in tables["utt2spk"]]
    assert list(read_values(folder / "text").items()) == [tuple(line.split(None, 1)) for line in tables["text"]]
    assert read_keys(folder / "vad.scp") == {line.split()[0] for line in tables["vad.scp"]}
    seconds = {line.split()[0]: float(line.split()[1]) for line in tables["utt2dur"]}
    assert read_numbers(folder / "utt2dur") == seconds


@pytest.mark.parametrize("read", [read_pairs, read_values, read_numbers])
@pytest.mark.parametrize("line", [2, 3, 4, 9, 29, 30])
def test_a_key_that_comes_twice_is_reported_by_its_second_line(tmp_path: Path, line: int, read: object) -> None:
    table = [f"u{number:02d} {number}" for number in range(1, 31)]
    table[line - 1] = "u01 7"
    (tmp_path / "t").write_text("".join(f"{row}\n" for row in table))
    with pytest.raises(InputError, match=f't:{line}: "u01" has a line above already'):
        read(tmp_path / "t")


@pytest.mark.parametrize(
    ("read", "bad", "text"),
    [
        (read_pairs, "u x y", "found 3 fields"),
        (read_pairs, "u", "found 1 fields"),
        (read_values, "u", "expected `key value`"),
        (read_numbers, "u 1_0", 'the value of "u" is "1_0"'),
        (read_numbers, "u nan", 'the value of "u" is "nan"'),
        (read_numbers, "u 0", 'the value of "u" is "0"'),
        (read_numbers, "u ١", "expected a number > 0"),
        (read_numbers, "u 1e999", "expected a number > 0"),
    ],
)
@pytest.mark.parametrize("line", [1, 5, 20])
def test_a_bad_line_is_reported_by_its_number(tmp_path: Path, line: int, read: object, bad: str, text: str) -> None:
    table = [f"u{number:02d} {number}" for number in range(1, 21)]
    table[line - 1] = bad
    (tmp_path / "t").write_text("".join(f"{row}\n" for row in table))
    with pytest.raises(InputError, match=f"t:{line}: ") as caught:
        read(tmp_path / "t")
    assert text in str(caught.value)
