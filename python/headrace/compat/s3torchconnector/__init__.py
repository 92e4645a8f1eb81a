"""Amazon's connector for PyTorch, by its names: datasets, checkpoints, readers and writers of objects in S3.

``import headrace.compat.s3torchconnector as s3torchconnector`` is the only change a program needs. Objects are read and
written by the engine; what is handed out belongs to the caller. Differences are listed in docs/compat.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._exception import S3Exception
from ._s3client import S3Client, S3ClientConfig
from ._version import __version__
from .s3checkpoint import S3Checkpoint
from .s3reader import S3Reader, S3ReaderConstructor
from .s3writer import S3Writer

if TYPE_CHECKING:
    from .s3iterable_dataset import S3IterableDataset
    from .s3map_dataset import S3MapDataset

__all__ = [
    "S3IterableDataset",
    "S3MapDataset",
    "S3Checkpoint",
    "S3Client",
    "S3Reader",
    "S3ReaderConstructor",
    "S3Writer",
    "S3Exception",
    "S3ClientConfig",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # These need torch, which takes seconds to load and half a gigabyte; checkpoints and clients do without.
    if name == "S3IterableDataset":
        from .s3iterable_dataset import S3IterableDataset

        return S3IterableDataset
    if name == "S3MapDataset":
        from .s3map_dataset import S3MapDataset

        return S3MapDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
