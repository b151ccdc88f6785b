"""Records of a ledger that tests have made up."""

from __future__ import annotations

from typing import Any

from scoring.ledger_record import Figure, LedgerRecord, MachineFacts, StageCost, content_hash

CONFIG = {"encoder": {"name": "tdnn", "width": 512}, "training": {"steps": 800, "peak": 1e-3}, "notes": ["é", None]}


def made_up_record(eer: float = 0.05, **changes: Any) -> LedgerRecord:
    """A result of a network, whose intervals are 0.01 wide on both sides."""
    fields: dict[str, Any] = {
        "row": "mini", "exp": "exp/mini", "system": "network", "back_end": "PLDA", "test_set": "test",
        "trials": 30, "targets": 10, "nontargets": 20, "speakers": 5, "resamples": 100, "seed": 1,
        "date": "2026-12-01T12:00:00Z", "corpus": "mini", "config": CONFIG, "config_hash": content_hash(CONFIG),
        "data_hash": "d", "commit": "abc", "clean": True, "parameters": 1000,
        "eer": Figure(eer, eer - 0.01, eer + 0.01),
        "min_dcf": {prior: Figure(10 * eer, 10 * eer - 0.01, 10 * eer + 0.01) for prior in ("0.01", "0.001", "0.05")},
        "machine": MachineFacts("Some CPU", 2, "Linux", "3.11", {"numpy": "2.4"}),
        "stages": (StageCost("6", 70.0, 100.0, 900.5), StageCost("8", 10.0)),
    }  # fmt: skip
    return LedgerRecord(**{**fields, **changes})
