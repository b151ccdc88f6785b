"""The launcher, beside what the tests of commands as processes see of it."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

# 20 times eight arrays of 512 kB: 20,480 pages of 4 kB.
COUNT_FAULTS = """
import resource
import numpy as np
from minikaldi.launch import _keep_freed_memory

_keep_freed_memory()
[np.ones(1 << 16) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    [np.ones(1 << 16) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory by rules of its own")
def test_arrays_are_made_of_the_memory_of_those_that_were_freed(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 1000
