"""How long stages took, and what a run says of the time that is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe import stage_times
from recipe.stage_times import TimedStage, Times, Typical, main, read_ledger, record_times

from .conftest import Run

TIMES = "utils/stage_times.py"
ROLES = ["data=d", "mfcc=d/mfcc", "feats=d/fbank", "prepared=d/fbank", "exp=e"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def say(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out.strip()


def ran(stages: dict[int, tuple[str, float]]) -> None:
    for stage, (folder, seconds) in stages.items():
        record_times(Path(folder), stage, Times(seconds, 2 * seconds))


WHOLE = {
    **{0: ("d", 30.0), 1: ("d/mfcc", 10.0), 2: ("d/fbank", 4.0), 3: ("d/fbank", 11.0), 4: ("d/fbank", 5.0)},
    **{5: ("d/fbank", 1.0), 6: ("e", 200.0), 7: ("d/fbank", 2.0)},
    **{stage: ("e", 3.0) for stage in range(8, 13)},
}


def test_a_ledger_keeps_the_last_times_of_each_stage(place: Path, run: Run) -> None:
    for seconds, cpu in (("9", ["--cpu", "1"]), ("4", ["--cpu", "512e-2"])):
        assert run(TIMES, "record", "d", "6", "--seconds", seconds, *cpu).returncode == 0
    assert run(TIMES, "record", "d", "0", "--seconds", "2").returncode == 0
    assert read_ledger(place / "d") == {0: Times(2.0, None), 6: Times(4.0, 5.12)}
    assert (place / "d/.stages/times.tsv").read_text() == "stage\tseconds\tcpu_seconds\n0\t2\t\n6\t4\t5.12\n"


@pytest.mark.usefixtures("place")
def test_what_ran_here_before_is_what_will_take_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    ran(WHOLE)
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))  # the stage 1 of features that are no MFCC
    assert say(capsys, "left", "d", "0", *ROLES) == "about 5 min left in all"  # 285 s
    assert say(capsys, "left", "d/mfcc", "1", *ROLES) == "about 4 min left in all"  # 255 s
    assert say(capsys, "left", "d/fbank", "7", *ROLES) == "about 20 s left in all"  # 17 s
    assert say(capsys, "left", "e", "12", *ROLES) == "about 3 s left in all"
    assert say(capsys, "left", "e", "8", *ROLES, "--last", "9") == "about 6 s left in all"


@pytest.mark.usefixtures("place")
def test_stages_that_have_nothing_to_do_take_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    ran({**WHOLE, 2: ("d/fbank", 4000.0), 3: ("d/fbank", 4000.0), 7: ("d/fbank", 4000.0)})
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    assert say(capsys, "left", "d/fbank", "1", *ROLES, "--way", "online c.yaml") == "about 4 min left in all"  # 228 s
    skipped = ["--skip", " 2 3 4 5 6 7 "]
    assert say(capsys, "left", "d/fbank", "1", *ROLES, *skipped) == "about 20 s left in all"


@pytest.mark.usefixtures("place")
def test_in_a_first_run_of_an_unknown_corpus_nothing_is_said_and_then_what_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert say(capsys, "left", "d", "0", *ROLES, "--corpus", "folder-full") == ""
    ran({stage: WHOLE[stage] for stage in (0, 1, 2, 3, 4, 5)})  # of another network on the same data
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    without = "without what has not run here yet (stage 6 7 8 9 10 11 12)"
    assert say(capsys, "left", "d", "0", *ROLES) == f"about 1 min left, {without}"
    assert say(capsys, "left", "e", "6", *ROLES) == ""


@pytest.fixture
def typical(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus that takes 10 s for each stage, 100 s for the training."""
    jobs = [job for job in stage_times.JOBS if job.stage not in (2, 3, 7)]
    seconds = {job: 100.0 if job.stage == 6 else 10.0 for job in jobs}
    monkeypatch.setattr(stage_times, "TYPICAL", {"mini-full": Typical("online a.yaml", seconds)})


@pytest.mark.usefixtures("place", "typical")
def test_a_first_run_of_the_mini_corpus_is_estimated_by_what_its_stages_took(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mini = ["--corpus", "mini-full", "--way", "online a.yaml  "]
    first = say(capsys, "left", "d", "0", *ROLES, *mini)
    assert first == "about 3 min left in all on a machine like the README's"  # 200 s
    record_times(Path("d"), 0, Times(25.0, None))
    assert say(capsys, "left", "d/mfcc", "1", *ROLES, *mini) == "about 8 min left in all"  # 2.5 times 190 s
    record_times(Path("d/mfcc"), 1, Times(15.0, None))
    assert say(capsys, "left", "e", "6", *ROLES, *mini) == "about 5 min left in all"  # 40 s for 20: twice 150 s


@pytest.mark.usefixtures("place", "typical")
def test_another_network_or_augmentation_is_not_estimated_by_the_usual_ones(capsys: pytest.CaptureFixture[str]) -> None:
    record_times(Path("d"), 0, Times(10.0, None))
    other = ["--corpus", "mini-full", "--way", "online other.yaml"]
    without = "without what has not run here yet (stage 4 5 6 8)"
    assert say(capsys, "left", "d/mfcc", "1", *ROLES, *other) == f"about 1 min left, {without}"


@pytest.mark.usefixtures("place")
def test_the_times_of_a_run_are_summed_by_clock_and_processor(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "total", *ROLES) == "not known"
    ran(WHOLE)
    record_times(Path("d/fbank"), 1, Times(7.0, 7.0))
    training = "training 3:20 wall, 6:40 CPU"
    assert say(capsys, "total", *ROLES) == f"4:42 wall, 9:17 CPU; {training}"  # without stage 12
    record_times(Path("d"), 0, Times(30.0, None))
    (Path("d/mfcc") / stage_times.LEDGER).unlink()
    expected = f"4:32 wall, CPU time not known; {training}; without stage 1"
    assert say(capsys, "total", *ROLES) == expected


def test_features_that_are_mfcc_have_one_stage_1() -> None:
    folders = {role: Path(role) for role in ("data", "mfcc", "feats", "prepared", "exp")}
    assert TimedStage(1, "feats") in stage_times.jobs_of_run(folders, set(), 12)
    assert TimedStage(1, "feats") not in stage_times.jobs_of_run({**folders, "feats": Path("mfcc")}, set(), 12)


@pytest.mark.parametrize("line", ["6\t4", "6 4 5", "x\t1\t2", "6\tx\t"])
def test_a_damaged_ledger_is_named_with_its_line_and_ends_no_run(place: Path, run: Run, line: str) -> None:
    record_times(Path("d"), 0, Times(1.0, None))
    with (place / "d/.stages/times.tsv").open("a") as stream:
        stream.write(f"{line}\n")
    for words in (["left", "d", "0", *ROLES], ["total", *ROLES], ["record", "d", "6", "--seconds", "3"]):
        done = run(TIMES, *words)
        shown = line.replace("\t", "\\t")
        assert done.returncode == 0 and f'd/.stages/times.tsv:3: found "{shown}"' in done.stderr
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


@pytest.mark.parametrize("words", [["left", "d", "0", "kitchen=d"], ["left", "d", "x", "data=d"], ["record", "d"]])
def test_wrong_words_are_refused(run: Run, words: list[str]) -> None:
    done = run(TIMES, *words)
    assert done.returncode == 1 and "expected" in done.stderr


