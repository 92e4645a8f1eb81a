"""Objects that tests of several files read."""

from __future__ import annotations

import hashlib
from typing import Dict


def content(key: str, size: int) -> bytes:
    """Bytes that no other key has."""
    seed = hashlib.sha256(key.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


#: Keys in their order, with sizes that differ, and nothing and folders among them.
SIZES: Dict[str, int] = {f"a/{i:03d}.bin": 100 + 37 * i for i in range(40)}
SIZES.update({"b/empty.bin": 0, "b/large.bin": 300_000, "c.bin": 1})
OBJECTS: Dict[str, bytes] = {key: content(key, SIZES[key]) for key in sorted(SIZES)}
