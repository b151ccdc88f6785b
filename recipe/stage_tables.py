"""What each stage reads and writes, as Markdown for the documentation.

    python3 -m recipe.stage_tables > docs/reference/stages.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from common.program import run_program
from recipe.stages import COPIES, SCORES, STAGES, Stage

INTRODUCTION = """# Files by stage

Made by `python3 -m recipe.stage_tables` from recipe/stages.py; `./pipeline.sh --dry-run` prints the same for one run,
with sizes and commands. `<features>` is the name of the features' option file, `<prepared>` the same with what is not
done to them (`-novad`, `-nocmvn`). `<set>` is train or a test set; `<system>` is the experiment, or its `baseline` or
`baseline_cmvn`. A change of what a stage reads, or of one of its options, makes it run again.
"""
_PLACES = {
    "data": "data/<name>",
    "mfcc": "data/<name>/mfcc",
    "feats": "data/<name>/<features>",
    "prepared": "data/<name>/<prepared>",
    "lists": "data/<name>/<prepared>/lists[_online]",
    "exp": "exp/<run>",
    "systems": "<system>",
    "sets": "<set>",
    "featured": "<set>",
    "tests": "<test>",
    "base": "train[_sp]",
    "trained_on": "train[_combined]",
    "augmented": "data/<name>/<features>/train[_sp]_aug",
    "copies": f"({'|'.join(COPIES)})",
    "scores": f"({'|'.join(SCORES)})",
    "cohort": "embeddings_train/[spk_]embedding.scp",
    "corpus_files": "the corpus",
    "audio_trees": "the corpus",
    "gender_files": "<root>.spk2gender",
    "vad_config": "conf/vad.conf",
    "test_vad_config": "--test-vad-config",
    "feats_config": "conf/<features>.conf",
    "nnet_config": "conf/nnet/<row>.yaml",
    "augment_files": "conf/augment/<row>.yaml",
    "start_from": "training.start_from",
    "corpus_options": "those of the corpus",
}


def stage_table() -> Iterator[str]:
    """The lines of the table."""
    yield INTRODUCTION
    yield "| stage | reads | writes | options |"
    yield "| --- | --- | --- | --- |"
    for stage in STAGES:
        cells = (_name(stage), _cell([*stage.reads, *stage.reads_if_there]), _cell(stage.writes), _options(stage))
        yield f"| {' | '.join(cells)} |"


def _name(stage: Stage) -> str:
    if stage.part:
        return f"{stage.number}, other {stage.part}"
    return f"{stage.number} {stage.summary}" if stage.summary else f"{stage.number}, online augmentation"


def _cell(paths: Sequence[str]) -> str:
    return "<br>".join(dict.fromkeys(f"`{_filled(path)}`" for path in paths)).replace("|", "\\|")


def _options(stage: Stage) -> str:
    return ", ".join(_filled(option.partition("=")[0]) for option in stage.options)


def _filled(text: str) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda match: _PLACES[match[1]], text)


def main(argv: Sequence[str]) -> None:
    """Print the page."""
    if argv:
        sys.exit("Usage: python3 -m recipe.stage_tables")
    print("\n".join(stage_table()))


if __name__ == "__main__":
    run_program(main)
