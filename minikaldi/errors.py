"""The one exception that minikaldi raises for bad input: its text says where, what was found, what was expected."""


class KaldiError(Exception):
    """Bad input, file or option; the launcher prints the text as ``ERROR (command…)`` and exits 255."""


class UsageError(KaldiError):
    """A command line that the command cannot accept; the usage is printed before the text, and the exit code is 1."""
