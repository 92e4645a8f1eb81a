"""Objects written piece by piece."""

from __future__ import annotations

import time
from typing import Any, Dict, Optional, Union

from ..._store import Writer
from ._stores import UnsupportedOperationError, native_errors, store, url_of

Buffer = Union[bytes, bytearray, memoryview]

_MIN_PART = 5 << 20


class MultipartUploadWriter:
    """Uploads an object in parts, several under way at once. Nothing is seen of it before `close`; left by an exception,
    or forgotten, nothing ever is.

    part_size: bytes, 16 MiB; 5 MiB at least. max_in_flight: parts at once, 8; memory is part_size x (max_in_flight + 1).
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        part_size: Optional[int] = None,
        max_in_flight: Optional[int] = None,
        content_type: Optional[str] = None,
        abort_on_drop: Optional[bool] = None,
    ) -> None:
        self._begin(f"s3://{bucket}/{key}", part_size, max_in_flight, content_type, abort_on_drop)

    @classmethod
    def from_uri(
        cls,
        uri: str,
        part_size: Optional[int] = None,
        max_in_flight: Optional[int] = None,
        content_type: Optional[str] = None,
        abort_on_drop: Optional[bool] = None,
    ) -> "MultipartUploadWriter":
        made = cls.__new__(cls)
        made._begin(uri, part_size, max_in_flight, content_type, abort_on_drop)
        return made

    def _begin(
        self,
        uri: str,
        part_size: Optional[int],
        max_in_flight: Optional[int],
        content_type: Optional[str],
        abort_on_drop: Optional[bool],
    ) -> None:
        if abort_on_drop is False:
            raise ValueError("abort_on_drop must be True: parts that nobody completes are never left behind")
        size = 16 << 20 if part_size is None else part_size
        if size < _MIN_PART:
            raise ValueError(f"part_size must be {_MIN_PART} or more, but is {size}")
        self.uri = uri
        self._reserved: Optional[bytearray] = None
        self._started = time.time()
        self._part_size = size
        with native_errors():
            of = store(partSize=size, **({} if max_in_flight is None else {"partsInFlight": max_in_flight}))
            self._writer: Writer = of.writer(url_of(uri), content_type=content_type)

    def write(self, data: Buffer, /, *, copy: bool = False) -> int:
        """The data may be changed when this returns, whether `copy` is asked for or not."""
        with native_errors():
            return self._open().write(bytes(data) if copy else data)

    def reserve(self, size: int, /) -> memoryview:
        """Memory to write the next bytes to, for `commit`."""
        self._open()
        if self._reserved is not None:
            raise RuntimeError("the reserved buffer has not been committed")
        self._reserved = bytearray(size)
        return memoryview(self._reserved)

    def commit(self, nbytes: int, /) -> None:
        """Writes the first bytes of the reserved buffer."""
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            raise RuntimeError("there is no reserved buffer")
        if not 0 <= nbytes <= len(reserved):
            raise ValueError(f"the reserved buffer has {len(reserved)} bytes, {nbytes} cannot be committed")
        self.write(memoryview(reserved)[:nbytes])

    def flush(self) -> None:
        """Waits until the engine has taken what was written."""
        with native_errors():
            self._open().flush()

    def close(self) -> Dict[str, Any]:
        """Completes the object: etag, total_bytes, parts, started_at, completed_at."""
        with native_errors():
            info = self._open().close()
        assert info is not None
        total = self._writer.bytes_written
        return {
            "etag": info.etag,
            "total_bytes": total,
            "parts": max(1, -(-total // self._part_size)),
            "started_at": self._started,
            "completed_at": time.time(),
        }

    def abort(self) -> None:
        """The object is as it was before."""
        with native_errors():
            self._writer.abort()

    def _open(self) -> Writer:
        if self._writer.closed:
            raise RuntimeError(f"the writer of {self.uri} is closed")
        return self._writer

    def __enter__(self) -> "MultipartUploadWriter":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.abort()
        elif not self._writer.closed:
            self.close()


class PyWriterOptions:
    """How `create_s3_writer` and its like write."""

    def with_compression(self, compression_type: str, level: Optional[int] = None) -> "PyWriterOptions":
        """`none`; whatever else is refused, for an object has the bytes that were written."""
        if compression_type.lower() != "none" or level is not None:
            raise UnsupportedOperationError(f"writers do not compress: {compression_type!r} is not to be had, only 'none'")
        return self

    def with_buffer_size(self, size: int) -> "PyWriterOptions":
        """Bytes that are gathered before they go to the engine; 1 MiB."""
        if size < 1:
            raise ValueError(f"buffer_size must be 1 or more, but is {size}")
        self.buffer_size = size
        return self

    buffer_size = 1 << 20


class PyObjectWriter:
    """Takes an object in chunks; it is there after `finalize`."""

    def __init__(self, uri: str, options: Optional[PyWriterOptions] = None) -> None:
        self.uri = uri
        self._buffer = bytearray()
        self._buffer_size = (options or PyWriterOptions()).buffer_size
        with native_errors():
            self._writer = store().writer(url_of(uri))

    def write_chunk(self, data: Buffer) -> None:
        if self._writer.closed:
            raise RuntimeError(f"the writer of {self.uri} is finalized")
        view = memoryview(data).cast("B")
        if len(self._buffer) + len(view) < self._buffer_size:
            self._buffer += view
            return
        with native_errors():
            self._send()
            self._writer.write(view)

    def write_owned_bytes(self, data: Buffer, *, copy: bool = False) -> None:
        self.write_chunk(bytes(data) if copy else data)

    def _send(self) -> None:
        if self._buffer:
            self._writer.write(self._buffer)
            self._buffer = bytearray()

    def finalize(self) -> "tuple[int, int]":
        """Bytes written, and bytes that the object has."""
        with native_errors():
            self._send()
            self._writer.close()
        return self._writer.bytes_written, self._writer.bytes_written

    def cancel(self) -> None:
        with native_errors():
            self._writer.abort()

    def bytes_written(self) -> int:
        return self._writer.bytes_written + len(self._buffer)

    def compressed_bytes(self) -> int:
        return self.bytes_written()

    def checksum(self) -> Optional[str]:
        """`crc32c:` and eight hexadecimal digits, once the object is there and its store says so."""
        known = self._writer.info.checksum if self._writer.info is not None else None
        return f"{known['algorithm']}:{known['value']}" if known else None


def create_s3_writer(uri: str, options: Optional[PyWriterOptions] = None) -> PyObjectWriter:
    return PyObjectWriter(uri, options)


create_azure_writer = create_s3_writer
create_filesystem_writer = create_s3_writer
create_direct_filesystem_writer = create_s3_writer
