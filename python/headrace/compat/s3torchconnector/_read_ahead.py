"""Objects that will be read soon are asked for before they are."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Iterable, Iterator, Optional, Tuple

from ._types import S3BucketKeyData
from .s3reader import S3Reader, SequentialS3Reader

#: Objects that are under way while one is used, and bytes of them.
_MOST_AHEAD = 16
_MOST_BYTES = 64 << 20
#: What an object counts for whose size nobody has said.
_UNKNOWN_BYTES = 8 << 20


def read_ahead(
    objects: Iterable[S3BucketKeyData],
    reader_of: Callable[[S3BucketKeyData], S3Reader],
    transform: Callable[[S3Reader], Any],
) -> Iterator[Any]:
    """`transform` of a reader of each object, in order.

    Where objects turn out to be read from beginning to end, those behind are fetched meanwhile: twice as many each time.
    Where one is not, or is read later than asked for, nothing is fetched that nobody has asked for.
    """
    source = iter(objects)
    waiting: Deque[Tuple[S3BucketKeyData, S3Reader]] = deque()
    before: Optional[S3Reader] = None
    ahead = 0
    while True:
        if before is not None:
            whole = isinstance(before, SequentialS3Reader) and before.complete
            ahead = min(_MOST_AHEAD, max(1, ahead * 2)) if whole else 0
        # One more than stays behind: the one that is used now.
        while len(waiting) <= ahead and _bytes_of(waiting) <= _MOST_BYTES:
            following = next(source, None)
            if following is None:
                break
            reader = reader_of(following)
            if ahead > 0 and isinstance(reader, SequentialS3Reader):
                reader.prefetch()
            waiting.append((following, reader))
        if not waiting:
            return
        _, before = waiting.popleft()
        yield transform(before)


def _bytes_of(waiting: Deque[Tuple[S3BucketKeyData, S3Reader]]) -> int:
    return sum(data.object_info.size if data.object_info else _UNKNOWN_BYTES for data, _ in waiting)
