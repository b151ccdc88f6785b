"""benchmarks/minikaldi.py: that it runs and what it makes of its figures; never how fast anything is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.minikaldi_cases.growth import Case, Growth
from benchmarks.minikaldi_cases.measure import Usage, environment, figures, has_all, run_once
from benchmarks.minikaldi_cases.place import SCALES, Place, Row
from benchmarks.minikaldi_cases.report import comparable, growth_cells, number, row_cells, row_table

CASE = Case("x", "trials", True, "true")


def grown(counts: list[int], seconds: list[float], megabytes: list[float]) -> Growth:
    usages = [Usage(second, second, peak) for second, peak in zip(seconds, megabytes, strict=True)]
    return Growth(CASE, counts, usages)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_is_the_power_whatever_is_paid_once(power: float) -> None:
    counts = [1000, 10_000, 100_000]
    growth = grown(counts, [7.5 + 1e-3 * n**power for n in counts], [40, 40, 41])
    assert growth.exponent() == pytest.approx(power, rel=1e-9)


def test_times_that_hardly_differ_have_no_exponent() -> None:
    assert grown([10, 100, 1000], [0.1, 0.105, 0.11], [40, 40, 40]).exponent() is None
    assert grown([10, 100, 1000], [0.3, 0.2, 0.4], [40, 40, 40]).exponent() is None


def test_memory_is_flat_or_so_many_bytes_an_item() -> None:
    growing = grown([1000, 10_000, 100_000], [1, 2, 12], [40, 50, 95])
    titles, (line,) = growth_cells([growing], "trials")
    assert (titles[0], line[-1]) == ("trials:", "+500 B each")
    assert growth_cells([grown([1, 10, 100], [1, 2, 12], [40, 90, 91])], "trials")[1][0][-1] == "flat"
    holding = grown([10, 100, 1000], [1, 2, 12], [40, 50, 95])  # it should stream, and keeps 50 KB of each
    assert growth_cells([holding], "trials")[1][0][-1] == "**+50,000 B each**"
    assert growth_cells([], "utterances") == ([], [])


@pytest.mark.parametrize("scale", SCALES)
def test_sizes_of_growth_are_geometric(scale: str) -> None:
    for first, second, third in (SCALES[scale].growth, SCALES[scale].growth_trials):
        assert second * second == first * third


def test_goals_of_speed_and_memory_are_met_or_not() -> None:
    slow = Row("backend", "x", "s", ours=4.0, kaldi=8.0, goal=3.0)
    assert (slow.met(), slow.times_kaldi()) == (False, 2.0)
    rate = Row("features", "x", "x", ours=5900.0, kaldi=2950.0, goal=4500.0, more_is_better=True)
    assert (rate.met(), rate.times_kaldi()) == (True, 2.0)
    assert Row("backend", "x", "s", 1.0, goal=3.0, peak_mb=500.0, goal_mb=400.0).met() is False
    assert Row("backend", "x", "s", 1.0, goal=3.0, peak_mb=300.0, goal_mb=400.0).met() is True
    assert Row("tables", "x", "ms", 1.0).met() is None


def test_figures_of_full_size_are_not_compared_at_another() -> None:
    row = Row("backend", "x", "s", ours=4.0, kaldi=8.0, goal=3.0, full_only=True)
    assert row_cells([row], "full") == [["x", "s", "8", "≤ 3", "4", "2", "", "**no**"]]
    assert row_cells([row], "small") == [["x", "s", "", "", "4", "", "", ""]]
    assert comparable(Row("start", "x", "s", 0.2, goal=0.25), "tiny")


def test_numbers_have_three_digits() -> None:
    assert [number(value) for value in (None, 0.01234, 12.345, 1234.5, 45678.0)] == [
        "",
        "0.0123",
        "12.3",
        "1,230",
        "45,700",
    ]


def test_a_command_is_measured_with_its_children_and_its_exit_code_checked(tmp_path: Path) -> None:
    busy = f"{sys.executable} -c 'sum(range(3000000))' | {sys.executable} -c 'b\"x\" * 200_000_000'"
    used = run_once(busy, tmp_path, environment())
    assert used.cpu > 0.02 and used.peak_mb > 200 and math.isfinite(used.wall)
    with pytest.raises(RuntimeError, match=r"exit code 3, expected 0\nwhy"):
        run_once("echo why >&2; exit 3", tmp_path, environment())


def stand_in(folder: Path, root: Path, *names: str) -> Path:
    """A Kaldi's root whose commands note their call and let minikaldi do the work."""
    for name in names:
        path = folder / "src" / "ivectorbin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho {name} >> {folder}/calls\nexec "{root}/minikaldi/bin/{name}" "$@"\n')
        path.chmod(0o755)
    return folder


def test_kaldi_is_measured_in_turns_where_it_has_every_command_of_the_line(root: Path, tmp_path: Path) -> None:
    kaldi = stand_in(tmp_path / "kaldi", root, "copy-vector", "copy-feats")
    (tmp_path / "v").write_text("u  [ 1 2 ]\n")
    place = Place(tmp_path, "tiny", 3, 0, kaldi)
    used = place.measure(["copy-vector", "ark:v", "ark:/dev/null"], beside_kaldi=True)
    assert used.kaldi is not None and used.kaldi.cpu > 0 and used.kaldi.kaldi is None
    assert (kaldi / "calls").read_text() == 3 * "copy-vector\n"
    for line in ("copy-vector ark:v ark:- | transform-vec m ark:- ark:-", "true"):
        assert not has_all(kaldi, line)
    assert has_all(kaldi, "copy-vector 'ark:copy-feats ark:v ark:- |' ark:-")
    assert place.measure(["copy-vector", "ark:v", "ark:/dev/null"], 1).kaldi is None
    alone = Place(tmp_path, "tiny", 1, 0).measure(["copy-vector", "ark:v", "ark:/dev/null"], beside_kaldi=True)
    assert alone.kaldi is None


def test_the_ratio_is_to_the_kaldi_that_was_measured_here() -> None:
    ours = Usage(1.0, 2.0, 40.0, Usage(3.0, 8.0, 30.0))
    assert figures(lambda usage: usage.cpu, ours) == (2.0, 8.0)
    assert figures(lambda one, other: one.cpu + other.cpu, ours, Usage(1.0, 1.0, 1.0)) == (3.0, None)
    row = Row("backend", "x", "s", ours=2.0, kaldi=1.0, full_only=True, kaldi_here=8.0)
    assert row.times_kaldi() == 4.0
    titles, ((*cells,),) = row_table([row], "small")
    assert dict(zip(titles, cells, strict=True)) == {
        **{"what": "x", "unit": "s", "Kaldi, another machine": "", "goal": "", "minikaldi": "2", "Kaldi, here": "8"},
        **{"speed / Kaldi's": "4", "peak MB": "", "met": ""},
    }
    assert "Kaldi, here" not in row_table([Row("backend", "x", "s", ours=2.0, kaldi=1.0)], "full")[0]


@pytest.mark.slow
def test_benchmark_has_a_column_of_the_kaldi_of_kaldi_root(root: Path, tmp_path: Path) -> None:
    kaldi = stand_in(tmp_path / "kaldi", root, "ivector-compute-lda", "ivector-compute-plda", "compute-eer")
    options = ["--scale", "tiny", "--repeats", "1", "--only", "backend", "--json", f"{tmp_path}/b.json"]
    done = bench(root, *options, env={"KALDI_ROOT": str(kaldi)})
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "b.json").read_text())
    assert written["kaldi"] == str(kaldi) and f"in turns with the Kaldi of {kaldi}" in done.stdout
    measured = {row["what"].split(",")[0].split(" ")[0] for row in written["rows"] if row["kaldi_here"] is not None}
    assert measured == {"LDA", "PLDA", "EER"}
    assert all(row["times_kaldi"] > 0 for row in written["rows"] if row["kaldi_here"] is not None)
    assert (kaldi / "calls").read_text().split() == ["ivector-compute-lda", "ivector-compute-plda", "compute-eer"]


def test_benchmark_refuses_a_kaldi_root_without_a_command(root: Path, tmp_path: Path) -> None:
    done = bench(root, "--only", "start", env={"KALDI_ROOT": str(tmp_path)})
    assert done.returncode == 1 and f"KALDI_ROOT is {tmp_path}, but no command of Kaldi is there" in done.stderr


def bench(root: Path, *options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, root / "benchmarks" / "minikaldi.py", *options]
    kept = {key: value for key, value in os.environ.items() if key != "KALDI_ROOT"}
    env = {**kept, "PYTHONPATH": "", **(env or {})}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_benchmark_runs_every_part_and_writes_what_it_prints(root: Path, tmp_path: Path) -> None:
    doc = tmp_path / "doc.md"
    doc.write_text("# Before\n<!-- begin: speed -->\nearlier figures\n<!-- end: speed -->\nafter\n")
    done = bench(
        root, "--scale", "tiny", "--repeats", "1", "--json", f"{tmp_path}/b.json", "--markdown", "--update", f"{doc}"
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "b.json").read_text())
    assert {row["part"] for row in figures["rows"]} == {"features", "backend", "tables", "start"}
    assert all(row["ours"] > 0 for row in figures["rows"])
    assert len(figures["growth"]) == 14 and all(len(growth["usages"]) == 3 for growth in figures["growth"])
    assert figures["machine"]["processor"] and "--scale tiny" in figures["command"]
    text = doc.read_text()
    assert text.startswith("# Before\n<!-- begin: speed -->\n\nMachine: ") and text.endswith(
        "<!-- end: speed -->\nafter\n"
    )
    assert done.stdout.strip() in text and "earlier figures" not in text
    for row in figures["rows"]:
        assert "| " + row["what"].replace("|", r"\|") + " |" in text


def test_benchmark_refuses_parts_it_does_not_have(root: Path) -> None:
    done = bench(root, "--only", "features,colour")
    assert done.returncode == 1 and "--only names colour; choose among features, backend" in done.stderr
