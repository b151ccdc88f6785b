"""`python3 -m nnet.config`: check a YAML, print it whole, one of its keys, or every choice there is."""

import signal
import sys

from nnet.config.experiment import main

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--list | head` ends this program silently, as it ends any filter
sys.exit(main())
