"""A checksum at the end of a file of torch.save: cut or changed bytes are noticed before anything reads them.

Such a file is a zip archive, and an archive ends with a comment of any text. Here the text is the SHA-256 of all bytes
before its digits, so that torch.load and unzip read the file as usual. By hand: `tail -c 64 best.pt` and
`head -c -64 best.pt | sha256sum`.
"""

from __future__ import annotations

import hashlib
import io

from common.errors import InputError

_BEGIN = b"PK\x03\x04"
_END = b"PK\x05\x06"  # begins the last record, 22 bytes and the comment; its last two bytes are the comment's length
_END_BYTES = 22
_MARK = b"nnet.train sha256 of the bytes before: "
_DIGITS = 64
_COMMENT_BYTES = len(_MARK) + _DIGITS


def append(content: io.BytesIO) -> None:
    """Put a checksum at the end of the bytes of a file of torch.save."""
    content.seek(-2, io.SEEK_END)
    content.write(_COMMENT_BYTES.to_bytes(2, "little") + _MARK)
    digits = hashlib.sha256(content.getbuffer()).hexdigest()
    content.write(digits.encode())


def has_no_checksum(content: bytes) -> bool:
    """Whether this is a whole file of torch.save without a checksum: by another program, or an earlier version."""
    end = content[-_END_BYTES:]
    return content.startswith(_BEGIN) and end.startswith(_END) and end.endswith(b"\0\0")


def verify(content: bytes) -> None:
    """Check the bytes of a file against its checksum; a file without one passes.

    Raises:
        InputError: damaged; the message says how.
    """
    if has_no_checksum(content):
        return
    if not content.startswith(_BEGIN):
        raise InputError(f"it is not a file of torch.save ({len(content)} bytes)")
    if content[-_COMMENT_BYTES : len(content) - _DIGITS] != _MARK:
        raise InputError(f"its end is missing or damaged ({len(content)} bytes): truncated?")
    if hashlib.sha256(memoryview(content)[:-_DIGITS]).hexdigest().encode() != content[-_DIGITS:]:
        raise InputError("its bytes are not those that were written (the checksum at its end differs): damaged")
