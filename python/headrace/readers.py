"""An object that was read, as a file."""

from __future__ import annotations

import io
from typing import Any


class ObjectReader(io.BytesIO):
    """The bytes of one object, to be read in pieces; `key` is its name below the dataset's URL."""

    def __init__(self, data: bytes, key: str) -> None:
        # Bytes are shared, not copied, until somebody writes.
        super().__init__(data)
        self.key = key
        self._size = len(data)

    def __len__(self) -> int:
        return self._size

    def readall(self) -> bytes:
        """What is left."""
        return self.read()

    read_all = readall

    def writable(self) -> bool:
        return False

    def write(self, _: Any) -> int:
        raise io.UnsupportedOperation("this object is read only")

    def __reduce__(self) -> Any:
        return _restored, (self.getvalue(), self.key, self.tell())


def _restored(data: bytes, key: str, at: int) -> ObjectReader:
    reader = ObjectReader(data, key)
    reader.seek(at)
    return reader
