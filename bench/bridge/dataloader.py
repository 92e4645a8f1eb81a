"""Hands a batch of 38.5 MB that exists already from workers of torch's DataLoader to its process; prints JSON lines."""

import json
import sys
import time

import torch
from torch.utils.data import DataLoader, IterableDataset

SHAPE = (256, 224, 224, 3)
COUNT = 20 if "--quick" in sys.argv else 60


class Batches(IterableDataset):
    """`fresh`: in memory of its own each, as a collate function makes them."""

    def __init__(self, fresh):
        self.fresh = fresh

    def __iter__(self):
        batch = torch.full(SHAPE, 7, dtype=torch.uint8)
        for _ in range(COUNT):
            yield batch.clone() if self.fresh else batch


def main():
    for fresh in (False, True):
        loader = iter(DataLoader(Batches(fresh), batch_size=None, num_workers=2))
        next(loader)
        start = time.perf_counter()
        count = sum(1 for _ in loader)
        seconds = time.perf_counter() - start
        name = "torch DataLoader, 2 workers, " + ("fresh batches" if fresh else "the same batch")
        print(json.dumps({"name": name, "batchesPerSecond": count / seconds}), flush=True)


main()
