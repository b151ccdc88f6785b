"""The rows of a benchmark's report: what is read, what is refused, which systems a row has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError
from scoring.pages.rows import PublishedFigures, read_rows, single_run
from scoring.pages.systems import RecordedFigures, systems_of

ROW: dict[str, Any] = {
    **{"name": "lde3", "title": "LDE-3", "exp": "exp/lde3", "status": "done", "log": None},
    "published": {"eer": 3.033, "min_dcf_0.01": 0.314},
}
TOP = {"title": "T", "corpus": "C", "command": "./pipeline.sh", "published_note": ""}


def written(folder: Path, content: object) -> Path:
    path = folder / "rows.json"
    path.write_text(json.dumps(content))
    return path


def test_rows_are_read_with_what_was_published(tmp_path: Path) -> None:
    failed = {**ROW, "name": "lde4", "status": "failed", "log": "a.log", "published": None}
    spec = read_rows(written(tmp_path, {**TOP, "rows": [ROW, failed]}))
    assert (spec.title, spec.corpus, spec.command, spec.single) == ("T", "C", "./pipeline.sh", False)
    assert spec.rows[0].published == PublishedFigures(3.033, 0.314, None, None)
    assert [row.name for row in spec.done] == ["lde3"] and spec.rows[1].log == "a.log"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], "the file is list; expected an object"),
        ({**TOP, "rows": []}, "found no list `rows`"),
        ({"rows": [ROW]}, "the file: found None for `title`; expected a text"),
        ({**TOP, "rows": [ROW, ROW]}, 'the name "lde3" has several rows'),
        ({**TOP, "rows": [{**ROW, "name": "a/b"}]}, 'row 1: name is "a/b"'),
        ({**TOP, "rows": [{**ROW, "status": "ok"}]}, 'status is "ok"; choose one of: done, failed, missing'),
        ({**TOP, "rows": [{**ROW, "exp": 3}]}, "row 1: found 3 for `exp`"),
        ({**TOP, "rows": [{**ROW, "published": {"EER": 3}}]}, 'published has "EER"; choose from: eer, '),
        ({**TOP, "rows": [{**ROW, "published": {"eer": "3"}}]}, "published eer is '3'; expected a number or null"),
        ({**TOP, "rows": [{**ROW, "published": {"eer": True}}]}, "published eer is True; expected a number or null"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(tmp_path: Path, content: object, text: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rows(written(tmp_path, content))
    assert text in str(refused.value) and "rows.json" in str(refused.value)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_rows(tmp_path / "rows.json")
    with pytest.raises(InputError, match="No such file"):
        read_rows(tmp_path / "none.json")


def test_a_row_has_the_systems_whose_scores_are_there(tmp_path: Path) -> None:
    row = single_run(tmp_path / "run", "T", "", "").rows[0]
    for name in ("scores/test_plda", "normalised/scores/test_cosine", "baseline/scores/test_plda", "scores/dev_plda"):
        (row.exp / name).parent.mkdir(parents=True, exist_ok=True)
        (row.exp / name).write_text("a b 1\n")
    found = [(system.variant, system.back_end) for system in systems_of(row, "test")]
    assert found == [("", "plda"), ("normalised", "cosine"), ("baseline", "plda")]
    assert [system.title for system in systems_of(row, "test")] == ["run", "runᴺ", "MFCC statistics"]


def test_recorded_figures_belong_to_a_system_wherever_the_run_is_now(tmp_path: Path) -> None:
    figure = {"value": 0.1, "low": 0.05, "high": 0.2}
    results = [
        {"scores": f"exp/baseline/{variant}scores/test_plda", "eer": {**figure, "value": value},
         "min_dcf": {"0.01": figure, "0.001": figure, "0.05": figure}}
        for variant, value in (("", 0.1), ("baseline/", 0.3))
    ]  # fmt: skip
    content = {"test_sets": {"test": {"results": results}}, "notes": {"a": "b"}}
    (tmp_path / "results.json").write_text(json.dumps(content))
    for variant in ("scores", "baseline/scores", "normalised/scores"):
        (tmp_path / variant).mkdir(parents=True)
        (tmp_path / variant / "test_plda").write_text("")
    recorded = RecordedFigures(tmp_path)
    systems = systems_of(single_run(tmp_path, "T", "", "").rows[0], "test")
    found = {system.variant: recorded.of(system, "test") for system in systems}
    assert found[""] is not None and found[""].eer.value == 0.1
    assert found["baseline"] is not None and found["baseline"].eer.value == 0.3
    assert found["normalised"] is None and recorded.notes == {"a": "b"}


def test_damaged_figures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"test_sets": {"test": {}}}')
    with pytest.raises(InputError, match=r"results\.json: damaged .* run stage 12 again"):
        RecordedFigures(tmp_path)
