"""What went through, and how fast."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Optional

MIB = 1 << 20


@dataclass(frozen=True)
class Throughput:
    name: str
    items: int
    bytes: int
    seconds: float

    @property
    def items_per_second(self) -> float:
        return self.items / self.seconds if self.seconds > 0 else 0.0

    @property
    def mib_per_second(self) -> float:
        return self.bytes / MIB / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        return (
            f"[{self.name}] items={self.items} bytes={self.bytes} ({self.bytes / MIB:.2f} MiB) "
            f"time={self.seconds:.2f}s -> {self.items_per_second:.1f} it/s, {self.mib_per_second:.2f} MiB/s"
        )


def samples_of(batch: Any) -> List[Any]:
    """Of what a DataLoader gives: a tensor of samples, or a list of them."""
    return list(batch)


def measured(
    name: str,
    batches: Iterable[Any],
    take: int,
    bytes_of: Callable[[Any], int],
    each: Optional[Callable[[Any], None]] = None,
) -> Throughput:
    """Reads up to `take` samples (0: all). `each` sees them before they are counted."""
    items = total = 0
    start = time.perf_counter()
    for batch in batches:
        for sample in samples_of(batch):
            if each is not None:
                each(sample)
            total += bytes_of(sample)
            items += 1
            if items == take:
                return Throughput(name, items, total, time.perf_counter() - start)
    return Throughput(name, items, total, time.perf_counter() - start)


def need_samples(result: Throughput, prefix: str) -> None:
    """Ends the program where there was nothing."""
    if result.items == 0:
        sys.exit(f"0 items: {prefix} is empty, or is not the folder; --setup of torch_stage0_demo.py fills one")
