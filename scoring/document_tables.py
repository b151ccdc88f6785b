"""Tables in Markdown documents: where they are, whether each is known, and how they are written again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from common.whole_files import writing
from scoring.table_specs import DocumentTables

MARKED = re.compile(r"<!-- (typed )?table: ([^ \n]+) -->\n(.*?)<!-- end of table -->", re.DOTALL)
SECTION = re.compile(r"<!-- begin: ([^ \n]+) -->.*?<!-- end: \1 -->", re.DOTALL)
TABLE = re.compile(r"^\|.*\n\| *-", re.MULTILINE)
RERUN = "run python3 -m scoring.tables --write"


def document_problems(documents: DocumentTables, made: Mapping[str, Sequence[str]], root: Path) -> list[str]:
    """What is wrong with the tables of the documents, a line each; empty if nothing is.

    Args:
        documents: all tables.
        made: name of a table -> its lines, as the ledger has them now.
        root: the checkout.
    """
    return [line for page in documents.pages for line in _page_problems(documents, made, root, page)]


def _page_problems(
    documents: DocumentTables, made: Mapping[str, Sequence[str]], root: Path, page: str
) -> Iterator[str]:
    text = (root / page).read_text(encoding="utf-8")
    found: dict[bool, list[str]] = {True: [], False: []}
    for match in MARKED.finditer(text):
        is_typed, name, content = bool(match[1]), match[2], match[3].strip()
        found[is_typed].append(name)
        if not is_typed and name in made and content != "\n".join(made[name]):
            yield f"{page}: table {name}: differs from the ledger; {RERUN}"
    for is_typed, listed in ((False, documents.tables), (True, documents.typed)):
        expected = [name for name, spec in listed.items() if spec.page == page]
        kind = "typed table" if is_typed else "table"
        for name in expected:
            if name not in found[is_typed]:
                yield f"{page}: {kind} {name}: its two comments are missing"
        for name in sorted(set(found[is_typed])):
            if name not in expected or found[is_typed].count(name) > 1:
                yield f"{page}: {kind} {name}: not in docs/tables.yaml for this page, or twice in it"
    yield from _unmarked(documents, text, page)


def _unmarked(documents: DocumentTables, text: str, page: str) -> Iterator[str]:
    """Tables outside of all comments."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    others = {name for name, section in documents.elsewhere.items() if section.page == page}
    rest = SECTION.sub(lambda match: blank(match) if match[1] in others else match[0], MARKED.sub(blank, text))
    for match in TABLE.finditer(rest):
        line = rest.count("\n", 0, match.start()) + 1
        yield f"{page}:{line}: a table without <!-- table: NAME -->; make it from a ledger, see docs/tables.yaml"


def write_tables(documents: DocumentTables, made: Mapping[str, Sequence[str]], root: Path) -> list[str]:
    """Write the tables between their comments, where they differ; returns the documents that were written."""
    written = []
    for page in documents.pages:
        text = (root / page).read_text(encoding="utf-8")
        changed = MARKED.sub(lambda match: _with_table(match, made), text)
        if changed != text:
            with writing(root / page) as hidden:
                hidden.write_text(changed, encoding="utf-8")
            written.append(page)
    return written


def _with_table(match: re.Match[str], made: Mapping[str, Sequence[str]]) -> str:
    if match[1] or match[2] not in made:
        return match[0]
    return f"<!-- table: {match[2]} -->\n\n" + "\n".join(made[match[2]]) + "\n\n<!-- end of table -->"
