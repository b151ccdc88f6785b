"""Chained Ogg: several streams (Vorbis, Opus, FLAC) in sequence in one file; libsndfile decodes only the first."""

from __future__ import annotations

from collections.abc import Iterator

from common.errors import KaldiError

_FIRST = 2  # the flag of a logical stream's first page
_PAGE_BYTES = 27 + 255 + 255 * 255  # at most


def ogg_chain(data: bytes) -> list[bytes]:
    """The links of a chained Ogg file, each as a file of its own.

    Raises:
        KaldiError: the last page lacks its end. The text has no file name.
    """
    missing = _missing_of_last_page(data)
    if missing:
        raise KaldiError(f"truncated: its last page lacks {missing} bytes")
    starts, previous_end = [], -1
    for at, end in _first_pages(data):
        if at != previous_end:  # the streams of one link, such as picture and sound, begin together
            starts.append(at)
        previous_end = end
    if len(starts) < 2:
        return [data]
    return [data[at:end] for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _first_pages(data: bytes) -> Iterator[tuple[int, int]]:
    """(first byte, end) of each page that begins a stream."""
    at = -1
    while (at := data.find(b"OggS\0", at + 1)) >= 0:
        end = _page_end(data, at)
        if len(data) > at + 5 and data[at + 5] & _FIRST and end <= len(data):
            yield at, end


def _page_end(data: bytes, at: int) -> int:
    num_segments = data[at + 26] if len(data) > at + 26 else 0
    return at + 27 + num_segments + sum(data[at + 27 : at + 27 + num_segments])


def _missing_of_last_page(data: bytes) -> int:
    """Bytes that the last page lacks; a file that ends between two pages looks complete."""
    at = data.rfind(b"OggS", max(0, len(data) - _PAGE_BYTES))
    return 0 if at < 0 else max(0, _page_end(data, at) - len(data))
