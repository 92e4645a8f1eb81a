"""One library, one way to load: CPU and memory that an object takes from the server into a torch tensor, as JSON.

    python objects.py WAY URL COUNT [--epochs N]

A first epoch is not counted: imports, connections and listings are in it. CPU is that of the whole process tree: this
process, DataLoader's workers, Headrace's engine. Memory is proportional (PSS), the largest of what was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time

import torch
from torch.utils.data import DataLoader

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    waiting.extend(int(child) for child in file.read().split())
            except OSError:
                pass
    return found


def cpu_of(pids: list[int]) -> float:
    """Seconds that processes and their children that have ended took."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
        except OSError:
            pass
    return total / TICKS


def pss_of(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total * 1024


def size_of(reader) -> torch.Tensor:
    """s3torchconnector's transform: an object as a tensor."""
    return torch.frombuffer(bytearray(reader.read()), dtype=torch.uint8)


def with_loader(dataset, workers: int) -> int:
    return sum(int(sample.numel()) for sample in DataLoader(dataset, batch_size=None, num_workers=workers))


def headrace(kind: str, workers: int, url: str):
    import headrace.torch as library

    if kind == "batches":
        loader = library.load(__import__("headrace").objects(url), batch_size=32, fields=["data"])

        def epoch() -> int:
            total = 0
            for batch in loader:
                data = batch["data"]
                for row in range(len(data.sizes)):
                    total += int(data[row].numel())
            return total

        return epoch
    if kind == "map":
        dataset = library.ObjectStoreMapDataset(url)
    else:
        dataset = library.ObjectStoreIterableDataset.from_prefix(url, enable_sharding=True, prefetch=8)
    return lambda: with_loader(dataset, workers)


def s3dlio(kind: str, workers: int, url: str):
    import s3dlio as library
    import s3dlio.torch as library_torch

    if kind == "items":
        options = {"prefetch": 32}
        return lambda: sum(
            int(torch.frombuffer(bytearray(item.bytes), dtype=torch.uint8).numel())
            for item in library.create_async_loader(url, options).items()
        )
    if kind == "map":
        dataset = library_torch.ObjectStoreMapDataset.from_prefix(url)
    else:
        dataset = library_torch.ObjectStoreIterableDataset.from_prefix(url, prefetch=32, enable_sharding=True)
    return lambda: with_loader(dataset, workers)


def s3torchconnector(kind: str, workers: int, url: str):
    import s3torchconnector as library

    config = library.S3ClientConfig(force_path_style=True)
    cls = library.S3MapDataset if kind == "map" else library.S3IterableDataset
    more = {} if kind == "map" else {"enable_sharding": True}
    dataset = cls.from_prefix(
        url,
        region=os.environ["AWS_REGION"],
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        s3client_config=config,
        transform=size_of,
        **more,
    )
    return lambda: with_loader(dataset, workers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=["headrace", "s3dlio", "s3torchconnector"])
    parser.add_argument("kind")
    parser.add_argument("workers", type=int)
    parser.add_argument("url")
    parser.add_argument("bytes", type=int, help="of one epoch")
    parser.add_argument("count", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    epoch = globals()[arguments.library](arguments.kind, arguments.workers, arguments.url)
    assert epoch() == arguments.bytes, "not every byte came"

    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.5):
            peak = max(peak, pss_of(tree(os.getpid())))

    own = cpu_of(tree(os.getpid()))
    start = time.perf_counter()
    for _ in range(arguments.epochs):
        assert epoch() == arguments.bytes, "not every byte came"
    seconds = time.perf_counter() - start
    cpu = cpu_of(tree(os.getpid())) - own
    watcher = threading.Thread(target=watch)
    watcher.start()
    epoch()
    done.set()
    watcher.join()
    peak = max(peak, pss_of(tree(os.getpid())))
    samples = arguments.epochs * arguments.count
    print(json.dumps({"microseconds": cpu / samples * 1e6, "perSecond": samples / seconds, "pssMiB": peak / 2**20}))


if __name__ == "__main__":
    main()
