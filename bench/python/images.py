"""Images a second from a folder or a cache, through RandomResizedCrop 224 and a flip, into torch tensors, as JSON.

    python images.py headrace CACHE | imagefolder FOLDER  [--workers N] [--batch N] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import time

import torch


def headrace(source: str, workers: int, batch: int):
    import headrace.torch

    image = [{"op": "randomResizedCrop", "size": 224}, {"op": "randomHorizontalFlip"}]
    options = {"batch_size": batch, "shuffle": True, "image": image, "drop_last": True}
    if workers > 0:
        options["threads"] = workers
    loader = headrace.torch.load(source, options)
    return loader, lambda each: each["image"]


def imagefolder(source: str, workers: int, batch: int):
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    transform = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
    )
    dataset = datasets.ImageFolder(source, transform)
    loader = DataLoader(
        dataset, batch_size=batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    return loader, lambda each: each[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=["headrace", "imagefolder"])
    parser.add_argument("source")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    loader, image = globals()[arguments.library](arguments.source, arguments.workers, arguments.batch)
    rates = []
    for _ in range(arguments.epochs + 1):
        images = 0
        start = time.perf_counter()
        for each in loader:
            images += len(image(each))
        rates.append(images / (time.perf_counter() - start))
    print(json.dumps({"imagesPerSecond": max(rates[1:])}))


if __name__ == "__main__":
    main()
