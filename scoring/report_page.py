"""The report of a benchmark, or of one run, as one self-contained HTML page with figures.

    python3 -m scoring.report_page --rows rows.json --data data/mini --tests test --out exp/bench/report
    python3 -m scoring.report_page --exp exp/run --data data/mini --tests test --out exp/run/report

Written are <out>/index.html, which loads nothing from a network, and the same figures as <out>/figures/*.svg and *.png.
`rows.json` has the texts `title`, `corpus`, `command` and `published_note`, and a list `rows` of `name`, `title`,
`exp`, `status` (done, failed or missing), `log` (or null) and `published` (or null). A row that is done but has no
scores of a test set, or a damaged file, is shown as missing, with the reason.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.program import Parser, log_message, positive_int, run_program
from common.progress import Progress
from common.whole_files import write_whole
from minikaldi.running import run_pipes_inside
from scoring.pages.gallery import Gallery
from scoring.pages.map_figures import map_limits
from scoring.pages.page import render_page
from scoring.pages.result_tables import result_tables
from scoring.pages.rows import ReportSpec, read_rows, single_run
from scoring.pages.run_page import run_page
from scoring.pages.set_facts import SetFacts, read_set_facts
from scoring.pages.set_page import PageOptions, set_page
from scoring.pages.systems import RecordedFigures
from scoring.pages.usable_rows import usable_rows

PAGE = "index.html"
PARTS_OF_SET = 4  # of the work on a test set, besides the map of each system
LARGEST_PAGE = 5_000_000  # bytes; a browser on a phone still opens it


def page_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(prog="python3 -m scoring.report_page", description=__doc__)
    about = parser.add_mutually_exclusive_group(required=True)
    about.add_argument("--rows", type=Path, metavar="JSON", help="the rows of a benchmark")
    about.add_argument("--exp", type=Path, metavar="DIR", help="the experiment of one run")
    parser.add_argument("--data", type=Path, required=True, help="holds the data directories of the test sets")
    parser.add_argument("--tests", nargs="+", required=True, metavar="NAME", help="names of the test sets")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the page")
    parser.add_argument("--title", help="of the page of one run (default: made from the name of the experiment)")
    parser.add_argument("--corpus", default="", help="name of the corpus, for the page of one run")
    parser.add_argument("--command", default="", help="command line of the run, for the page of one run")
    resamples = "resamples of the speakers for {} (default %(default)s)"
    parser.add_argument("--num-resamples", type=positive_int, default=1000, help=resamples.format("differences"))
    parts = resamples.format("intervals of parts of the trials")
    parser.add_argument("--group-resamples", type=positive_int, default=200, help=parts)
    parser.add_argument("--seed", type=int, default=0, help="random seed of resamples and maps (default %(default)s)")
    return parser


def report_spec(args: argparse.Namespace) -> ReportSpec:
    """What the report is about.

    Raises:
        InputError: the file of rows is damaged.
    """
    if args.rows:
        return read_rows(args.rows)
    return single_run(args.exp, args.title or f"Results of {args.exp.name}", args.corpus, args.command)


def build_page(spec: ReportSpec, sets: Sequence[SetFacts], options: PageOptions) -> tuple[str, Gallery]:
    """The HTML and its figures.

    Args:
        spec: the report.
        sets: the test sets.
        options: of the page.

    Raises:
        InputError: a file of a run is damaged.
    """
    gallery = Gallery()
    recorded = {row.name: RecordedFigures(row.exp) for row in spec.done}
    pages = []
    for facts in sets:
        tables = result_tables(spec, facts, recorded, gallery, options.num_resamples, options.seed)
        options.done()
        pages.append((set_page(spec, facts, gallery, options), tables))
    html = render_page(spec, pages, run_page(spec, recorded, gallery), options)
    options.done()
    return html, gallery


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and its figures."""
    run_pipes_inside()
    args = page_parser().parse_args(argv)
    spec = report_spec(args)
    sets = [read_set_facts(test, args.data / test) for test in args.tests]
    spec = usable_rows(spec, sets)
    args.out.mkdir(parents=True, exist_ok=True)
    progress = Progress("report", len(sets) * (PARTS_OF_SET + len(spec.done)) + 1, "parts")
    limits = map_limits(len(spec.done), len(sets))
    options = PageOptions(args.num_resamples, args.group_resamples, args.seed, args.out, limits, progress.update)
    html, gallery = build_page(spec, sets, options)
    gallery.save(args.out)
    content = html.encode("utf-8", errors="replace")  # an id may have bytes that are not UTF-8
    write_whole(args.out / PAGE, content)
    progress.close()
    size = f"{len(content) / 1e6:.1f} MB"
    if len(content) > LARGEST_PAGE:
        log_message(f"{args.out / PAGE} has {size}; browsers may be slow with more than {LARGEST_PAGE / 1e6:.0f} MB")
    print(f"report: {args.out / PAGE} ({size})")
    return 0


if __name__ == "__main__":
    run_program(main)
