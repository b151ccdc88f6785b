"""How a scoring program starts and how it fails: messages on stderr, exit code 1, no traceback for bad input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from common.errors import InputError, for_a_message


def run_program(main: Callable[[], int]) -> NoReturn:
    """Run a program's `main` and exit with its code, or with 1 after one line on what is wrong with the input."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        code = main()
    except (ValueError, OSError, InputError) as error:
        logging.getLogger(__name__).error("%s", for_a_message(str(error)))
        code = 1
    sys.exit(code)
