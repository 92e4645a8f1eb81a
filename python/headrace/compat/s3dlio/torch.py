"""s3dlio's datasets for PyTorch: those of `headrace.torch`."""

from ...torch import ObjectStoreIterableDataset, ObjectStoreMapDataset, S3IterableDataset, S3MapDataset

__all__ = ["ObjectStoreIterableDataset", "ObjectStoreMapDataset", "S3IterableDataset", "S3MapDataset"]
