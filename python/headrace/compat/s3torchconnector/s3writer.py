from __future__ import annotations

import io
import logging
import threading
from typing import Any, Protocol, Union

log = logging.getLogger(__name__)


class WriteStream(Protocol):
    def write(self, data: Any) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class S3Writer(io.BufferedIOBase):
    """Writes one object, as a file that can only be written. The object is there when `close` returns.

    Left by an exception, as a context manager, it drops what was written: no half of an object is ever seen.
    """

    def __init__(self, stream: WriteStream) -> None:
        self.stream = stream
        self._position = 0
        self._done = False
        self._lock = threading.Lock()

    def __enter__(self) -> "S3Writer":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
            return
        log.info("upload given up: %s: %s", getattr(kind, "__name__", kind), error)
        with self._lock:
            if not self._done:
                self._done = True
                self.stream.abort()

    def write(self, data: Union[bytes, bytearray, memoryview]) -> int:  # type: ignore[override]
        """Returns the bytes taken, which are all. ValueError when it is closed, S3Exception."""
        if self._done:
            raise ValueError("write to closed file")
        count = memoryview(data).nbytes
        self.stream.write(data)
        self._position += count
        return count

    def close(self) -> None:
        """S3Exception where the object could not be written; called again it does nothing."""
        with self._lock:
            if not self._done:
                self._done = True
                self.stream.close()

    @property
    def closed(self) -> bool:
        return self._done

    def flush(self) -> None:
        """Nothing: an object is there as a whole or not at all."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return not self.closed

    def tell(self) -> int:
        """Bytes written."""
        return self._position
