"""The records of an untrusted file of torch.save: counted before torch reads them, searched for what they would call.

A file of torch.save is a zip archive of records that are stored as they are, so that they hold no more bytes than the
file; an older one is several pickles, one after another.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from common.errors import InputError

ZIP_START = b"PK\x03\x04"  # by which torch knows an archive
PICKLE_BYTES = 1 << 24  # of a pickle that is searched for names: its tensors lie elsewhere


def counted_records(path: Path, content: bytes) -> io.BytesIO:
    """What torch reads: the file, or the same records in an archive of our own.

    Two readers of an archive may find different records in it if it was made to deceive. The copy holds those that
    were counted here and no others.

    Args:
        path: for messages.
        content: bytes of the file.

    Raises:
        InputError: records that are compressed, there twice, or hold more bytes than the file: a small file would fill
            the memory.
        Exception: zipfile's, of nearly any kind, if the archive is damaged.
    """
    if not content.startswith(ZIP_START):
        return io.BytesIO(content)
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(copy, "w") as plain:
        records = archive.infolist()
        _check(path, records, len(content))
        for record in records:
            plain.writestr(record.filename, archive.read(record))
    copy.seek(0)
    return copy


def _check(path: Path, records: list[zipfile.ZipInfo], num_bytes: int) -> None:
    again = "save it again with torch.save"
    for record in records:
        if record.compress_type != zipfile.ZIP_STORED:
            raise InputError(f"{path}: its record {record.filename} is compressed, expected it uncompressed; {again}")
    held = sum(record.file_size for record in records)
    if held > num_bytes:
        sizes = f"its records claim {held} bytes, more than the file's {num_bytes}"
        raise InputError(f"{path}: {sizes}; {again}")
    names = set()
    for record in records:
        if record.filename in names:
            raise InputError(f"{path}: has the record {record.filename} twice, expected it once; {again}")
        names.add(record.filename)


def asked_for(content: bytes) -> list[str]:
    """Names of what a file's pickles would call, but for those that tensors are made by; the file is only parsed."""
    found: dict[str, None] = {}
    for pickled in _pickles(content):
        strings: deque[str] = deque(maxlen=2)
        try:
            for opcode, argument, _ in pickletools.genops(pickled):
                if opcode.name in ("GLOBAL", "INST"):
                    found[str(argument).replace(" ", ".")] = None
                elif opcode.name == "STACK_GLOBAL":
                    found[".".join(strings) or "something"] = None
                elif isinstance(argument, str):
                    strings.append(argument)
        except Exception:  # what follows in a damaged file has no names
            continue
    return [name for name in found if not name.startswith("torch.") and name != "collections.OrderedDict"]


def _pickles(content: bytes) -> Iterator[io.BytesIO]:
    """The pickles of a file, new or old, one at a time."""
    if not content.startswith(ZIP_START):
        stream = io.BytesIO(content[:PICKLE_BYTES])
        for _ in range(5):  # magic number, version, system, object, names of storages: each parse goes on from there
            yield stream
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    with archive.open(name) as record:
                        yield io.BytesIO(record.read(PICKLE_BYTES))
    except Exception:  # a damaged archive: what follows cannot be searched
        return
