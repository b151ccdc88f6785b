"""Claims about the table of results and RESULTS.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from scoring.report import main, parse_note, parse_system
from scoring.results_table import HEADER, aligned_table, markdown_table


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Trials of all pairs of 5 speakers x 3 utterances, their utt2spk, and two score files."""
    rng = np.random.default_rng(0)
    utts = [f"s{speaker}-u{utt}" for speaker in range(5) for utt in range(3)]
    (tmp_path / "utt2spk").write_text("".join(f"{utt_id} {utt_id[:2]}\n" for utt_id in utts))
    pairs = [(a, b) for i, a in enumerate(utts) for b in utts[i + 1 :]]
    labels = [a[:2] == b[:2] for a, b in pairs]
    names = ["target" if label else "nontarget" for label in labels]
    (tmp_path / "trials").write_text("".join(f"{a} {b} {n}\n" for (a, b), n in zip(pairs, names, strict=True)))
    for name, shift in (("good", 20.0), ("fair", 1.0)):
        scores = rng.normal(size=len(pairs)) + shift * np.array(labels)
        (tmp_path / name).write_text("".join(f"{a} {b} {s}\n" for (a, b), s in zip(pairs, scores, strict=True)))
    return tmp_path


def report(data: Path, *extra: str) -> int:
    files = ["--test-set", f"all={data}", "--out", str(data / "RESULTS.md")]
    systems = ["--system", f"x-vector|PLDA={data / 'good'}", "--system", f"MFCC statistics|LDA + PLDA={data / 'fair'}"]
    return main([*files, *systems, "--num-resamples", "50", *extra])


def report_of_two_sets(data: Path, scores: str) -> int:
    """The trials under two names, with the good scores for one and the fair ones for the other."""
    sets = ["--test-set", f"good={data}", "--test-set", f"fair={data}"]
    outputs = ["--out", str(data / "RESULTS.md"), "--json", str(data / "results.json")]
    return main([*sets, "--system", f"x-vector|PLDA={data}/{scores}", *outputs, "--num-resamples", "50"])


def test_the_table_stands_on_the_output_and_in_the_page(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(data, "--title", "Mini corpus", "--note", "seed=1", "--note", "command=./pipeline.sh --nj=2") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "all: 105 trials (15 targets, 90 nontargets), 5 speakers"
    assert printed[1].split("  ")[0] == "system"
    assert printed[3].startswith("x-vector         PLDA        0.00 [0.00, 0.00]")
    page = (data / "RESULTS.md").read_text()
    assert page.startswith(f"# Mini corpus\n\n## {printed[0]}\n\n| system | back end | EER % [95 %] |")
    assert "| x-vector | PLDA | 0.00 [0.00, 0.00] |" in page
    for start in ("- EER: ", "- minDCF(p): ", "- Intervals: 95 %, between percentiles of 50 resamples"):
        assert f"\n{start}" in page
    assert "\n- MFCC statistics: mean and standard deviation" in page
    assert page.endswith("- seed: 1\n- command: ./pipeline.sh --nj=2\n")


def test_each_test_set_has_its_table_and_its_scores(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_of_two_sets(data, "{test}") == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed if ": 105 trials" in line] == ["good", "fair"]
    page = (data / "RESULTS.md").read_text()
    assert page.count("| x-vector | PLDA |") == page.count("\n## ") - 1 == 2
    assert page.count("- EER: ") == 1
    assert "baseline" not in page
    sets = json.loads((data / "results.json").read_text())["test_sets"]
    assert sets["good"]["results"][0]["eer"]["value"] == 0.0 < sets["fair"]["results"][0]["eer"]["value"]
    assert sets["fair"]["results"][0]["scores"] == str(data / "fair")


def test_one_score_file_for_two_test_sets_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report_of_two_sets(data, "good")
    assert "good has no `{test}`, but there are 2 test sets" in capsys.readouterr().err


def test_a_test_set_named_twice_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report(data, "--test-set", f"all={data}")
    assert "a name is given twice in all, all" in capsys.readouterr().err


def test_the_json_holds_the_same_figures_as_shares(data: Path) -> None:
    assert report(data, "--json", str(data / "results.json"), "--note", "seed=1") == 0
    page = json.loads((data / "results.json").read_text())
    results = page["test_sets"]["all"].pop("results")
    assert [result["back_end"] for result in results] == ["PLDA", "LDA + PLDA"]
    assert results[0]["eer"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert set(results[1]["min_dcf"]) == {"0.01", "0.001", "0.05"}
    assert page["test_sets"]["all"] == {"trials": 105, "targets": 15, "nontargets": 90, "speakers": 5}
    assert page["notes"] == {"seed": "1"}


def test_a_missing_score_leaves_an_earlier_page_as_it_was(data: Path) -> None:
    (data / "RESULTS.md").write_text("earlier\n")
    (data / "fair").write_text("".join((data / "fair").read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match="fair: 1 of 105 trials have no score"):
        report(data)
    assert (data / "RESULTS.md").read_text() == "earlier\n"


@pytest.mark.parametrize("text", ["PLDA=scores", "a|b", "a|b=", "|b=scores"])
def test_a_system_without_all_its_parts_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected `name\|back end=path of the scores`"):
        parse_system(text)


def test_notes_keep_later_equals_signs() -> None:
    assert parse_note("command=a --b=c") == ("command", "a --b=c")
    with pytest.raises(argparse.ArgumentTypeError, match="expected `key=value`"):
        parse_note("seed 1")


def test_columns_are_aligned_and_bars_escaped() -> None:
    row = ["a|b", "cosine", "9.71 [8.90, 10.62]", "1", "1", "1"]
    lines = aligned_table(HEADER, [row])
    assert lines[0].index("back end") == lines[2].index("cosine") == len("system") + 2
    assert markdown_table(HEADER, [row])[2].startswith("| a\\|b | cosine |")
