"""The page as HTML: templates filled with what was computed. Every text from a corpus is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.back_ends import NORMALISED_MARK
from scoring.bootstrap import Interval
from scoring.metrics import EER_DEFINITION, MIN_DCF_DEFINITION, P_TARGETS
from scoring.pages.result_tables import MAIN_PRIOR, ResultTables
from scoring.pages.rows import ReportSpec
from scoring.pages.run_page import RunPage
from scoring.pages.set_page import PageOptions, SetPage
from scoring.pages.worst_trials import NUM_WORST
from scoring.plots.canvas import PALETTE
from scoring.plots.curves import MOST_CURVE_POINTS

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
DARK_PALETTE = ("#6ab4f0", "#f08a4b", "#41cba3", "#e6a6cb", "#f2bc57", "#9ad4f7", "#a9a9b0")
SIGNIFICANT = 0.05
NORMALISED_SENTENCE = (
    f"{NORMALISED_MARK}: the embeddings are mean-subtracted, projected by LDA and length-normalised before they are"
    " scored."
)


def render_page(
    spec: ReportSpec, sets: Sequence[tuple[SetPage, ResultTables]], runs: RunPage, options: PageOptions
) -> str:
    """The HTML of the report.

    Args:
        spec: the report.
        sets: page and tables of each test set.
        runs: what is known of the runs.
        options: of the page.
    """
    environment = _environment()
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        spec=spec,
        sets=sets,
        runs=runs,
        options=options,
        style=f"{palette_css()}\n{style}",
        script=script,
        policy=security_policy(script),
        priors=P_TARGETS,
        main_prior=MAIN_PRIOR,
        num_worst=NUM_WORST,
        significant=SIGNIFICANT,
        most_curve_points=MOST_CURVE_POINTS,
        normalised_mark=NORMALISED_MARK,
        normalised_sentence=NORMALISED_SENTENCE,
        eer_definition=EER_DEFINITION,
        min_dcf_definition=MIN_DCF_DEFINITION,
    )


def security_policy(script: str) -> str:
    """A policy by which the browser runs this script alone and loads nothing but audio beside the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def palette_css() -> str:
    """The colours of the systems as CSS variables, light and dark."""
    light, dark = (
        " ".join(f"--c{number}: {color};" for number, color in enumerate(colors, 1))
        for colors in (PALETTE, DARK_PALETTE)
    )
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def percent_text(share: float | None, decimals: int = 2) -> str:
    """A share as per cent; a dash if it is not known."""
    return "–" if share is None else f"{100 * share:.{decimals}f}"


def range_text(figure: Interval | None, scale: float = 100.0, decimals: int = 2) -> str:
    """`4.85–8.00`: an interval, times `scale`."""
    return "" if figure is None else f"{scale * figure.low:.{decimals}f}–{scale * figure.high:.{decimals}f}"


def capitalize_first(sentence: str) -> str:
    """The sentence with a capital letter at its start; unlike `str.capitalize`, the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]


def heat(share: float | None, highest: float) -> int:
    """How dark a cell is drawn, in per cent, from 0 for 0 to 60 for `highest`."""
    return 0 if not share or not highest else round(60 * min(1.0, share / highest))


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    own: dict[str, Any] = {"percent": percent_text, "range_text": range_text, "heat": heat, "own_markup": Markup}
    environment.filters.update({**own, "capitalize_first": capitalize_first})
    return environment
