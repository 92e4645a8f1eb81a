"""Which memory is registered with a device: every byte of a batch once, as one piece."""

from __future__ import annotations

import random
from typing import Dict

from headrace._pinning import PinnedMemory, add_range, page_range

PAGE = 4096


def test_memory_is_registered_in_whole_pages() -> None:
    assert page_range(5000, 10) == (4096, 8192)
    assert page_range(4096, 4096) == (4096, 8192)
    assert page_range(4095, 2) == (0, 8192)


def test_ranges_are_joined_where_they_overlap() -> None:
    assert add_range([], (0, 10)) == ([(0, 10)], [], [(0, 10)])
    assert add_range([(0, 10)], (2, 8)) == ([(0, 10)], [], [])
    assert add_range([(0, 10), (20, 30)], (5, 15)) == ([(20, 30), (0, 15)], [(0, 10)], [(0, 15)])
    assert add_range([(0, 10), (20, 30)], (8, 22)) == ([(0, 30)], [(0, 10), (20, 30)], [(0, 30)])
    assert add_range([(0, 10)], (10, 20)) == ([(0, 10), (10, 20)], [], [(10, 20)])


class Device:
    """What a device knows of memory; it refuses what it knows already, and to forget what it does not know."""

    def __init__(self) -> None:
        self.known: Dict[int, int] = {}

    def register(self, address: int, size: int, _: int) -> int:
        if any(address < start + length and start < address + size for start, length in self.known.items()):
            return 712
        self.known[address] = size
        return 0

    def unregister(self, address: int) -> int:
        del self.known[address]
        return 0


def test_every_batch_lies_in_one_registered_piece() -> None:
    device = Device()
    memory = PinnedMemory(device.register, device.unregister)
    draws = random.Random(1)
    for _ in range(500):
        address, size = draws.randrange(0, 64) * PAGE, draws.randrange(1, 6 * PAGE)
        assert memory.pin(address, size) == 0
        assert any(start <= address and address + size <= start + length for start, length in device.known.items())
    memory.close()
    assert device.known == {}


def test_what_the_device_refuses_is_told() -> None:
    memory = PinnedMemory(lambda *_: 2, lambda _: 0)
    assert memory.pin(0, 100) == 2
    memory.close()
