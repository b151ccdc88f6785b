"""What --dry-run prints of a stage: what it depends on, reads and writes, with sizes. pipeline.sh adds its commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from recipe.fingerprints import TREE
from recipe.stages import PlannedStage


def describe_stage(planned: PlannedStage) -> str:
    """A stage in a few lines."""
    return "\n".join(_lines(planned))


def _lines(planned: PlannedStage) -> Iterator[str]:
    yield f"stage {planned.stage.number}: {planned.title}"
    yield from (f"    option  {key}={value}" for key, value in planned.options.items())
    for kind, paths in (("input", planned.inputs), ("output", planned.outputs)):
        yield from (f"    {kind:<7} {path} ({_size(Path(path))})" for path in paths)


def _size(path: Path) -> str:
    """What a file, a folder or a tree `root/**` takes on the disk, e.g. "1.5M"."""
    path = path.parent if path.name == TREE else path
    if not path.exists():
        return "not there yet"
    return subprocess.run(["du", "-sh", path], capture_output=True, text=True, check=False).stdout.partition("\t")[0]
