from __future__ import annotations

import os
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Union

from .dcp_optimized import DEFAULT_MAX_GAP_SIZE, ELSEWHERE, DCPOptimizedS3Reader, ItemRange
from .protocol import DCPS3ReaderConstructorProtocol, GetStreamCallable, S3ReaderConstructorProtocol
from .ranged import RangedS3Reader
from .s3reader import S3Reader
from .sequential import SequentialS3Reader


class DCPOptimizedConstructor:
    """Makes readers that know which ranges of a file of a distributed checkpoint will be read."""

    def __init__(self, max_gap_size: Union[int, float] = DEFAULT_MAX_GAP_SIZE) -> None:
        if max_gap_size < 0:
            raise ValueError("max_gap_size must be non-negative")
        self._max_gap_size = max_gap_size
        self._item_ranges_by_file: Dict[str, List[ItemRange]] = {}

    def set_item_ranges_by_file(
        self, plan_items: Any, storage_data: Any, base_path: Union[str, "os.PathLike[str]"]
    ) -> None:
        """Of a load plan: `S3StorageReader.prepare_local_plan` calls it. What was set before is forgotten."""
        self._item_ranges_by_file = {}
        if not plan_items:
            return
        if not storage_data:
            raise ValueError("storage_data must not be empty: it says where the items of the plan are")
        for item in plan_items:
            where = storage_data[item.storage_index]
            uri = os.path.join(base_path, where.relative_path)
            ranges = self._item_ranges_by_file.setdefault(str(uri), [])
            ranges.append(ItemRange(where.offset, where.offset + where.length))

    def __call__(
        self, bucket: str, key: str, get_object_info: Callable[[], Any], get_stream: GetStreamCallable
    ) -> S3Reader:
        # What the checkpoint says of itself is read as a whole.
        if key.endswith(".metadata"):
            return SequentialS3Reader(bucket, key, get_object_info, get_stream)
        uri = f"s3://{bucket}/{key}"
        ranges = self._item_ranges_by_file.get(uri)
        if ranges is None:
            raise ValueError(f"No ranges found for {uri}: S3StorageReader.prepare_local_plan sets them; {ELSEWHERE}")
        return DCPOptimizedS3Reader(bucket, key, ranges, get_object_info, get_stream, self._max_gap_size)


class S3ReaderConstructor:
    """How objects are read: each of these gives what `reader_constructor=` takes."""

    @staticmethod
    def sequential() -> S3ReaderConstructorProtocol:
        """From the beginning on, everything that is read is kept. The default."""
        return partial(SequentialS3Reader)

    @staticmethod
    def range_based(buffer_size: Optional[int] = None) -> S3ReaderConstructorProtocol:
        """What is read and no more, but `buffer_size` bytes at least (8 MiB; 0: nothing is read ahead)."""
        return partial(RangedS3Reader, buffer_size=buffer_size)

    @staticmethod
    def dcp_optimized(max_gap_size: Union[int, float] = DEFAULT_MAX_GAP_SIZE) -> DCPS3ReaderConstructorProtocol:
        """The ranges that a distributed checkpoint needs; those nearer than `max_gap_size` bytes in one request."""
        return DCPOptimizedConstructor(max_gap_size)

    @staticmethod
    def default() -> S3ReaderConstructorProtocol:
        return S3ReaderConstructor.sequential()

    @staticmethod
    def get_reader_type_string(constructor: Optional[S3ReaderConstructorProtocol]) -> str:
        if constructor is None:
            return "sequential"
        if isinstance(constructor, DCPOptimizedConstructor):
            return "dcp_optimized"
        made = constructor.func if isinstance(constructor, partial) else None
        return {RangedS3Reader: "range_based", SequentialS3Reader: "sequential"}.get(made, "unknown")
