"""The ledger of results: what is appended, what is read back, and what damage does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from scoring.ledger import append_records, main, newest_records, read_records
from scoring.ledger_record import VERSION, Figure, LedgerRecord, content_hash, from_line, is_torn, to_line

from .helpers.records import CONFIG, made_up_record


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two results of one run."""
    path = tmp_path / "results.jsonl"
    append_records(path, [made_up_record(), made_up_record(0.06, back_end="cosine")])
    return path


def test_a_record_is_read_back_as_it_was_written() -> None:
    record = made_up_record(0.1 + 0.2 - 0.25)  # not a short decimal
    assert from_line(to_line(record)) == record
    assert to_line(record).isascii() and "\n" not in to_line(record)


def test_the_order_of_keys_does_not_change_the_hash_and_a_value_does() -> None:
    assert content_hash({"a": 1, "b": {"c": 2, "d": 3}}) == content_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert content_hash(CONFIG) != content_hash({**CONFIG, "notes": []})


def test_a_repeated_run_adds_nothing_and_a_changed_one_does(ledger: Path) -> None:
    same = dataclasses.replace(made_up_record(), date="2026-12-02T00:00:00Z", command="./pipeline.sh --force")
    assert append_records(ledger, [same]) == 0
    changes = [{"commit": "def"}, {"clean": False}, {"config_hash": "x"}, {"data_hash": "y"}, {"seed": 2}]
    figures = dataclasses.replace(same.eer, high=0.5)  # other resamples
    for number, changed in enumerate([*changes, {"eer": figures}], start=1):
        assert append_records(ledger, [dataclasses.replace(same, **changed)]) == 1  # type: ignore[arg-type]
        assert len(read_records(ledger)) == 2 + number


def test_a_result_that_comes_back_is_the_newest_again(ledger: Path) -> None:
    for eer in (0.07, 0.05):
        assert append_records(ledger, [made_up_record(eer)]) == 1
    newest = {record.back_end: record.eer.value for record in newest_records(read_records(ledger))}
    assert newest == {"PLDA": 0.05, "cosine": 0.06}


def test_results_of_two_benchmarks_or_normalisations_stand_side_by_side(ledger: Path) -> None:
    more = [made_up_record(benchmark="b1"), made_up_record(benchmark="b2"), made_up_record(normalised=True)]
    assert append_records(ledger, more) == 3
    assert len(newest_records(read_records(ledger))) == 5


def test_every_beginning_of_a_line_is_torn_and_the_whole_line_is_not() -> None:
    line = to_line(made_up_record(row='a "quoted\\" {[ name'))
    assert not is_torn(line)
    assert [end for end in range(1, len(line)) if not is_torn(line[:end])] == []


@pytest.mark.parametrize("text", ["", "x", "[1", '{"a": 1}x', "{}", '{"a": 1]'])
def test_what_is_no_beginning_of_a_record_is_not_torn(text: str) -> None:
    assert not is_torn(text)


def test_a_torn_line_damages_neither_readers_nor_later_lines(ledger: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-40])  # the second line's writer was killed
    assert [record.back_end for record in read_records(ledger)] == ["PLDA"]
    assert f"{ledger}:2: left out: the line has no end" in caplog.text
    assert append_records(ledger, [made_up_record(0.06, back_end="cosine")]) == 1
    assert [record.back_end for record in read_records(ledger)] == ["PLDA", "cosine"]
    assert ledger.read_bytes().startswith(whole[:-40] + b"\n{")


def test_a_damaged_line_is_named_with_file_and_line(ledger: Path) -> None:
    lines = ledger.read_text().splitlines()
    for damaged, what in (
        (lines[1].replace('"trials": 30', '"trials": "30"'), 'trials is "30"; expected an integer >= 1'),
        (lines[1].replace('"trials": 30', '"trails": 30'), "trails is unknown"),
        (lines[1].replace('"seed": 1, ', ""), "seed is missing"),
        (lines[1].replace('"low"', '"lowest"', 1), "eer.lowest is unknown"),
        (lines[1].replace(":", "", 1), "expected a record as JSON"),
        ("[]", "expected a mapping of options"),
    ):
        ledger.write_text(f"{lines[0]}\n\n{damaged}\n")
        with pytest.raises(InputError) as refusal:
            read_records(ledger)
        assert str(refusal.value).startswith(f"{ledger}:3: ") and what in str(refusal.value)
        assert str(refusal.value).endswith("; correct or remove the line")
        before = ledger.read_bytes()
        with pytest.raises(InputError):
            append_records(ledger, [made_up_record(0.9)])
        assert ledger.read_bytes() == before


def test_a_line_of_a_newer_version_is_read_without_what_is_unknown() -> None:
    content = json.loads(to_line(made_up_record()))
    content |= {"version": VERSION + 1, "colour": "red"}
    content["eer"]["median"] = content["machine"]["disk"] = content["stages"][0]["joules"] = 5
    content["min_dcf"]["0.01"]["median"] = 5
    assert from_line(json.dumps(content)) == dataclasses.replace(made_up_record(), version=VERSION + 1)


def test_a_line_without_the_fields_that_have_a_default_is_read() -> None:
    """Each line of an earlier version lacks what was added since."""
    content = json.loads(to_line(made_up_record()))
    fields = dataclasses.fields(LedgerRecord)
    short = {field.name: content[field.name] for field in fields if field.default is dataclasses.MISSING}
    assert from_line(json.dumps(short)).eer == Figure(0.05, 0.05 - 0.01, 0.05 + 0.01)


APPEND = """
import sys
from pathlib import Path
from scoring.ledger import append_records
from tests.scoring.helpers.records import made_up_record
for number in range(5):
    append_records(Path(sys.argv[1]), [made_up_record(exp=sys.argv[2], back_end=f"b{n}") for n in range(number + 1)])
"""


def test_runs_side_by_side_lose_and_repeat_nothing(root: Path, tmp_path: Path) -> None:
    """Two runs for each of two experiments: four writers, and each repeats what it has appended before."""
    path = tmp_path / "results.jsonl"
    runs = [subprocess.Popen([sys.executable, "-c", APPEND, path, exp], cwd=root) for exp in ("a", "b", "a", "b")]
    assert [run.wait(timeout=60) for run in runs] == [0] * 4
    found = sorted((record.exp, record.back_end) for record in read_records(path))
    assert found == [(exp, f"b{number}") for exp in "ab" for number in range(5)]


def test_the_list_shows_the_newest_result_of_each_place(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append_records(ledger, [made_up_record(0.04, clean=False), made_up_record(0.03, corpus="other", exp="exp/other")])
    assert main(["list", str(ledger), "--corpus", "mini", "--back-end", "PLDA"]) == 0
    header, _, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["benchmark", "row", "system"] and len(lines) == 1
    assert "4.00 [3.00, 5.00]" in lines[0] and lines[0].endswith("abc changed")
    assert main(["list", "--every", str(ledger)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 4
    append_records(ledger, [made_up_record(benchmark="b1", normalised=True)])
    assert main(["list", str(ledger), "--benchmark", "b1"]) == 0
    [line] = capsys.readouterr().out.splitlines()[2:]
    assert line.split()[:3] == ["b1", "mini", "networkᴺ"]
    assert main(["list", str(ledger), "--benchmark", "-", "--every"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 4


def test_show_prints_whole_records(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    assert main(["show", str(ledger), "--back-end", "cosine"]) == 0
    [record] = yaml.safe_load(capsys.readouterr().out)
    assert record["config"] == CONFIG and record["eer"]["value"] == 0.06
    assert record["stages"][0] == {"stage": "6", "seconds": 70.0, "cpu_seconds": 100.0, "peak_mb": 900.5, "title": ""}


def test_filters_that_fit_nothing_name_what_there_is(root: Path, ledger: Path) -> None:
    command = [sys.executable, "-m", "scoring.ledger", "list", ledger, "--row", "lde9"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "scoring.ledger: no record fits these filters; there are row: mini\n"


def test_a_ledger_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: no such ledger; \./pipeline\.sh writes it"):
        main(["list", str(tmp_path / "none.jsonl")])
