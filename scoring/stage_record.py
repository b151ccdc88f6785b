"""What the stages of a run took and dropped: <exp>/stage_record.json, which `python3 -m recipe.stage_record` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError, why
from common.options import REQUIRED, OptionSet, option, parse
from scoring.ledger_record import StageCost

STAGE_RECORD = "stage_record.json"


@dataclass(frozen=True)
class DroppedGroup(OptionSet):
    """Utterances that were dropped in one place for one reason."""

    place: str = option(REQUIRED, "the list that has them")
    reason: str = option(REQUIRED, "why; # stands for a number, … for the utterance")
    count: int = option(REQUIRED, "how many they are", least=1)
    first: str = option(REQUIRED, "the first of them")


@dataclass(frozen=True)
class StageRecord(OptionSet):
    """Times of the stages and what they dropped."""

    times: tuple[StageCost, ...] = option((), "what each stage took, without the last one")
    dropped: tuple[DroppedGroup, ...] = option((), "what they dropped, by place and reason")


def read_stage_record(exp: Path) -> StageRecord:
    """The record of an experiment; empty if there is none.

    Raises:
        InputError: the record is damaged.
    """
    path = exp / STAGE_RECORD
    if not path.is_file():
        return StageRecord()
    try:
        return parse(StageRecord, "", json.loads(path.read_bytes()))
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: damaged ({why(error)}); run stage 12 again") from error
