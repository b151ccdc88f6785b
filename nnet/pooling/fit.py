"""Whether a pooling fits an encoder. No torch here: an encoder tells by its attributes (``nnet.encoders``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common.errors import InputError
from common.options import name_of
from nnet.pooling import POOLINGS, LastOptions


def fitted(options: Any, encoder: object, encoder_name: str) -> Any:
    """The options of a pooling, with what it takes from the encoder filled in.

    Args:
        options: of the pooling. encoder: whose frames it gets. encoder_name: for messages.

    Raises:
        InputError: the pooling makes no sense of what the encoder gives.
    """
    if getattr(encoder, "one_vector", False) and getattr(options, "needs_frames", False):
        raise InputError(
            f'pooling "{name_of(POOLINGS, options)}" tells how frames differ, but encoder "{encoder_name}" gives one'
            " vector an utterance; choose first, last or mean (here all the same)"
        )
    return _last_of(options, encoder, encoder_name) if isinstance(options, LastOptions) else options


def _last_of(options: LastOptions, encoder: object, encoder_name: str) -> LastOptions:
    bidirectional = bool(getattr(encoder, "bidirectional", False))
    if options.bidirectional and not bidirectional:
        raise InputError(
            f'pooling.bidirectional is true, but encoder "{encoder_name}" does not read backwards with half of its'
            " channels; set it to false or null"
        )
    return options if options.bidirectional is not None else replace(options, bidirectional=bidirectional)
