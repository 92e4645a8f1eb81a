from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any, Optional


class S3Reader(ABC, io.BufferedIOBase):
    """An object in S3 as a file that can only be read."""

    @property
    @abstractmethod
    def bucket(self) -> str: ...

    @property
    @abstractmethod
    def key(self) -> str: ...

    @abstractmethod
    def read(self, size: Optional[int] = None) -> bytes: ...

    @abstractmethod
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int: ...

    @abstractmethod
    def tell(self) -> int: ...

    @abstractmethod
    def readinto(self, buf: Any) -> int: ...

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False


def checked_size(size: Optional[int]) -> Optional[int]:
    """None for all that follows, however it was said."""
    if size is None:
        return None
    if not isinstance(size, int):
        raise TypeError(f"argument should be integer or None, not {type(size)!r}")
    return None if size < 0 else size


def writable_view(buf: Any) -> memoryview:
    try:
        view = memoryview(buf)
    except TypeError:
        view = None
    if view is None or view.readonly:
        raise TypeError(f"argument must be a writable bytes-like object, not {type(buf).__name__}")
    return view.cast("B")


def checked_whence(offset: Any, whence: Any) -> None:
    if not isinstance(offset, int):
        raise TypeError(f"integer argument expected, got {type(offset)!r}")
    if not isinstance(whence, int):
        raise TypeError(f"integer argument expected, got {type(whence)!r}")
    if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
        raise ValueError("Seek must be passed SEEK_CUR, SEEK_SET, or SEEK_END")
