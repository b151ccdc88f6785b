#!/usr/bin/env python3
"""What pipeline.sh asks for: its plan, and which stage runs next. See recipe/calls.py."""

import logging
import signal
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036 - any Python may be on PATH
    sys.exit(f"pipeline.sh: python3 is {'.'.join(map(str, sys.version_info[:3]))}; expected 3.10 or newer on PATH")
sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.argv[0] = "pipeline.sh"  # messages are those of the program that the user called

from common.program import exit_code  # noqa: E402
from recipe.calls import main  # noqa: E402

logging.basicConfig(format="pipeline.sh: %(message)s")
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--help | head` ends it silently, as it ends any filter
sys.exit(exit_code(main, sys.argv[1:]))
