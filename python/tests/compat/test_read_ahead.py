"""Which objects are fetched before they are asked for."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional

from headrace.compat.s3torchconnector._read_ahead import read_ahead
from headrace.compat.s3torchconnector._types import ObjectInfo, S3BucketKeyData
from headrace.compat.s3torchconnector.s3reader import RangedS3Reader, SequentialS3Reader

CONTENT = b"0123456789"


class Requests:
    """Objects of ten bytes, which are told of when they are asked for."""

    def __init__(self, count: int, size: int = len(CONTENT)) -> None:
        self.begun: List[str] = []
        self.objects = [
            S3BucketKeyData("b", str(i), ObjectInfo(str(i), '"e"', size, 0, None, None)) for i in range(count)
        ]

    def reader(self, data: S3BucketKeyData, kind: Callable[..., Any] = SequentialS3Reader) -> Any:
        def stream(start: Optional[int] = None, end: Optional[int] = None) -> Iterator[bytes]:
            self.begun.append(data.key)
            return iter([CONTENT[start or 0 : end]])

        return kind("b", data.key, lambda: data.object_info, stream)


def test_objects_that_are_read_whole_are_fetched_ahead_twice_as_many_each_time() -> None:
    requests = Requests(40)
    begun: List[int] = []

    def transform(reader: Any) -> bytes:
        begun.append(len(requests.begun))
        return reader.read()

    found = list(read_ahead(requests.objects, requests.reader, transform))
    assert found == [CONTENT] * 40
    # The first is begun by reading it; then 1, 2, 4, 8 and 16 behind the one that is read.
    assert begun[:7] == [0, 3, 5, 8, 13, 22, 23]
    assert requests.begun == [str(i) for i in range(40)]


def test_objects_that_nobody_reads_are_never_fetched() -> None:
    requests = Requests(20)
    assert len(list(read_ahead(requests.objects, requests.reader, lambda reader: reader))) == 20
    assert requests.begun == []


def test_objects_of_which_a_part_is_read_are_fetched_when_they_are_read() -> None:
    requests = Requests(20)
    seen: List[int] = []

    def transform(reader: Any) -> bytes:
        seen.append(len(requests.begun))
        return reader.read(3)

    pieces = Requests(20)
    list(read_ahead(requests.objects, requests.reader, transform))
    # A piece of this object is all of it, hence one ahead; with ranges none.
    seen.clear()
    list(read_ahead(pieces.objects, lambda data: pieces.reader(data, RangedS3Reader), lambda reader: reader.read(3)))
    assert pieces.begun == [str(i) for i in range(20)]


def test_what_is_ahead_is_bounded_in_bytes() -> None:
    requests = Requests(40, size=30 << 20)
    reader_size = len(CONTENT)
    ahead: List[int] = []

    def transform(reader: Any) -> bytes:
        ahead.append(len(requests.begun) - len(ahead))
        data = reader.read()
        assert len(data) == reader_size
        return data

    list(read_ahead(requests.objects, requests.reader, transform))
    assert max(ahead) == 3
