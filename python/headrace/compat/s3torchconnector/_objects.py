"""The objects of a dataset: of URIs that are named, or of a listing."""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, List, Union

from ._s3client import S3Client
from ._types import S3BucketKeyData
from ._uri import parse_s3_uri

#: Asked for its objects anew by every iteration.
ObjectSource = Callable[[S3Client], Iterable[S3BucketKeyData]]


class NamedObjects:
    """A class and not a closure, so that datasets can be pickled."""

    def __init__(self, object_uris: Union[str, Iterable[str]]) -> None:
        self._uris: Union[List[str], Iterable[str]] = [object_uris] if isinstance(object_uris, str) else object_uris

    def __call__(self, client: S3Client) -> Iterator[S3BucketKeyData]:
        return iter([S3BucketKeyData(*parse_s3_uri(uri)) for uri in self._uris])


class ListedObjects:
    def __init__(self, s3_uri: str) -> None:
        self._uri = s3_uri

    def __call__(self, client: S3Client) -> Iterator[S3BucketKeyData]:
        bucket, prefix = parse_s3_uri(self._uri)
        for page in client.list_objects(bucket, prefix):
            for info in page.object_info:
                yield S3BucketKeyData(bucket, info.key, info)
