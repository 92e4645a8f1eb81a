"""Drives the installed FFCV, slipstream or torch DataLoader: one tool a process, one request a line.

    python drive.py {ffcv,slipstream,torch} --folder PHOTOS --quality Q --work FOLDER

The first line of output names the tool, its version and its files. Then each line of input,
{"operation": "rrc", "batch": 256, "epochs": 2}, is answered with one line: {"epochs": [{images, seconds, cpuSeconds}]}
or {"error": reason}. Loaders and their compiled code stay for the next request; a loader's first epoch is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sized
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

SIDE = 224


class Photos:
    """(path, class) of a folder of class folders, in the order of headrace's caches."""

    def __init__(self, folder: Path) -> None:
        classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
        self.items = [(path, label) for label, entry in enumerate(classes) for path in sorted(entry.glob("*.jpg"))]

    def __len__(self) -> int:
        return len(self.items)


class Tool(Protocol):
    facts: dict[str, Any]

    def loader(self, operation: str, batch: int) -> tuple[Iterable[Any], Callable[[Any], Sized]]:
        """A loader over all photos, and what of its batches has one element an image."""


class Ffcv:
    """FFCV has no way to keep JPEG files as they are: its image field encodes them again, here at the set's quality."""

    def __init__(self, photos: Photos, quality: int, work: Path) -> None:
        from ffcv.fields import BytesField, IntField, RGBImageField

        self.photos = photos
        fields = {"jpg": RGBImageField(write_mode="jpg", jpeg_quality=quality), "bytes": BytesField()}
        self.files = {kind: self._written(kind, field, IntField(), work) for kind, field in fields.items()}
        self.facts = {"version": version("ffcv"), "storedBytes": allocated_bytes(self.files["jpg"])}

    def _written(self, kind: str, field: Any, label: Any, work: Path) -> Path:
        from ffcv.writer import DatasetWriter

        path = work / f"{kind}.beton"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            writer = DatasetWriter(str(unfinished), {"image": field, "label": label}, num_workers=1)
            writer.from_indexed_dataset(FfcvSamples(self.photos, kind))
            unfinished.rename(path)
        return path

    def loader(self, operation: str, batch: int) -> tuple[Iterable[Any], Callable[[Any], Sized]]:
        from ffcv.fields.basics import IntDecoder
        from ffcv.fields.bytes import BytesDecoder
        from ffcv.fields.rgb_image import CenterCropRGBImageDecoder, RandomResizedCropRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import ToTensor

        decoders: dict[str, Callable[[], Any]] = {
            "rrc": lambda: RandomResizedCropRGBImageDecoder((SIDE, SIDE)),
            "center": lambda: CenterCropRGBImageDecoder((SIDE, SIDE), 1.0),
            "raw": BytesDecoder,
        }
        loader = Loader(
            str(self.files["bytes" if operation == "raw" else "jpg"]),
            batch_size=batch,
            num_workers=1,
            os_cache=True,
            drop_last=False,
            order=OrderOption.SEQUENTIAL,
            pipelines={"image": [decoders[operation](), ToTensor()], "label": [IntDecoder(), ToTensor()]},
        )
        return loader, lambda delivered: delivered[0]


class FfcvSamples:
    def __init__(self, photos: Photos, kind: str) -> None:
        self.photos, self.kind = photos, kind

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        import numpy as np
        from PIL import Image

        path, label = self.photos.items[index]
        return (np.fromfile(path, np.uint8) if self.kind == "bytes" else Image.open(path).convert("RGB")), label


def allocated_bytes(beton: Path) -> int:
    """Of the samples, without the filling of pages: the sizes in the allocation table at the file's end."""
    import numpy as np

    with beton.open("rb") as file:
        header = file.read(24)
        file.seek(int.from_bytes(header[16:24], "little"))
        table = np.frombuffer(file.read(), dtype="<u8").reshape(-1, 3)
    return int(table[:, 2].sum())


def version_of_checkout() -> str:
    import slipstream

    return str(slipstream.__version__)


class Slipstream:
    """The JPEG cache, without its prefetch thread: on one core that thread can only add switches."""

    def __init__(self, photos: Photos, _quality: int, work: Path) -> None:
        from slipstream import SlipstreamLoader

        self.source = SlipstreamSource(photos, work / "slipcache")
        SlipstreamLoader(self.source, batch_size=64, verbose=False).shutdown()
        stored = (self.source.cache_path / "image.bin").stat().st_size
        self.facts = {"version": version_of_checkout(), "storedBytes": stored}

    def loader(self, operation: str, batch: int) -> tuple[Iterable[Any], Callable[[Any], Sized]]:
        from slipstream import SlipstreamLoader
        from slipstream.decoders import DecodeCenterCrop, DecodeOnly, DecodeRandomResizedCrop

        decoders: dict[str, Callable[[], Any]] = {
            "rrc": lambda: DecodeRandomResizedCrop(SIDE, num_threads=1),
            "rrc-yuv": lambda: DecodeRandomResizedCrop(SIDE, num_threads=1),
            "crop": lambda: DecodeCenterCrop(SIDE, num_threads=1),
            "decode": lambda: DecodeOnly(num_threads=1),
        }
        pipelines = None if operation == "raw" else {"image": [decoders[operation]()]}
        loader = SlipstreamLoader(
            self.source,
            batch_size=batch,
            shuffle=False,
            drop_last=False,
            use_threading=False,
            image_format="yuv420" if operation == "rrc-yuv" else "jpeg",
            pipelines=pipelines,
            verbose=False,
        )
        return loader, lambda delivered: delivered["image"]["data"] if operation == "raw" else delivered["image"]


class SlipstreamSource:
    """What slipstream's cache builder asks of a dataset."""

    field_types = {"image": "ImageBytes", "label": "int"}

    def __init__(self, photos: Photos, cache: Path) -> None:
        self.photos, self.cache_path = photos, cache

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.photos.items[index]
        return {"image": path.read_bytes(), "label": label}


class Torch:
    """torch's DataLoader over the JPEG files with torchvision's transforms on Pillow's pictures, as people use it."""

    def __init__(self, photos: Photos, _quality: int, _work: Path) -> None:
        self.photos = photos
        stored = sum(path.stat().st_size for path, _ in photos.items)
        self.facts = {"version": version("torch"), "storedBytes": stored}

    def loader(self, operation: str, batch: int) -> tuple[Iterable[Any], Callable[[Any], Sized]]:
        import torch
        from torch.utils.data import DataLoader
        from torchvision import transforms

        torch.set_num_threads(1)
        crops: dict[str, Callable[[], Any]] = {
            "rrc": lambda: transforms.RandomResizedCrop(SIDE),
            "center": lambda: transforms.CenterCrop(SIDE),
        }
        transform = transforms.Compose([crops[operation](), transforms.PILToTensor()])
        # On one core another process could only add switches.
        loader = DataLoader(TorchSamples(self.photos, transform), batch_size=batch, num_workers=0)
        return loader, lambda delivered: delivered[0]


class TorchSamples:
    def __init__(self, photos: Photos, transform: Callable[[Any], Any]) -> None:
        self.photos, self.transform = photos, transform

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        path, label = self.photos.items[index]
        return self.transform(Image.open(path).convert("RGB")), label


class Timer:
    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.loaders: dict[tuple[str, int], tuple[Iterable[Any], Callable[[Any], Sized]]] = {}

    def answer(self, operation: str, batch: int, epochs: int) -> dict[str, Any]:
        key = (operation, batch)
        if key not in self.loaders:
            self.loaders[key] = self.tool.loader(operation, batch)
            self._epoch(*self.loaders[key])
        return {"epochs": [self._epoch(*self.loaders[key]) for _ in range(epochs)]}

    @staticmethod
    def _epoch(loader: Iterable[Any], images_of: Callable[[Any], Sized]) -> dict[str, float]:
        wall, cpu, images = time.perf_counter(), time.process_time(), 0
        for delivered in loader:
            images += len(images_of(delivered))
        return {
            "images": images,
            "seconds": time.perf_counter() - wall,
            "cpuSeconds": time.process_time() - cpu,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=["ffcv", "slipstream", "torch"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--quality", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    os.environ["NUMBA_NUM_THREADS"] = "1"
    # The tools may print what they like, but not between our answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def reply(document: dict[str, Any]) -> None:
        answers.write(json.dumps(document) + "\n")

    options.work.mkdir(parents=True, exist_ok=True)
    make = {"ffcv": Ffcv, "slipstream": Slipstream, "torch": Torch}[options.tool]
    tool: Tool = make(Photos(options.folder), options.quality, options.work)
    reply({"tool": options.tool, **tool.facts})
    timer = Timer(tool)
    for line in sys.stdin:
        try:
            reply(timer.answer(**json.loads(line)))
        except Exception as error:  # noqa: BLE001: whatever a tool throws is its answer
            reply({"error": f"{type(error).__name__}: {error}"[:300]})
    answers.flush()
    os._exit(0)  # FFCV leaves threads behind that an ordinary exit waits for, for ever


if __name__ == "__main__":
    main()
