"""Indexes of TFRecord files, as NVIDIA DALI reads them: a line of offset and size for each record."""

from __future__ import annotations

import struct
from typing import Iterator, List, Optional, Tuple

#: Length and its checksum before a record, its checksum behind it.
_BEFORE, _BEHIND = 12, 4


def _entries(data: bytes) -> Iterator[Tuple[int, int]]:
    at = 0
    while at < len(data):
        if at + _BEFORE > len(data):
            raise ValueError(f"the TFRecord file ends in the middle of a record, at byte {at}")
        (length,) = struct.unpack_from("<Q", data, at)
        size = _BEFORE + length + _BEHIND
        if at + size > len(data):
            raise ValueError(f"the TFRecord file ends in the middle of a record, at byte {at}")
        yield at, size
        at += size


def get_tfrecord_index_entries(tfrecord_bytes: bytes) -> List[Tuple[int, int]]:
    """(offset, size) of every record, its framing included."""
    return list(_entries(tfrecord_bytes))


def index_tfrecord_bytes(tfrecord_bytes: bytes) -> str:
    """The text of an index."""
    return "".join(f"{offset} {size}\n" for offset, size in _entries(tfrecord_bytes))


def create_tfrecord_index(tfrecord_path: str, index_path: Optional[str] = None) -> int:
    """Writes the index of a file, beside it as `.idx` unless said otherwise; returns the records."""
    count = 0
    with open(tfrecord_path, "rb") as records, open(index_path or f"{tfrecord_path}.idx", "w") as index:
        size = records.seek(0, 2)
        at = 0
        while at < size:
            records.seek(at)
            framing = records.read(8)
            length = _BEFORE + struct.unpack("<Q", framing)[0] + _BEHIND if len(framing) == 8 else size
            if at + length > size:
                raise ValueError(f"{tfrecord_path} ends in the middle of a record, at byte {at}")
            index.write(f"{at} {length}\n")
            at += length
            count += 1
    return count


def read_tfrecord_index(index_path: str) -> List[Tuple[int, int]]:
    with open(index_path) as lines:
        return [(int(offset), int(size)) for offset, size in (line.split() for line in lines)]
