"""Amazon's connector by its names: see `headrace.compat.s3torchconnector`."""

from ...s3torchconnector import (
    S3Checkpoint,
    S3Client,
    S3ClientConfig,
    S3Exception,
    S3IterableDataset,
    S3MapDataset,
    S3Reader,
    S3ReaderConstructor,
    S3Writer,
)

__all__ = [
    "S3Checkpoint",
    "S3Client",
    "S3ClientConfig",
    "S3Exception",
    "S3IterableDataset",
    "S3MapDataset",
    "S3Reader",
    "S3ReaderConstructor",
    "S3Writer",
]
