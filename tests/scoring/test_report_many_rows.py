"""The report of many rows, a small page; and the report of rows that cannot all be shown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from minikaldi.io import FLOAT_VECTOR, writer
from scoring.pages.map_figures import MOST_POINTS, MOST_POINTS_OF_MAP, map_limits
from scoring.report_page import LARGEST_PAGE, main

from .helpers.small_runs import SmallRuns, write_small_runs

FEW = ("--num-resamples", "20", "--group-resamples", "5")


def page_of(runs: SmallRuns, *tests: str) -> str:
    where = ["--data", str(runs.data), "--tests", *(tests or ["test"]), "--out", str(runs.folder / "report")]
    assert main(["--rows", str(runs.rows_json()), *where, *FEW]) == 0
    return (runs.folder / "report" / "index.html").read_text(encoding="utf-8")


def not_done(page: str) -> list[str]:
    return re.findall(r'<tr class="not-done">.*?</tr>', page, re.DOTALL)


@pytest.mark.parametrize("num_sets", [1, 2, 5, 30])
@pytest.mark.parametrize("num_systems", [0, 1, 4, 20, 100])
def test_all_maps_of_a_page_together_have_a_limit(num_systems: int, num_sets: int) -> None:
    limits = map_limits(num_systems, num_sets)
    assert 2 * limits.systems * num_sets * limits.points <= MOST_POINTS and limits.points <= MOST_POINTS_OF_MAP
    assert limits.points >= 100 and limits.systems <= num_systems


def test_few_systems_are_all_mapped_with_as_many_points_as_the_page_may_have() -> None:
    assert map_limits(1, 1).points == MOST_POINTS_OF_MAP
    assert (map_limits(5, 1).systems, map_limits(5, 1).points) == (5, MOST_POINTS // 10)


def add_embeddings(runs: SmallRuns) -> None:
    """400 embeddings of 40 more speakers for each row: more than a map of many shows."""
    more = {f"x{number // 10:02}-u{number % 10}": f"x{number // 10:02}" for number in range(400)}
    with (runs.data / "test" / "utt2spk").open("a") as stream:
        stream.writelines(f"{utt_id} {spk}\n" for utt_id, spk in more.items())
    with (runs.data / "test" / "spk2gender").open("a") as stream:
        stream.writelines(f"{spk} f\n" for spk in dict.fromkeys(more.values()))
    rng = np.random.default_rng(0)
    for row in runs.rows:
        folder = runs.exp(row) / "embeddings_test"
        with writer(f"ark,scp:{folder}/embedding.ark,{folder}/embedding.scp", FLOAT_VECTOR) as out:
            for utt_id in more:
                out.write(utt_id, rng.normal(size=8).astype(np.float32))


def lengthen_curves(runs: SmallRuns) -> None:
    """Training curves of 1,500 points."""
    rng = np.random.default_rng(0)
    for row in runs.rows:
        header = (runs.exp(row) / "curve.tsv").read_text().splitlines()[0]
        lines = (f"{step}\t{rng.uniform(1, 5):.3f}\t{rng.uniform():.3f}\t0.001\t\t1\t2\t0" for step in range(1, 1501))
        (runs.exp(row) / "curve.tsv").write_text("\n".join([header, *lines, ""]))


def copy_set(runs: SmallRuns, name: str) -> None:
    """A second test set with the trials and scores of the first, and normalised embeddings of each row."""
    shutil.copytree(runs.data / "test", runs.data / name)
    for row in runs.rows:
        exp = runs.exp(row)
        shutil.copytree(exp / "embeddings_test", exp / f"embeddings_{name}")
        for path in list((exp / "scores").iterdir()):
            shutil.copy(path, exp / "scores" / path.name.replace("test", name))
        shutil.copytree(exp / "scores", exp / "normalised" / "scores", dirs_exist_ok=True)


@pytest.mark.slow
def test_twenty_rows_on_two_test_sets_make_a_page_that_browsers_open(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, *(f"row{number}" for number in range(20)), utt_ids=12)
    add_embeddings(runs)
    lengthen_curves(runs)
    copy_set(runs, "other")
    page = page_of(runs, "test", "other")
    assert len(page.encode()) < LARGEST_PAGE
    limits = map_limits(20, 2)
    assert page.count('id="figure-map-') == 2 * 2 * limits.systems
    assert page.count(f"t-SNE of {limits.points} embeddings of 40 speakers") == 2 * 2 * limits.systems
    assert page.count(f"a page shows the maps of {limits.systems} systems on each test set at most") == 2
    for note in re.findall(r"on each test set at most:(.*?)</p>", page, re.DOTALL):
        assert note.count("ROW") == 20 - limits.systems


@pytest.mark.slow
def test_a_done_row_that_cannot_be_shown_is_missing_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = write_small_runs(tmp_path, "good", "bare", "torn", "short", "fine")
    copy_set(runs, "other")
    for path in runs.exp("bare").glob("**/other_*"):
        path.unlink()
    (runs.exp("torn") / "results.json").write_text("{")
    short = runs.exp("short") / "scores" / "test_cosine"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[1:]))
    page = page_of(runs, "test", "other")
    printed = capsys.readouterr().err
    rows = not_done(page)
    assert len(rows) == 2 * (3 + 2)  # of each test set; two are of the file
    for title, reason in (
        ("BARE", f"{runs.exp('bare')}/scores: there are no scores of test set other; run stage 11"),
        ("TORN", f"{runs.exp('torn')}/results.json: damaged"),
        ("SHORT", "test_cosine: 1 of 435 trials have no score"),
    ):
        [first, second] = [row for row in rows if title in row]
        assert ">missing<" in first and ">missing<" in second
        assert page.count(f"<strong>Why {title} is missing.</strong> ") == 2  # below the table of each test set
        assert reason in page.split(f"<strong>Why {title} is missing.</strong> ")[1].split("</p>")[0]
        [line] = [line for line in printed.splitlines() if f"{title}: not in the report" in line]
        assert reason in line
    failed = [row for row in rows if "BROKEN" in row]
    assert len(failed) == 2 and all(">failed<" in row and "exp/broken/log/a.log" in row for row in failed)
    assert "2 of 7 done" in page and 'aria-label="EER with 95 % intervals' in page


def test_a_report_without_a_done_row_that_can_be_shown_is_refused(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a", "b")
    for row in runs.rows:
        (runs.exp(row) / "results.json").write_text(json.dumps({"test_sets": 3}))
    with pytest.raises(InputError, match=r"a/results.json: damaged"):
        page_of(runs)
    assert not (runs.folder / "report").exists()
