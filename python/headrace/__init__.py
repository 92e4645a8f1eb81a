"""Headrace feeds training jobs from storage: batches in shared memory, made by an engine in a process of its own.

    for batch in headrace.load("photos.cache", batch_size=256, shuffle=True, seed=7, image="train"):
        batch["image"]   # numpy.uint8 [256, 224, 224, 3]

`headrace.torch`, `headrace.tensorflow` and `headrace.jax` give their frameworks' tensors of the same memory.
"""

from ._version import __version__
from .batch import Batch, BatchMeta, RaggedImages, StoredBytes
from .caches import build_image_cache
from .cancellation import CancellationToken
from .datasets import (
    Dataset,
    concat,
    image_cache,
    image_folder,
    jsonl,
    mix,
    objects,
    parquet,
    records,
    synthetic,
    tfrecord,
    webdataset,
)
from .errors import EngineDied, HeadraceError, Starved
from .images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    center_crop,
    decode,
    direct_random_resized_crop,
    normalize,
    pipeline,
    random_horizontal_flip,
    random_resized_crop,
    resize_center_crop,
)
from .loader import Loader, load
from .options import LoaderOptions, PoolConfig

__all__ = [
    "Batch",
    "BatchMeta",
    "CancellationToken",
    "Dataset",
    "EngineDied",
    "HeadraceError",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Loader",
    "LoaderOptions",
    "PoolConfig",
    "RaggedImages",
    "Starved",
    "StoredBytes",
    "__version__",
    "build_image_cache",
    "center_crop",
    "concat",
    "decode",
    "direct_random_resized_crop",
    "image_cache",
    "image_folder",
    "jsonl",
    "load",
    "mix",
    "normalize",
    "objects",
    "parquet",
    "pipeline",
    "random_horizontal_flip",
    "random_resized_crop",
    "records",
    "resize_center_crop",
    "synthetic",
    "tfrecord",
    "webdataset",
]
