"""The report page in headless Chromium: no errors, no requests, sorted by click and by key; narrow, wide, dark."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.report_page import main

from .helpers.browser import ENTER, SPACE, Browser, may_skip, open_browser
from .helpers.small_runs import write_small_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(may_skip(), reason="chromium and chromium-driver are not installed"),
]
WIDTHS = (400, 800, 1400)
TABLE = "#all-results"
EERS = f"return [...document.querySelectorAll('{TABLE} tbody tr')].map(row => Number(row.cells[2].dataset.value))"
SORTED = f"return [...document.querySelectorAll('{TABLE} thead th')].map(th => th.getAttribute('aria-sort'))"
BUTTON = f"{TABLE} thead th:nth-child(3) button"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = write_small_runs(tmp_path_factory.mktemp("runs"), "first", "second", "third", "fourth")
    where = ["--data", str(runs.data), "--tests", "test", "--out", str(runs.folder / "report")]
    assert main(["--rows", str(runs.rows_json()), *where, "--num-resamples", "50", "--group-resamples", "20"]) == 0
    return runs.folder / "report" / "index.html"


@pytest.fixture(scope="module")
def session() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def browser(session: Browser, page: Path) -> Browser:
    session.set_size(1400)
    session.set_dark(False)
    session.console_errors(), session.requested()
    session.open(page)
    session.run("for (const details of document.querySelectorAll('details')) details.open = true")
    return session


def test_the_console_has_no_error_and_only_the_page_is_loaded(browser: Browser, page: Path) -> None:
    assert browser.console_errors() == []
    assert [url for url in browser.requested() if not url.startswith("data:")] == [page.as_uri()]


def test_an_id_with_a_script_is_text(browser: Browser) -> None:
    assert browser.run("return document.querySelectorAll('script').length") == 1
    assert browser.run("return document.body.innerText.includes(\"<script>fail('corpus')</script>\")")


def test_a_script_that_is_not_the_page_s_own_is_not_run(browser: Browser) -> None:
    assert browser.run("return document.documentElement.className") == "js"  # ours was
    browser.console_errors()
    browser.run("const s = document.createElement('script'); s.text = 'window.bad = 1'; document.body.append(s)")
    assert browser.run("return window.bad ?? null") is None
    assert "Content Security Policy" in " ".join(browser.console_errors())


def test_a_player_finds_its_audio(browser: Browser) -> None:
    browser.run("const player = document.querySelector('audio'); player.preload = 'metadata'; player.load()")
    seconds = "const player = document.querySelector('audio'); return player.error?.message ?? player.duration"
    end = time.monotonic() + 20
    while (found := browser.run(seconds)) is None and time.monotonic() < end:
        time.sleep(0.1)
    assert found == pytest.approx(0.1)  # 1,600 samples of 16 kHz


def test_a_click_sorts_and_a_second_one_reverses(browser: Browser) -> None:
    before = browser.run(EERS)
    assert len(before) > 10 and set(browser.run(SORTED)) == {None}
    browser.click(BUTTON)
    assert browser.run(EERS) == sorted(before)
    assert browser.run(SORTED) == [None, None, "ascending", None, None, None]
    browser.click(BUTTON)
    assert browser.run(EERS) == sorted(before, reverse=True)
    assert browser.run(SORTED)[2] == "descending"


@pytest.mark.parametrize("key", [ENTER, SPACE])
def test_a_key_sorts_and_the_mark_moves_to_the_sorted_column(browser: Browser, key: str) -> None:
    before = browser.run(EERS)
    browser.press(BUTTON, key)
    assert browser.run(EERS) == sorted(before)
    browser.press(f"{TABLE} thead th:first-child button", key)
    assert browser.run(SORTED) == ["ascending", None, None, None, None, None]
    names = browser.run(f"return [...document.querySelectorAll('{TABLE} tbody th')].map(cell => cell.textContent)")
    assert names == sorted(names)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_the_window(browser: Browser, width: int, dark: bool, tmp_path: Path) -> None:
    browser.set_size(width)
    browser.set_dark(dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    wider = browser.run(
        "return [...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll, svg'))"
        ".filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)"
        ".map(each => each.outerHTML.slice(0, 90))"
    )
    assert wider == []
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def contrast(browser: Browser) -> float:
    """Ratio of the luminances of the first heading and of the page, by WCAG 2."""
    colors = browser.run(
        "return [getComputedStyle(document.querySelector('h1')).color, getComputedStyle(document.body).backgroundColor]"
    )
    values = [[int(part) / 255 for part in color[4:-1].split(",")] for color in colors]
    linear = [[((part + 0.055) / 1.055) ** 2.4 for part in each] for each in values]  # near black by a little too dark
    bright = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (bright[1] + 0.05) / (bright[0] + 0.05)


def test_a_dark_page_is_dark_with_light_text_and_light_plots(browser: Browser) -> None:
    paper, axis = "return getComputedStyle(document.body).backgroundColor", "svg text"
    ink = f"return getComputedStyle(document.querySelector('{axis}')).fill"
    light = browser.run(paper), browser.run(ink)
    assert contrast(browser) > 7
    browser.set_dark(True)
    dark = browser.run(paper), browser.run(ink)
    assert light[0] != dark[0] and light[1] != dark[1]
    assert contrast(browser) > 7


def test_print_opens_what_is_closed_and_closes_it_afterwards(browser: Browser) -> None:
    browser.run("document.querySelector('details').open = false")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("return document.querySelectorAll('details:not([open])').length") == 0
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("return document.querySelectorAll('details:not([open])').length") == 1
