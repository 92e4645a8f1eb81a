from __future__ import annotations

from typing import Any, Callable, Iterable, List, Optional, Union

import torch.utils.data

from ._objects import ListedObjects, NamedObjects, ObjectSource
from ._s3client import S3Client, S3ClientConfig
from ._types import S3BucketKeyData
from .s3iterable_dataset import identity
from .s3reader import S3Reader, S3ReaderConstructor, S3ReaderConstructorProtocol


class S3MapDataset(torch.utils.data.Dataset):
    """Objects by their number, as `transform` makes something of a reader of each; readers without it.

    They are listed when the first is asked for, or how many there are.
    """

    def __init__(
        self,
        region: str,
        get_dataset_objects: ObjectSource,
        endpoint: Optional[str] = None,
        transform: Callable[[S3Reader], Any] = identity,
        s3client_config: Optional[S3ClientConfig] = None,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> None:
        self._region = region
        self._get_dataset_objects = get_dataset_objects
        self._endpoint = endpoint
        self._transform = transform
        self._s3client_config = s3client_config
        self._reader_constructor = reader_constructor or S3ReaderConstructor.default()
        self._client: Optional[S3Client] = None
        self._objects: Optional[List[S3BucketKeyData]] = None

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
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> "S3MapDataset":
        """Of the objects of these URIs, in their order."""
        return cls(region, NamedObjects(object_uris), endpoint, transform, s3client_config, reader_constructor)

    @classmethod
    def from_prefix(
        cls,
        s3_uri: str,
        *,
        region: str,
        endpoint: Optional[str] = None,
        transform: Callable[[S3Reader], Any] = identity,
        s3client_config: Optional[S3ClientConfig] = None,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> "S3MapDataset":
        """Of all objects whose keys begin as this URI does, in the order of their keys."""
        return cls(region, ListedObjects(s3_uri), endpoint, transform, s3client_config, reader_constructor)

    def _get_client(self) -> S3Client:
        if self._client is None:
            self._client = S3Client(self._region, endpoint=self._endpoint, s3client_config=self._s3client_config)
        return self._client

    @property
    def _dataset_bucket_key_pairs(self) -> List[S3BucketKeyData]:
        if self._objects is None:
            self._objects = list(self._get_dataset_objects(self._get_client()))
        return self._objects

    def __getitem__(self, i: int) -> Any:
        data = self._dataset_bucket_key_pairs[i]
        reader = self._get_client().get_object(
            data.bucket, data.key, object_info=data.object_info, reader_constructor=self._reader_constructor
        )
        return self._transform(reader)

    def __len__(self) -> int:
        return len(self._dataset_bucket_key_pairs)
