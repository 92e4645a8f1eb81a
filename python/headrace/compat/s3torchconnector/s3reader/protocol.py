from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Protocol, runtime_checkable

from .s3reader import S3Reader

if TYPE_CHECKING:
    from .dcp_optimized import ItemRange


class GetStreamCallable(Protocol):
    def __call__(self, start: Optional[int] = None, end: Optional[int] = None) -> Iterator[bytes]: ...


@runtime_checkable
class S3ReaderConstructorProtocol(Protocol):
    """Makes the reader of an object; `get_object_info` and `get_stream` ask S3 when they are called."""

    def __call__(
        self, bucket: str, key: str, get_object_info: Callable[[], Any], get_stream: GetStreamCallable
    ) -> S3Reader: ...


@runtime_checkable
class DCPS3ReaderConstructorProtocol(Protocol):
    """One that is told beforehand which ranges a distributed checkpoint needs."""

    _item_ranges_by_file: Dict[str, List[ItemRange]]

    def __call__(
        self, bucket: str, key: str, get_object_info: Callable[[], Any], get_stream: GetStreamCallable
    ) -> S3Reader: ...

    def set_item_ranges_by_file(self, plan_items: Any, storage_data: Any, base_path: Any) -> None: ...
