"""What a trained i-vector extractor leaves beside it: config.yaml and trained.yaml, as a network does.

    python3 -m recipe.ivector_record --exp exp/mini-ivector conf/ivector/ivector.yaml [SECTION.KEY=VALUE ...]

Apart from recipe/ivector.py, which every start of ./pipeline.sh imports, as reading the extractor needs numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from common.options import plain
from common.program import Parser, run_program
from common.whole_files import write_whole
from minikaldi.io import read_object
from minikaldi.ivectorbin.extractor_holder import EXTRACTOR
from recipe.ivector import IvectorExperiment, load_ivector
from scoring.provenance import IVECTOR_SYSTEM, git_commit


def write_records(experiment: IvectorExperiment, exp: Path, config: str, changes: Sequence[str]) -> None:
    """Write what has been trained: the whole experiment as config.yaml, its origin as trained.yaml.

    Args:
        experiment: what was trained.
        exp: its directory, which has final.ie.
        config: its YAML.
        changes: of the YAML.

    Raises:
        InputError: final.ie cannot be read.
    """
    sections = {name: plain(options) for name, options in vars(experiment).items()}
    extractor = read_object(str(exp / "final.ie"), EXTRACTOR)
    arrays = (extractor.projections, extractor.inv_covars, extractor.weights, extractor.weight_projections)
    record = {
        "system": IVECTOR_SYSTEM,
        "config": config,
        "overrides": list(changes),
        "parameters": sum(array.size for array in arrays) + 1,  # the mean of the first dimension
        "commit": git_commit(),
    }
    for name, content in (("config.yaml", sections), ("trained.yaml", record)):
        text = yaml.safe_dump(content, default_flow_style=None, sort_keys=False, allow_unicode=True, width=1000)
        write_whole(exp / name, text.encode())


def main(argv: Sequence[str]) -> None:
    """Write the records of a trained extractor."""
    parser = Parser("python3 -m recipe.ivector_record --exp DIR CONFIG [SECTION.KEY=VALUE ...]", __doc__ or "")
    parser.add_argument("--exp", required=True, type=Path, help="the experiment, whose extractor is trained")
    parser.add_argument("config", help="a file of conf/ivector")
    parser.add_argument("changes", nargs="*", help="changes of it")
    arguments = parser.parse(argv)
    experiment = load_ivector(arguments.config, arguments.changes)
    write_records(experiment, arguments.exp, arguments.config, arguments.changes)


if __name__ == "__main__":
    run_program(main)
