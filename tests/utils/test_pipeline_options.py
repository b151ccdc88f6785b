"""utils/pipeline_options.sh: values that would fail late, or far from where they were given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = """set -euo pipefail
called_from=$PWD
. utils/stage_functions.sh
. utils/pipeline_options.sh
parse_pipeline_options "$@"
printf '%s\\n' "${option[exp]}" "${option[train-root]}"
"""


def parse(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", SCRIPT, "pipeline.sh", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--"], "-- is unknown; choose from: --stage"),
        (["--=3"], "-- is unknown; choose from: --stage"),
        (["--nj", "08"], '--nj is "08", expected is a whole number of at least 1'),
        (["--nj", "0"], '--nj is "0", expected is a whole number of at least 1'),
        (["--bootstrap=0"], '--bootstrap is "0", expected is a whole number of at least 1'),
        (["--exp", "exp/my run"], '--exp is "exp/my run"; it may hold letters'),
        (["--data", "data/$HOME"], '--data is "data/$HOME"; it may hold letters'),
        (["--name=it's"], '--name is "it\'s"; it may hold letters'),
    ],
)
def test_a_value_that_cannot_serve_is_refused_where_it_is_given(root: Path, arguments: list[str], says: str) -> None:
    done = parse(root, *arguments)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr


def test_ordinary_paths_are_accepted(root: Path) -> None:
    done = parse(root, "--exp", "/data/a_b/exp-1.2+x@y", "--train-root", "/my corpus/train/")
    assert done.stdout == "/data/a_b/exp-1.2+x@y\n/my corpus/train\n"
