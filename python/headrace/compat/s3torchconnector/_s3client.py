"""A client of S3: objects of buckets, by requests to the engine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional
from urllib.parse import urlsplit

from ..._store import ObjectStream, Place, Store
from ..._store import Writer as StoreWriter
from ._exception import NO_BUCKET, NO_OBJECT, S3Exception, s3_errors
from ._types import HeadObjectResult, ListObjectResult, ObjectInfo, listed, looked_up
from .s3reader import S3Reader, S3ReaderConstructor, S3ReaderConstructorProtocol
from .s3writer import S3Writer

MIB = 1 << 20
#: Requests under way at once for each Gbit/s of the target: 10 Gbit/s are the engine's own 64.
_REQUESTS_PER_GBPS = 6.4
_MAX_REQUESTS = 4096
#: The largest piece that the engine gives in one answer.
_MAX_PIECE = 64 * MIB


@dataclass(frozen=True)
class S3ClientConfig:
    """How a client works.

    throughput_target_gbps: sets how many requests may be under way at once, 6.4 for each Gbit/s.
    part_size: bytes of the parts that objects are read and written in, 5 MiB to 5 GiB.
    unsigned: requests are not signed, as public buckets allow.
    force_path_style: the bucket stands in the path of requests and not before the host's name.
    max_attempts: of a request, the first among them.
    profile: of the shared credentials and config files.
    """

    throughput_target_gbps: float = 10.0
    part_size: int = 8 * MIB
    unsigned: bool = False
    force_path_style: bool = False
    max_attempts: int = 10
    profile: Optional[str] = None


def _is_address(endpoint: str) -> bool:
    host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return host == "localhost"


def store_options(region: str, endpoint: Optional[str], config: S3ClientConfig) -> Dict[str, Any]:
    """What the engine opens buckets with."""
    if not 5 * MIB <= config.part_size <= 5 * 1024 * MIB:
        raise S3Exception(
            f"invalid configuration: part_size must be from 5 MiB to 5 GiB, but is {config.part_size}"
        )
    requests = round(config.throughput_target_gbps * _REQUESTS_PER_GBPS)
    options: Dict[str, Any] = {
        "region": region,
        "concurrency": max(1, min(_MAX_REQUESTS, requests)),
        "partSize": config.part_size,
        "attempts": config.max_attempts,
    }
    if endpoint:
        options["endpoint"] = endpoint if "://" in endpoint else f"https://{endpoint}"
        options["style"] = "path" if config.force_path_style or _is_address(endpoint) else "virtual"
    elif config.force_path_style:
        options["style"] = "path"
    if config.unsigned:
        options["anonymous"] = True
    if config.profile is not None:
        options["profile"] = config.profile
    return {"s3": options}


class S3Client:
    """Objects of all buckets that a region (or an endpoint) has. It may be pickled, and used after a fork."""

    def __init__(
        self,
        region: str,
        *,
        endpoint: Optional[str] = None,
        s3client_config: Optional[S3ClientConfig] = None,
    ) -> None:
        self._region = region
        self._endpoint = endpoint
        self._s3client_config = s3client_config or S3ClientConfig()
        self._opened: Optional[Store] = None

    def __getstate__(self) -> Dict[str, Any]:
        return {"region": self._region, "endpoint": self._endpoint, "config": self._s3client_config}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._region, self._endpoint, self._s3client_config = state["region"], state["endpoint"], state["config"]
        self._opened = None

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = Store(store_options(self._region, self._endpoint, self._s3client_config))
        return self._opened

    @property
    def region(self) -> str:
        return self._region

    @property
    def s3client_config(self) -> S3ClientConfig:
        return self._s3client_config

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        object_info: Optional[ObjectInfo] = None,
        reader_constructor: Optional[S3ReaderConstructorProtocol] = None,
    ) -> S3Reader:
        """A reader. Nothing is asked of S3 before it is read."""
        construct = reader_constructor or S3ReaderConstructor.default()

        def get_object_info() -> Any:
            return object_info if object_info is not None else self.head_object(bucket, key)

        def get_stream(start: Optional[int] = None, end: Optional[int] = None) -> GetObjectStream:
            return self._get_object_stream(bucket, key, start, end)

        return construct(bucket=bucket, key=key, get_object_info=get_object_info, get_stream=get_stream)

    def _get_object_stream(
        self, bucket: str, key: str, start: Optional[int] = None, end: Optional[int] = None
    ) -> "GetObjectStream":
        piece = min(self._s3client_config.part_size, _MAX_PIECE)
        with s3_errors():
            return GetObjectStream(bucket, key, self._store.stream(_place(bucket, key), start or 0, end, piece))

    def put_object(self, bucket: str, key: str, storage_class: Optional[str] = None) -> S3Writer:
        with s3_errors():
            writer = self._store.writer(_place(bucket, key), storage_class=storage_class)
        return S3Writer(PutObjectStream(bucket, key, writer))

    def list_objects(
        self, bucket: str, prefix: str = "", delimiter: str = "", max_keys: int = 1000
    ) -> "ListObjectStream":
        return ListObjectStream(self, bucket, prefix, delimiter, max_keys)

    def head_object(self, bucket: str, key: str) -> HeadObjectResult:
        with s3_errors(NO_OBJECT):
            info = self._store.head(_place(bucket, key))
        if info is None:
            raise S3Exception(NO_OBJECT)
        return looked_up(info)

    def delete_object(self, bucket: str, key: str) -> None:
        """What is not there is no error."""
        with s3_errors(NO_BUCKET):
            self._store.delete_keys(f"s3://{bucket}", [key])

    def copy_object(self, src_bucket: str, src_key: str, dst_bucket: str, dst_key: str) -> None:
        """By the server. Keys are literal: nothing of them is to be escaped."""
        with s3_errors(NO_OBJECT):
            self._store.copy(_place(src_bucket, src_key), _place(dst_bucket, dst_key))


def _place(bucket: str, key: str) -> Place:
    if not bucket:
        raise ValueError("Bucket should be specified")
    return Place(f"s3://{bucket}", key)


class GetObjectStream:
    """The pieces of an object, or of a range of it."""

    def __init__(self, bucket: str, key: str, pieces: ObjectStream) -> None:
        self.bucket = bucket
        self.key = key
        self._pieces = pieces

    def __iter__(self) -> "GetObjectStream":
        return self

    def __next__(self) -> bytes:
        with s3_errors():
            return next(self._pieces)

    def tell(self) -> int:
        return self._pieces.tell()

    def close(self) -> None:
        self._pieces.close()


class PutObjectStream:
    """Takes the bytes of an object, which is there when `close` returns."""

    def __init__(self, bucket: str, key: str, writer: StoreWriter) -> None:
        self.bucket = bucket
        self.key = key
        self._writer = writer

    def write(self, data: Any) -> None:
        with s3_errors(NO_BUCKET):
            self._writer.write(data)

    def close(self) -> None:
        with s3_errors(NO_BUCKET):
            self._writer.close()

    def abort(self) -> None:
        with s3_errors(NO_BUCKET):
            self._writer.abort()


class ListObjectStream:
    """The pages of a listing. Pickled, it goes on where it stood."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        continuation_token: Optional[str] = None,
        complete: bool = False,
    ) -> None:
        if delimiter not in ("", "/"):
            raise ValueError(f"delimiter must be '' or '/', but got {delimiter!r}")
        self._client = client
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.max_keys = max_keys
        #: The last name of the page before: the next page begins behind it.
        self.continuation_token = continuation_token
        self.complete = complete
        self._pages: Optional[Iterator[List[Any]]] = None

    @classmethod
    def _from_state(cls, **state: Any) -> "ListObjectStream":
        return cls(**state)

    def __getstate__(self) -> Dict[str, Any]:
        names = ("bucket", "prefix", "delimiter", "max_keys", "continuation_token", "complete")
        return {"client": self._client, **{name: getattr(self, name) for name in names}}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __iter__(self) -> "ListObjectStream":
        return self

    def __next__(self) -> ListObjectResult:
        if self.complete:
            raise StopIteration
        with s3_errors(NO_BUCKET):
            if self._pages is None:
                self._pages = self._client._store.list_pages(
                    Place(f"s3://{self.bucket}", self.prefix),
                    self.delimiter or None,
                    self.continuation_token,
                    self.max_keys,
                )
            page = next(self._pages, None)
        if page is None:
            self.complete = True
            raise StopIteration
        result = ListObjectResult(
            [listed(each) for each in page if not isinstance(each, str)],
            [each for each in page if isinstance(each, str)],
        )
        if page:
            last = page[-1]
            # Behind a common prefix, and behind everything that begins with it.
            self.continuation_token = f"{last}\U0010ffff" if isinstance(last, str) else last.key
        return result


__all__ = ["GetObjectStream", "ListObjectStream", "PutObjectStream", "S3Client", "S3ClientConfig"]
