"""The error that the nnet programs show as one line, without a traceback."""


class NnetError(Exception):
    """Bad input or state; the message says where, what was found, what was expected and what to do."""
