"""Published checkpoints: one file for each system, with the table of its names.

To add a system: its file here, with `SYSTEMS` and a plan that reads the architecture from names and shapes, a line
below, a test in tests/nnet/test_import_systems.py.
"""

from __future__ import annotations

from nnet.published import cj, jl, rf, sc, wq
from nnet.published.table import PublishedSystem

SYSTEMS: tuple[PublishedSystem, ...] = (*cj.SYSTEMS, *jl.SYSTEMS, *rf.SYSTEMS, *sc.SYSTEMS, *wq.SYSTEMS)
FORMATS: tuple[str, ...] = tuple(sorted({system.format for system in SYSTEMS}))
