"""Shared memory that CUDA knows: registered where batches lie, once for each place, and not where none ever lies."""

from __future__ import annotations

import mmap
from typing import Any, Callable, List, Tuple

#: Bytes [start, end).
Range = Tuple[int, int]


def page_range(address: int, size: int) -> Range:
    """The whole pages that memory lies in, which is what can be registered."""
    page = mmap.PAGESIZE
    return address // page * page, -(-(address + size) // page) * page


def add_range(known: List[Range], wanted: Range) -> Tuple[List[Range], List[Range], List[Range]]:
    """(ranges afterwards, those to take away, those to add), so that `wanted` lies in one range as a whole.

    A copy may not reach from one registered range into another one.
    """
    if any(start <= wanted[0] and wanted[1] <= end for start, end in known):
        return known, [], []
    touched = [each for each in known if each[0] < wanted[1] and wanted[0] < each[1]]
    joined = min([wanted[0], *(start for start, _ in touched)]), max([wanted[1], *(end for _, end in touched)])
    return [*(each for each in known if each not in touched), joined], touched, [joined]


class PinnedMemory:
    """`register(address, size)` and `unregister(address)` are CUDA's, and return its status."""

    def __init__(self, register: Callable[[int, int, int], Any], unregister: Callable[[int], Any]) -> None:
        self._register = register
        self._unregister = unregister
        self._ranges: List[Range] = []

    def pin(self, address: int, size: int) -> int:
        """Registers the memory of a batch where it is not; CUDA's status, 0 where all is well."""
        ranges, gone, new = add_range(self._ranges, page_range(address, size))
        for start, _ in gone:
            self._unregister(start)
        self._ranges = [each for each in ranges if each not in new]
        for start, end in new:
            status = int(self._register(start, end - start, 0))
            if status != 0:
                return status
            self._ranges.append((start, end))
        return 0

    def close(self) -> None:
        ranges, self._ranges = self._ranges, []
        for start, _ in ranges:
            self._unregister(start)
