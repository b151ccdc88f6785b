"""How long stages took, and what a run says of the time that is left."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import pytest

from recipe import stage_times
from recipe.stage_times import (
    PASSED_OVER,
    TimedStage,
    Times,
    Typical,
    jobs_of_run,
    known_times,
    read_ledger,
    record_times,
    time_left,
    total_line,
    typical_times,
)

FOLDERS = {role: Path(f) for role, f in zip(
    ("data", "mfcc", "feats", "prepared", "exp"), ("d", "d/mfcc", "d/fbank", "d/fbank", "e"), strict=True
)}  # fmt: skip
NONE: frozenset[int] = frozenset()
MINI = {"corpus": "mini-full", "way": "online a.yaml  "}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def left(role: str, stage: int, *, last: int = 12, skipped: Set[int] = NONE, corpus: str = "", way: str = "") -> str:
    """What is said when a stage begins."""
    jobs = jobs_of_run(FOLDERS, {*skipped, *PASSED_OVER.get(way.partition(" ")[0], ())}, last)
    return time_left(jobs, TimedStage(stage, role), known_times(jobs, FOLDERS), typical_times(corpus, way))


def total() -> str:
    """What stage 12 says of the stages before it."""
    jobs = jobs_of_run(FOLDERS, set(), 11)
    return total_line(jobs, known_times(jobs, FOLDERS))


def ran(stages: dict[int, tuple[str, float]]) -> None:
    for stage, (folder, seconds) in stages.items():
        record_times(Path(folder), stage, Times(seconds, 2 * seconds))


WHOLE = {
    **{0: ("d", 30.0), 1: ("d/mfcc", 10.0), 2: ("d/fbank", 4.0), 3: ("d/fbank", 11.0), 4: ("d/fbank", 5.0)},
    **{5: ("d/fbank", 1.0), 6: ("e", 200.0), 7: ("d/fbank", 2.0)},
    **{stage: ("e", 3.0) for stage in range(8, 13)},
}


def test_a_ledger_keeps_the_last_times_of_each_stage(place: Path) -> None:
    for stage, times in ((6, Times(9.0, 1.0)), (6, Times(4.0, 512e-2, 1234.5)), (0, Times(2.0, None))):
        record_times(Path("d"), stage, times)
    assert read_ledger(place / "d") == {0: Times(2.0, None, None), 6: Times(4.0, 5.12, 1234.5)}
    expected = "stage\tseconds\tcpu_seconds\tpeak_mb\n0\t2\t\t\n6\t4\t5.12\t1234.5\n"
    assert (place / "d/.stages/times.tsv").read_text() == expected


def test_a_ledger_of_an_earlier_version_has_no_memory(place: Path) -> None:
    record_times(Path("d"), 0, Times(1.0, None))
    (place / "d/.stages/times.tsv").write_text("stage\tseconds\tcpu_seconds\n0\t2\t\n6\t4\t5.12\n")
    assert read_ledger(place / "d") == {0: Times(2.0, None), 6: Times(4.0, 5.12)}
    record_times(Path("d"), 6, Times(5.0, 6.0, 7.0))
    assert read_ledger(place / "d") == {0: Times(2.0, None), 6: Times(5.0, 6.0, 7.0)}


@pytest.mark.usefixtures("place")
def test_what_ran_here_before_is_what_will_take_as_long() -> None:
    ran(WHOLE)
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))  # the stage 1 of features that are no MFCC
    assert left("data", 0) == "about 5 min left in all"  # 285 s
    assert left("mfcc", 1) == "about 4 min left in all"  # 255 s
    assert left("prepared", 7) == "about 20 s left in all"  # 17 s
    assert left("exp", 12) == "about 3 s left in all"
    assert left("exp", 8, last=9) == "about 6 s left in all"


@pytest.mark.usefixtures("place")
def test_stages_that_have_nothing_to_do_take_no_time() -> None:
    ran({**WHOLE, 2: ("d/fbank", 4000.0), 3: ("d/fbank", 4000.0), 7: ("d/fbank", 4000.0)})
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    assert left("feats", 1, way="online c.yaml") == "about 4 min left in all"  # 228 s
    assert left("feats", 1, skipped={2, 3, 4, 5, 6, 7}) == "about 20 s left in all"


@pytest.mark.usefixtures("place")
def test_in_a_first_run_of_an_unknown_corpus_nothing_is_said_and_then_what_is_known() -> None:
    assert left("data", 0, corpus="folder-full") == ""
    ran({stage: WHOLE[stage] for stage in (0, 1, 2, 3, 4, 5)})  # of another network on the same data
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    without = "without what has not run here yet (stage 6 7 8 9 10 11 12)"
    assert left("data", 0) == f"about 1 min left, {without}"
    assert left("exp", 6) == ""


@pytest.fixture
def typical(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus that takes 10 s for each stage, 100 s for the training."""
    jobs = [job for job in stage_times.JOBS if job.stage not in (2, 3, 7)]
    seconds = {job: 100.0 if job.stage == 6 else 10.0 for job in jobs}
    monkeypatch.setattr(stage_times, "TYPICAL", {"mini-full": Typical("online a.yaml", seconds)})


@pytest.mark.usefixtures("place", "typical")
def test_a_first_run_of_the_mini_corpus_is_estimated_by_what_its_stages_took() -> None:
    first = left("data", 0, **MINI)
    assert first == "about 3 min left in all on a machine like the README's"  # 200 s
    record_times(Path("d"), 0, Times(25.0, None))
    assert left("mfcc", 1, **MINI) == "about 8 min left in all"  # 2.5 times 190 s
    record_times(Path("d/mfcc"), 1, Times(15.0, None))
    assert left("exp", 6, **MINI) == "about 5 min left in all"  # 40 s for 20: twice 150 s


@pytest.mark.usefixtures("place", "typical")
def test_another_network_or_augmentation_is_not_estimated_by_the_usual_ones() -> None:
    record_times(Path("d"), 0, Times(10.0, None))
    without = "without what has not run here yet (stage 4 5 6 8)"
    assert left("mfcc", 1, corpus="mini-full", way="online other.yaml") == f"about 1 min left, {without}"


@pytest.mark.usefixtures("place")
def test_the_times_of_a_run_are_summed_by_clock_and_processor() -> None:
    assert total() == "not known"
    ran(WHOLE)
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    training = "training 3:20 wall, 6:40 CPU"
    assert total() == f"4:42 wall, 9:17 CPU; {training}; peak memory not known"  # without stage 12
    record_times(Path("d"), 0, Times(30.0, None))
    (Path("d/mfcc") / stage_times.LEDGER).unlink()
    expected = f"4:32 wall, CPU time not known; {training}; without stage 1"
    assert total() == f"{expected}; peak memory not known"


@pytest.mark.usefixtures("place")
def test_the_peak_of_a_run_is_that_of_the_stage_that_needs_most() -> None:
    ran({stage: WHOLE[stage] for stage in (0, 6, 8)})
    record_times(Path("e"), 6, Times(200.0, 400.0, 1204.4))
    record_times(Path("e"), 8, Times(3.0, 6.0, 800.0))
    assert total().endswith("; peak memory 1.20 GB in stage 6, not known of stage 0")
    record_times(Path("d"), 0, Times(30.0, 60.0, 1300.0))
    assert total().endswith("; peak memory 1.30 GB in stage 0")


def test_features_that_are_mfcc_have_one_stage_1() -> None:
    folders = {role: Path(role) for role in ("data", "mfcc", "feats", "prepared", "exp")}
    assert TimedStage(1, "feats") in jobs_of_run(folders, set(), 12)
    assert TimedStage(1, "feats") not in jobs_of_run({**folders, "feats": Path("mfcc")}, set(), 12)


@pytest.mark.parametrize("line", ["6\t4", "6 4 5", "x\t1\t2", "6\tx\t", "6\t4\t5\tx", "6\t4\t5\t6\t7"])
def test_a_damaged_ledger_is_named_with_its_line_and_ends_no_run(
    place: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    record_times(Path("d"), 0, Times(1.0, None))
    with (place / "d/.stages/times.tsv").open("a") as stream:
        stream.write(f"{line}\n")
    shown = line.replace("\t", "\\t")
    for use in (lambda: left("data", 0), total, lambda: record_times(Path("d"), 6, Times(3.0, None))):
        use()
        assert f'd/.stages/times.tsv:3: found "{shown}"' in capsys.readouterr().err
    assert read_ledger(place / "d") == {6: Times(3.0, None)}


@pytest.mark.parametrize("corpus", ["mini-full", "mini-tiny"])
def test_a_typical_run_has_a_time_for_each_of_its_stages(corpus: str) -> None:
    seconds = stage_times.TYPICAL[corpus].seconds
    assert seconds.keys() == {job for job in stage_times.JOBS if job.stage not in {2, 3, 7}}
    assert min(seconds.values()) > 0


@pytest.mark.parametrize("size", ["full", "tiny"])
def test_the_corpus_file_still_asks_for_the_way_that_the_typical_times_are_of(root: Path, size: str) -> None:
    """As pipeline.sh puts it together of a run without options of the user's own."""
    lines = (root / "conf/pipeline" / ("mini.conf" if size == "full" else "mini-tiny.conf")).read_text().splitlines()
    words = [line.split("#")[0].strip().partition("=") for line in lines if "=" in line.split("#")[0]]
    chosen = {key: value for key, _, value in words}
    way = [chosen["augment"], chosen["nnet_config"], *(value for key, _, value in words if key == "nnet_opts")]
    assert stage_times.TYPICAL[f"mini-{size}"].way.split() == way
