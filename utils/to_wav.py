#!/usr/bin/env python3
"""Writes an audio file of any kind to the standard output as a 16-bit mono wave, for lines of wav.scp:
`<utt_id> utils/to_wav.py <file> <rate> |`. See `utils/to_wav.py --help`; the code is minikaldi/featbin/to_wav.py."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"


def main() -> int:
    """Runs the command, in the project's own Python where the running one lacks numpy."""
    sys.path[0] = str(ROOT)  # in place of utils/
    try:
        import numpy  # noqa: F401
    except ImportError:
        if not VENV_PYTHON.exists() or Path(sys.prefix) == VENV_PYTHON.parent.parent:
            print(f"to_wav.py: {sys.executable} has no numpy; run utils/prepare_environment.sh", file=sys.stderr)
            return 1
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    from minikaldi.running import run_command

    return run_command(sys.argv, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    sys.exit(main())
