from __future__ import annotations

from typing import Any


class BytesView(bytes):
    """The bytes of an object. They are the caller's own, and may be kept."""

    def memoryview(self) -> "memoryview":
        return memoryview(self)

    def to_bytes(self, *_: Any) -> bytes:  # type: ignore[override]
        return bytes(self)

    def __repr__(self) -> str:
        return f"BytesView({len(self)} bytes)"
