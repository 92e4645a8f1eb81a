from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union

from .protocol import GetStreamCallable
from .s3reader import S3Reader, writable_view

#: Bytes between two ranges up to which they come in one request.
DEFAULT_MAX_GAP_SIZE = 32 << 20

ELSEWHERE = (
    "for other ways to read, use the generic reader: "
    "S3StorageReader(region, path, reader_constructor=S3ReaderConstructor.default())"
)


@dataclass
class ItemRange:
    """Where one tensor of a checkpoint lies: from `start` up to, but without, `end`."""

    start: int
    end: int


@dataclass
class RangeGroup:
    """Ranges that are near enough to come in one request."""

    start: int
    end: int
    item_ranges: List[ItemRange]


def grouped(ranges: Sequence[ItemRange], max_gap_size: Union[int, float]) -> List[RangeGroup]:
    """ValueError unless the ranges are in order and apart."""
    groups: List[RangeGroup] = []
    for item in ranges:
        if item.start < 0 or item.end <= item.start:
            raise ValueError(f"Invalid range: {item.start}-{item.end}")
        last = groups[-1].item_ranges[-1] if groups else None
        if last is not None and item.start < last.end:
            what = "Unsorted" if item.start < last.start else "Overlapping"
            raise ValueError(f"{what} ranges: {last.start}-{last.end} and {item.start}-{item.end}")
        if last is not None and item.start - last.end <= max_gap_size:
            groups[-1].item_ranges.append(item)
            groups[-1].end = item.end
        else:
            groups.append(RangeGroup(item.start, item.end, [item]))
    return groups


class DCPOptimizedS3Reader(S3Reader):
    """Reads the tensors of a distributed checkpoint, whose places are known beforehand, one after the other.

    Only what lies in them, and small gaps between, is fetched. Within a tensor one may go back; to an earlier one not.
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        item_ranges: Sequence[ItemRange],
        get_object_info: Callable[[], Any],
        get_stream: GetStreamCallable,
        max_gap_size: Union[int, float] = DEFAULT_MAX_GAP_SIZE,
    ) -> None:
        if not bucket:
            raise ValueError("Bucket should be specified")
        if not key:
            raise ValueError("Key should be specified")
        if not item_ranges:
            raise ValueError("item_ranges must be a non-empty List[ItemRange] object")
        if max_gap_size < 0:
            raise ValueError("max_gap_size must be non-negative")
        self._bucket = bucket
        self._key = key
        self._get_object_info = get_object_info
        self._get_stream = get_stream
        self._items = [item for item in item_ranges if item.end != item.start]
        if not self._items:
            raise ValueError("No non-empty ranges to read (all ranges were length 0)")
        self._groups: Dict[int, RangeGroup] = {group.start: group for group in grouped(self._items, max_gap_size)}
        self._current = 0
        self._data: Optional[bytes] = None
        self._stream: Optional[Iterator[bytes]] = None
        # What came with an earlier tensor, and where in the object it begins.
        self._rest = b""
        self._rest_start = 0
        self._position = 0

    @property
    def bucket(self) -> str:
        return self._bucket

    @property
    def key(self) -> str:
        return self._key

    def _item_of(self, start: int, end: int) -> ItemRange:
        """The tensor that holds the range: the one that is being read, or the next."""
        item = self._items[self._current]
        if item.start <= start and end <= item.end:
            if self._data is None:
                self._data = self._load(item)
            return item
        following = self._items[self._current + 1] if self._current + 1 < len(self._items) else None
        fits = following is not None and following.start <= start and end <= following.end
        if self._data is None or following is None or not fits:
            also = "" if following is None else f", nor in the next, {following.start}-{following.end}"
            raise ValueError(
                f"DCPOptimizedS3Reader reads the ranges that it was given one after the other: {start}-{end} is not "
                f"in the current one, {item.start}-{item.end}{also}; {ELSEWHERE}"
            )
        self._current += 1
        self._data = self._load(following)
        return following

    def _load(self, item: ItemRange) -> bytes:
        group = self._groups.get(item.start)
        if group is not None:
            self._end_stream()
            self._stream = iter(self._get_stream(group.start, group.end))
            self._rest, self._rest_start = b"", group.start
        assert self._stream is not None
        pieces: List[memoryview] = []
        at = item.start
        while at < item.end:
            if self._rest_start + len(self._rest) <= at:
                self._rest_start += len(self._rest)
                piece = next(self._stream, None)
                if piece is None:
                    raise ValueError(f"the object ends at {self._rest_start}, within the range {item.start}-{item.end}")
                self._rest = piece
                continue
            first = at - self._rest_start
            part = memoryview(self._rest)[first : first + item.end - at]
            pieces.append(part)
            at += len(part)
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    def read(self, size: Optional[int] = None) -> bytes:
        """ValueError without a size, and for what does not lie within one of the ranges."""
        if size is None or (isinstance(size, int) and size < 0):
            raise ValueError(f"a size is needed, for only ranges can be read; {ELSEWHERE}")
        if not isinstance(size, int):
            raise TypeError(f"argument should be integer or None, not {type(size)!r}")
        if size == 0:
            return b""
        item = self._item_of(self._position, self._position + size)
        assert self._data is not None
        first = self._position - item.start
        self._position += size
        return self._data[first : first + size]

    def readinto(self, buf: Any) -> int:
        view = writable_view(buf)
        if len(view) == 0:
            return 0
        item = self._item_of(self._position, self._position + len(view))
        assert self._data is not None
        first = self._position - item.start
        view[:] = memoryview(self._data)[first : first + len(view)]
        self._position += len(view)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Not from the end: how long the object is does not matter here."""
        if not isinstance(offset, int):
            raise TypeError(f"integer argument expected, got {type(offset)!r}")
        if whence not in (io.SEEK_SET, io.SEEK_CUR):
            raise ValueError("whence must be SEEK_CUR or SEEK_SET integers")
        position = offset if whence == io.SEEK_SET else self._position + offset
        if position < 0:
            raise ValueError(f"negative seek value {position}")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._end_stream()
        self._data = None
        self._rest = b""
        super().close()

    def _end_stream(self) -> None:
        end = getattr(self._stream, "close", None)
        self._stream = None
        if end is not None:
            end()
