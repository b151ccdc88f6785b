"""The report page of a benchmark and of one run, as text; test_report_browser.py looks at it in a browser."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from common.errors import InputError
from scoring.report_page import LARGEST_PAGE, main

from .helpers.small_runs import ODD_TITLE, SCRIPT_ID, SmallRuns, write_small_runs

pytestmark = pytest.mark.slow
FEW = ("--num-resamples", "50", "--group-resamples", "20")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> SmallRuns:
    return write_small_runs(tmp_path_factory.mktemp("runs"), "first", "second", "third")


def make_page(runs: SmallRuns, out: str, *arguments: str) -> str:
    where = ["--data", str(runs.data), "--tests", "test", "--out", str(runs.folder / out)]
    assert main([*arguments, *where, *FEW]) == 0
    return (runs.folder / out / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def benchmark_page(runs: SmallRuns) -> str:
    return make_page(runs, "report", "--rows", str(runs.rows_json()))


@pytest.fixture(scope="module")
def run_page(runs: SmallRuns) -> str:
    return make_page(runs, "single", "--exp", str(runs.exp("first")), "--command", "./pipeline.sh --corpus x")


class Reader(HTMLParser):
    """Collects tags, their attributes, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open[: len(self.open) - self.open[::-1].index(tag) - 1] if tag in self.open else self.open

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data


def ids_of(page: str) -> list[str]:
    return [str(attributes["id"]) for _, attributes in Reader(page).tags if "id" in attributes]


def test_a_benchmark_has_every_part(benchmark_page: str) -> None:
    reader = Reader(benchmark_page)
    text = " ".join(reader.text.split())
    assert text.startswith("Small benchmark")
    for heading in ("Results", "Error trade-off", "Scores", "Maps of the embeddings", "Duration and gender", "Speakers",
                    "Worst trials", "Significance", "Training", "Times and dropped utterances"):  # fmt: skip
        assert heading in text
    assert "Why the published figures differ. Others." in text and "3.033" in text
    assert "FIRST" in text and "FIRSTᴺ" in text and "(N)" not in text and "MFCC statistics, CMVN" in text
    assert "# frames <b>&</b>" in text
    meaning = "ᴺ: the embeddings are mean-subtracted, projected by LDA and length-normalised before they are scored."
    assert meaning in text
    links = {str(attributes.get("href")) for tag, attributes in reader.tags if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids_of(benchmark_page))


def test_a_row_that_failed_or_is_missing_is_named_with_its_log(benchmark_page: str) -> None:
    rows = re.findall(r'<tr class="not-done">.*?</tr>', benchmark_page, re.DOTALL)
    assert len(rows) == 2
    assert "BROKEN" in rows[0] and "failed" in rows[0] and "exp/broken/log/a.log" in rows[0]
    assert "LATER" in rows[1] and "missing" in rows[1] and "a.log" not in rows[1]


@pytest.mark.parametrize("page", ["benchmark_page", "run_page"])
def test_ids_of_a_corpus_are_escaped(page: str, request: pytest.FixtureRequest) -> None:
    content = str(request.getfixturevalue(page))
    assert SCRIPT_ID in Reader(content).text
    assert "<script>fail(" not in content and "<b>&</b>" not in content
    assert content.count("<script") == 1  # our own
    assert "img" not in [tag for tag, _ in Reader(content).tags]


@pytest.mark.parametrize("page", ["benchmark_page", "run_page"])
def test_nothing_is_loaded_from_elsewhere(page: str, request: pytest.FixtureRequest) -> None:
    content = str(request.getfixturevalue(page))
    for tag, attributes in Reader(content).tags:
        if tag in ("script", "img", "iframe", "object", "embed", "video", "base"):
            assert "src" not in attributes and "href" not in attributes
        if tag == "link":
            assert attributes["href"] == "data:,"
        for name in ("href", "src"):
            assert not re.match(r"(?i)\s*([a-z]+:)?//|javascript:", attributes.get(name) or "")
    assert "@import" not in content and "url(http" not in content


def test_audio_is_linked_relative_to_the_page(runs: SmallRuns, benchmark_page: str) -> None:
    players = [attributes for tag, attributes in Reader(benchmark_page).tags if tag == "audio"]
    assert players and all(each["preload"] == "none" and "controls" in each for each in players)
    assert {each["src"] for each in players} == {"../data/test/a%20b.wav"}
    assert (runs.folder / "report" / "../data/test/a b.wav").is_file()
    assert "audio comes from a command" in benchmark_page and "audio file is not there now" in benchmark_page


def test_one_run_has_its_back_ends_and_baselines(run_page: str) -> None:
    text = " ".join(Reader(run_page).text.split())
    assert "Results of first" in text and "./pipeline.sh --corpus x" in text
    for label in ("PLDA", "LDA, cosine", "cosine, AS-norm", "PLDAᴺ", "MFCC statistics, PLDA"):
        assert label in text
    assert "published" not in text.lower()
    assert run_page.count("<summary>") < 8


@pytest.mark.parametrize("page", ["benchmark_page", "run_page"])
def test_ids_are_unique_and_tables_have_captions(page: str, request: pytest.FixtureRequest) -> None:
    content = str(request.getfixturevalue(page))
    ids = ids_of(content)
    assert len(ids) == len(set(ids))
    tags = [tag for tag, _ in Reader(content).tags]
    assert tags.count("table") == tags.count("caption") > 3
    drawings = [attributes for tag, attributes in Reader(content).tags if tag == "svg"]
    assert drawings and all(each["role"] == "img" and each["aria-label"] for each in drawings)
    assert len(content.encode()) < LARGEST_PAGE


def test_figures_lie_beside_the_page_and_are_linked(runs: SmallRuns, benchmark_page: str) -> None:
    files = {f"figures/{path.name}" for path in (runs.folder / "report" / "figures").iterdir()}
    links = {str(attributes.get("href")) for tag, attributes in Reader(benchmark_page).tags if tag == "a"}
    assert files and files == {link for link in links if link.startswith("figures/")}
    assert len({path.rsplit(".", 1)[0] for path in files}) == len(files) / 2


def test_equal_input_gives_equal_bytes(runs: SmallRuns, benchmark_page: str) -> None:
    again = make_page(runs, "report", "--rows", str(runs.rows_json()))
    assert again == benchmark_page


def test_a_done_row_without_scores_is_refused(runs: SmallRuns, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no scores of test set test; run stage 11"):
        make_page(runs, "none", "--exp", str(tmp_path))
    assert not (runs.folder / "none").exists()


def test_a_score_file_that_lacks_a_trial_is_refused_and_the_old_page_stays(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    before = make_page(runs, "report", "--exp", str(runs.exp("a")))
    scores = runs.exp("a") / "scores" / "test_plda"
    scores.write_text("".join(scores.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match="test_plda: 1 of 435 trials have no score"):
        make_page(runs, "report", "--exp", str(runs.exp("a")))
    assert (runs.folder / "report" / "index.html").read_text() == before


def test_a_benchmark_without_a_finished_row_is_a_page_too(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    row = {"name": "a", "title": "A", "exp": str(runs.exp("a")), "status": "failed", "log": "a.log"}
    text = Reader(make_page(runs, "report", "--rows", str(runs.rows_json(rows=[row])))).text
    assert "0 of 1 done" in " ".join(text.split()) and "a.log" in text


def test_titles_are_escaped_in_tables_and_figures(benchmark_page: str) -> None:
    assert "THIRD" + html.escape(ODD_TITLE, quote=False) in benchmark_page.replace("&#39;", "'")
    assert Reader(benchmark_page).text.count(ODD_TITLE) > 3


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    for name in ("utt2dur", "spk2gender", "wav.scp"):
        (runs.data / "test" / name).unlink()
    for name in ("curve.tsv", "stage_record.json", "embeddings_test/embedding.scp"):
        (runs.exp("a") / name).unlink()
    text = " ".join(Reader(make_page(runs, "report", "--exp", str(runs.exp("a")))).text.split())
    for sentence in ("durations are not known", "genders are not known", "no audio in wav.scp",
                     "Without a training curve: a", "were not recorded", "Without a map on test"):  # fmt: skip
        assert sentence in text
