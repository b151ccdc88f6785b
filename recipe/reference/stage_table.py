"""What each stage reads and writes, from the declarations in recipe/stages.py."""

from __future__ import annotations

import re
from collections.abc import Iterable

from recipe.reference.markdown import table_text
from recipe.stages import STAGES, Stage

WHEN = {
    "always": "",
    "_online": "`--augment online`",
    "_on_disk": "`--augment ondisk`",
    "_features_before_training": "`--augment ondisk` or `none`",
    "_features_besides_mfcc": "features other than MFCC",
    "_network": "a network",
    "_ivectors": "`--ivector-config`",
    "_normalised": "`--normalised true`",
}
"""Name of a stage's `applies` -> which runs have the stage."""


def stages_text() -> str:
    """One row per declared stage."""
    titles = ["stage", "what", "only with", "reads", "writes", "runs again if these change"]
    return table_text(titles, [_row(stage) for stage in STAGES])


def _row(stage: Stage) -> list[str]:
    optional = [f"{_code(path)} if it exists" for path in stage.reads_if_there]
    return [
        stage.key,
        _angled(stage.title),
        WHEN[stage.applies.__name__],
        ", ".join([*map(_code, stage.reads), *optional]),
        _listed(stage.writes),
        _listed(option.partition("=")[0] for option in stage.options),
    ]


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _code(text: str) -> str:
    return f"`{_angled(text)}`"


def _angled(text: str) -> str:
    """`{feats}/train` -> `<feats>/train`; doubled braces are braces."""
    return re.sub(r"\{([a-z_]+)\}", r"<\1>", text).replace("{{", "{").replace("}}", "}")
