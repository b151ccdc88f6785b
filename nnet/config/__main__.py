"""`python3 -m nnet.config`: see nnet/config/program.py."""

import signal

from common.program import run_program
from nnet.config.program import main

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--list | head` ends this program silently, as it ends any filter
run_program(main)
