from __future__ import annotations

import io
from typing import Any, Callable, Optional

from .protocol import GetStreamCallable
from .s3reader import S3Reader, checked_size, checked_whence, writable_view

DEFAULT_BUFFER_SIZE = 8 << 20


class RangedS3Reader(S3Reader):
    """Fetches what is read and no more: for few pieces of large objects.

    Reads that are smaller than `buffer_size` (8 MiB; 0 for none) fetch so many bytes, for those that follow.
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        get_object_info: Callable[[], Any],
        get_stream: GetStreamCallable,
        buffer_size: Optional[int] = None,
    ) -> None:
        if not bucket:
            raise ValueError("Bucket should be specified")
        self._bucket = bucket
        self._key = key
        self._get_object_info = get_object_info
        self._get_stream = get_stream
        self._buffer_size = DEFAULT_BUFFER_SIZE if buffer_size is None else max(0, buffer_size)
        self._buffer = b""
        self._buffer_start = 0
        self._size: Optional[int] = None
        self._position = 0

    @property
    def bucket(self) -> str:
        return self._bucket

    @property
    def key(self) -> str:
        return self._key

    def _whole_size(self) -> int:
        if self._size is None:
            self._size = self._get_object_info().size
        return self._size

    def _fetch(self, view: memoryview, start: int) -> int:
        at = 0
        for piece in self._get_stream(start, start + len(view)):
            view[at : at + len(piece)] = piece
            at += len(piece)
        return at

    def _read_to(self, view: memoryview) -> int:
        """Fills the view from the position on; it ends no later than the object."""
        start = self._position
        at = self._from_buffer(view, start)
        rest = view[at:]
        if len(rest) >= max(1, self._buffer_size):
            at += self._fetch(rest, start + at)
        elif len(rest) > 0:
            self._fill_buffer(start + at)
            at += self._from_buffer(rest, start + at)
        self._position = start + at
        return at

    def _from_buffer(self, view: memoryview, start: int) -> int:
        first = start - self._buffer_start
        if first < 0 or first >= len(self._buffer):
            return 0
        count = min(len(view), len(self._buffer) - first)
        view[:count] = memoryview(self._buffer)[first : first + count]
        return count

    def _fill_buffer(self, start: int) -> None:
        pieces = list(self._get_stream(start, min(start + self._buffer_size, self._whole_size())))
        self._buffer = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._buffer_start = start

    def read(self, size: Optional[int] = None) -> bytes:
        """So many bytes from here on, fewer where the object ends, b"" at its end. All that follow without a size."""
        wanted = checked_size(size)
        left = max(0, self._whole_size() - self._position)
        count = left if wanted is None else min(wanted, left)
        if count == 0:
            return b""
        data = bytearray(count)
        read = self._read_to(memoryview(data))
        return bytes(memoryview(data)[:read])

    def readinto(self, buf: Any) -> int:
        """Fills the buffer, as far as there is something; returns the bytes."""
        view = writable_view(buf)
        if len(view) == 0:
            return 0
        count = min(len(view), max(0, self._whole_size() - self._position))
        return self._read_to(view[:count]) if count > 0 else 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes elsewhere; beyond the end is the end. ValueError before the beginning. Nothing is fetched."""
        checked_whence(offset, whence)
        if whence == io.SEEK_END:
            offset = min(offset, 0) + self._whole_size()
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < 0:
            raise ValueError(f"negative seek value {offset}")
        self._position = min(offset, self._whole_size())
        return self._position

    def tell(self) -> int:
        return self._position
