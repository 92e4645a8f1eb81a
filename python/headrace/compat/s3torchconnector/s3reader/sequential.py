from __future__ import annotations

import io
from bisect import bisect_right
from typing import Any, Callable, Iterator, List, Optional

from .protocol import GetStreamCallable
from .s3reader import S3Reader, checked_size, checked_whence, writable_view


class SequentialS3Reader(S3Reader):
    """Reads an object from its beginning on, and keeps what it has read: going back costs nothing."""

    def __init__(
        self, bucket: str, key: str, get_object_info: Callable[[], Any], get_stream: GetStreamCallable
    ) -> None:
        if not bucket:
            raise ValueError("Bucket should be specified")
        self._bucket = bucket
        self._key = key
        self._get_object_info = get_object_info
        self._get_stream = get_stream
        self._stream: Optional[Iterator[bytes]] = None
        # The pieces as they came, and where each of them begins.
        self._pieces: List[bytes] = []
        self._starts: List[int] = []
        self._fetched = 0
        self._size: Optional[int] = None
        self._position = 0

    @property
    def bucket(self) -> str:
        return self._bucket

    @property
    def key(self) -> str:
        return self._key

    @property
    def complete(self) -> bool:
        """Whether all of the object has been read from S3."""
        return self._size is not None and self._fetched >= self._size

    def prefetch(self) -> None:
        """Begins to fetch the object, unless that has begun. S3Exception."""
        if self._stream is None and not self.complete:
            self._stream = self._get_stream() if self._fetched == 0 else self._get_stream(self._fetched, None)

    def _fetch_to(self, end: Optional[int]) -> None:
        """At least up to `end`, as far as there is something; all of it for None."""
        while not self.complete and (end is None or self._fetched < end):
            self.prefetch()
            assert self._stream is not None
            piece = next(self._stream, None)
            if piece is None:
                self._size = self._fetched
                self._stream = None
                return
            self._pieces.append(piece)
            self._starts.append(self._fetched)
            self._fetched += len(piece)

    def _slices(self, start: int, end: int) -> Iterator[memoryview]:
        index = bisect_right(self._starts, start) - 1
        while start < end:
            piece, first = self._pieces[index], self._starts[index]
            until = min(end, first + len(piece))
            yield memoryview(piece)[start - first : until - first]
            start = until
            index += 1

    def read(self, size: Optional[int] = None) -> bytes:
        """So many bytes from here on, fewer where the object ends, b"" at its end. All that follow without a size."""
        wanted = checked_size(size)
        if self._size is not None and self._position >= self._size:
            return b""
        start = self._position
        self._fetch_to(None if wanted is None else start + wanted)
        end = self._fetched if wanted is None else min(self._fetched, start + wanted)
        if end <= start:
            return b""
        self._position = end
        if start == 0 and end == len(self._pieces[0]):
            return self._pieces[0]
        return b"".join(self._slices(start, end))

    def readinto(self, buf: Any) -> int:
        """Fills the buffer, as far as there is something; returns the bytes."""
        view = writable_view(buf)
        start = self._position
        self._fetch_to(start + len(view))
        end = min(self._fetched, start + len(view))
        at = 0
        for piece in self._slices(start, end) if end > start else ():
            view[at : at + len(piece)] = piece
            at += len(piece)
        self._position = start + at
        return at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes elsewhere; beyond the end is the end. ValueError before the beginning."""
        checked_whence(offset, whence)
        if whence == io.SEEK_END:
            size = self._whole_size()
            if offset >= 0:
                self._position = size
                return size
            offset += size
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < 0:
            raise ValueError(f"negative seek value {offset}")
        # Where the object ends is known only to whoever has read so far.
        self._fetch_to(offset)
        self._position = min(offset, self._fetched) if self.complete else offset
        return self._position

    def _whole_size(self) -> int:
        if self._size is None:
            self._size = self._get_object_info().size
        return self._size

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        """Ends what is still being fetched."""
        stream, self._stream = self._stream, None
        end = getattr(stream, "close", None)
        if end is not None:
            end()
        super().close()
