"""Whether a pooling fits an encoder, by what the encoder says of itself (``nnet.parts.Encoder``)."""

from __future__ import annotations

from dataclasses import replace

from common.errors import InputError
from common.options import name_of
from nnet.parts import Encoder
from nnet.pooling import POOLINGS, LastOptions, PoolingOptions


def fit_to_encoder(options: PoolingOptions, encoder: Encoder, encoder_name: str) -> PoolingOptions:
    """The options of a pooling, with what it takes from the encoder filled in.

    Args:
        options: of the pooling.
        encoder: whose frames it gets.
        encoder_name: for messages.

    Raises:
        InputError: the pooling has no meaning for what the encoder gives.
    """
    if encoder.one_vector and options.needs_frames:
        of_one = [name for name, kind in POOLINGS.items() if not kind.needs_frames]
        raise InputError(
            f'pooling "{name_of(POOLINGS, options)}" describes how frames differ, but encoder "{encoder_name}" gives'
            f" one vector an utterance; choose {', '.join(of_one[:-1])} or {of_one[-1]} (here all the same)"
        )
    return _last_of(options, encoder, encoder_name) if isinstance(options, LastOptions) else options


def _last_of(options: LastOptions, encoder: Encoder, encoder_name: str) -> LastOptions:
    if options.bidirectional and not encoder.bidirectional:
        raise InputError(
            f'pooling.bidirectional is true, but encoder "{encoder_name}" does not read backwards with half of its'
            " channels; set it to false or null"
        )
    return options if options.bidirectional is not None else replace(options, bidirectional=encoder.bidirectional)
