"""How long the stages of a run took and what they dropped, for the report: <exp>/stage_record.json.

    python3 -m recipe.stage_record <exp>

The run is the one of <exp>/plan.yaml.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser, run_program
from common.whole_files import write_whole
from minikaldi.data_dir.tables import read_values
from recipe.plan import RunPlan, from_text
from recipe.stage_times import costs_of_run
from recipe.stages import STAGES
from scoring.ledger_record import StageCost
from scoring.stage_record import STAGE_RECORD, DroppedGroup, StageRecord

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def stage_costs(plan: RunPlan) -> list[StageCost]:
    """What each stage took, in the order of a run."""
    titles = {(stage.number, str(stage.role)): stage.summary for stage in STAGES if stage.summary}
    costs = []
    for job, times in costs_of_run(plan):
        part = "-features" if (job.stage, job.role) == (1, "feats") else ""
        title = titles.get((job.stage, str(job.role)), "")
        costs.append(StageCost(f"{job.stage}{part}", times.seconds, times.cpu, times.peak_mb, title))
    return costs


def lists_of_dropped(plan: RunPlan) -> list[Path]:
    """The lists `dropped` and `*.dropped` of a run's directories, each once."""
    folders = [Path(plan.data, name) for name in plan.sets]
    folders += [Path(plan.mfcc, name) for name in plan.featured]
    folders += [Path(plan.feats, name) for name in (*plan.featured, f"{plan.base}_aug_subset", "train_combined")]
    folders += [Path(plan.prepared, f"{name}_no_sil") for name in (*plan.sets, "train_combined")]
    folders.append(Path(plan.lists))
    folders += [Path(system, f"embeddings_{name}") for system in plan.systems for name in plan.sets]
    found = (path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*dropped")))
    return list(dict.fromkeys(path for path in found if path.is_file() and path.name.split(".")[-1] == "dropped"))


def dropped_groups(path: Path) -> list[DroppedGroup]:
    """Reasons of one list with their counts, most frequent first; ids and numbers in a reason do not count.

    Raises:
        InputError: a line without a reason.
    """
    groups: dict[str, list[str]] = {}
    for utt_id, reason in read_values(path).items():
        groups.setdefault(_NUMBER.sub("#", reason.replace(utt_id, "…")), []).append(utt_id)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [DroppedGroup(str(path), reason, len(ids), ids[0]) for reason, ids in ordered]


def stage_record(plan: RunPlan) -> StageRecord:
    """What stage_record.json holds."""
    dropped = (group for path in lists_of_dropped(plan) for group in dropped_groups(path))
    return StageRecord(tuple(stage_costs(plan)), tuple(dropped))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the record of an experiment."""
    parser = Parser(prog="python3 -m recipe.stage_record", description=__doc__)
    parser.add_argument("exp", type=Path, help="the experiment, with plan.yaml")
    exp = parser.parse_args(argv).exp
    plan_file = exp / "plan.yaml"
    if not plan_file.is_file():
        raise InputError(f"{plan_file} is missing; ./pipeline.sh writes it")
    plan = from_text(plan_file.read_text(encoding="utf-8"))
    record = dataclasses.asdict(stage_record(plan))
    write_whole(exp / STAGE_RECORD, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode(errors="replace"))
    return 0


if __name__ == "__main__":
    run_program(main)
