"""How long the stages of a run took and what they dropped, for the report: <exp>/stage_record.json.

    python3 -m recipe.stage_record <exp>

The run is the one of <exp>/plan.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.program import Parser, run_program
from common.whole_files import write_whole
from minikaldi.data_dir.tables import read_values
from recipe.plan import RunPlan, from_text
from recipe.stage_times import folders_and_jobs, known_times
from recipe.stages import STAGES

RECORD = "stage_record.json"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def stage_times(plan: RunPlan) -> list[dict[str, Any]]:
    """The stages whose times are known, in the order of a run."""
    folders, jobs = folders_and_jobs(plan, plan.last_stage)
    named: dict[tuple[int, str], str] = {}
    for stage in STAGES:
        if stage.summary or stage.part:
            named.setdefault((stage.number, stage.role), stage.summary or stage.part)
    return [
        {
            "stage": f"{job.stage} {named[job.stage, job.role]}",
            "seconds": times.seconds,
            "cpu_seconds": times.cpu,
        }
        for job, times in known_times(jobs, folders).items()
    ]


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


def dropped_groups(path: Path) -> list[dict[str, Any]]:
    """Reasons of one list with their counts, most frequent first; ids and numbers in a reason do not count.

    Raises:
        InputError: a line without a reason.
    """
    groups: dict[str, list[str]] = {}
    for utt_id, reason in read_values(path).items():
        groups.setdefault(_NUMBER.sub("#", reason.replace(utt_id, "…")), []).append(utt_id)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [{"place": str(path), "reason": reason, "count": len(ids), "first": ids[0]} for reason, ids in ordered]


def stage_record(plan: RunPlan, dropped: Iterable[Path]) -> dict[str, Any]:
    """What stage_record.json holds."""
    return {"times": stage_times(plan), "dropped": [group for path in dropped for group in dropped_groups(path)]}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the record of an experiment."""
    parser = Parser(prog="python3 -m recipe.stage_record", description=__doc__)
    parser.add_argument("exp", type=Path, help="the experiment, with plan.yaml")
    exp = parser.parse_args(argv).exp
    plan_file = exp / "plan.yaml"
    if not plan_file.is_file():
        raise InputError(f"{plan_file} is missing; ./pipeline.sh writes it")
    plan = from_text(plan_file.read_text(encoding="utf-8"))
    record = stage_record(plan, lists_of_dropped(plan))
    write_whole(exp / RECORD, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode(errors="replace"))
    return 0


if __name__ == "__main__":
    run_program(main)
