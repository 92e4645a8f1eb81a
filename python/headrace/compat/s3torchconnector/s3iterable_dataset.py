from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Optional, Union

import torch.distributed
import torch.utils.data

from ._objects import ListedObjects, NamedObjects, ObjectSource
from ._read_ahead import read_ahead
from ._s3client import S3Client, S3ClientConfig
from ._types import S3BucketKeyData
from .s3reader import S3Reader, S3ReaderConstructor, S3ReaderConstructorProtocol


def identity(reader: S3Reader) -> S3Reader:
    return reader


def distributed_rank() -> "tuple[int, int]":
    """Of this process: 0 of 1 where torch.distributed is not in use."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


class S3IterableDataset(torch.utils.data.IterableDataset):
    """Objects one after the other, as `transform` makes something of a reader of each; readers without it.

    With `enable_sharding` each rank and each worker of a DataLoader has a part of its own; without it all have all.
    """

    def __init__(
        self,
        region: str,
        get_dataset_objects: ObjectSource,
        endpoint: Optional[str] = None,
        transform: Callable[[S3Reader], Any] = identity,
        s3client_config: Optional[S3ClientConfig] = None,
        enable_sharding: bool = False,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> None:
        self._region = region
        self._get_dataset_objects = get_dataset_objects
        self._endpoint = endpoint
        self._transform = transform
        self._s3client_config = s3client_config
        self._enable_sharding = enable_sharding
        self._reader_constructor = reader_constructor or S3ReaderConstructor.default()
        self._client: Optional[S3Client] = None
        # Of the process that makes the dataset: the workers of a DataLoader know nothing of ranks.
        self._rank, self._world_size = distributed_rank()

    @property
    def region(self) -> str:
        return self._region

    @property
    def endpoint(self) -> Optional[str]:
        return self._endpoint

    @classmethod
    def from_objects(
        cls,
        object_uris: Union[str, Iterable[str]],
        *,
        region: str,
        endpoint: Optional[str] = None,
        transform: Callable[[S3Reader], Any] = identity,
        s3client_config: Optional[S3ClientConfig] = None,
        enable_sharding: bool = False,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> "S3IterableDataset":
        """Of the objects of these URIs, in their order."""
        source = NamedObjects(object_uris)
        return cls(region, source, endpoint, transform, s3client_config, enable_sharding, reader_constructor)

    @classmethod
    def from_prefix(
        cls,
        s3_uri: str,
        *,
        region: str,
        endpoint: Optional[str] = None,
        transform: Callable[[S3Reader], Any] = identity,
        s3client_config: Optional[S3ClientConfig] = None,
        enable_sharding: bool = False,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> "S3IterableDataset":
        """Of all objects whose keys begin as this URI does, in the order of their keys."""
        source = ListedObjects(s3_uri)
        return cls(region, source, endpoint, transform, s3client_config, enable_sharding, reader_constructor)

    def _get_client(self) -> S3Client:
        if self._client is None:
            self._client = S3Client(self._region, endpoint=self._endpoint, s3client_config=self._s3client_config)
        return self._client

    def _reader_of(self, data: S3BucketKeyData) -> S3Reader:
        return self._get_client().get_object(
            data.bucket, data.key, object_info=data.object_info, reader_constructor=self._reader_constructor
        )

    def _shard(self) -> Iterable[S3BucketKeyData]:
        objects = self._get_dataset_objects(self._get_client())
        if not self._enable_sharding:
            return objects
        worker = torch.utils.data.get_worker_info()
        worker_id, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        # Ranks first, then the workers of each.
        place, places = self._rank + self._world_size * worker_id, self._world_size * workers
        return (data for index, data in enumerate(objects) if index % places == place)

    def __iter__(self) -> Iterator[Any]:
        return read_ahead(self._shard(), self._reader_of, self._transform)
