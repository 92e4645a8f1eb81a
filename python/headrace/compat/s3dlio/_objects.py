"""Objects by URI: s3://, az://, gs://, file:// and direct://."""

from __future__ import annotations

import glob
import os
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from ..._store import ObjectInfo
from ...errors import HeadraceError
from ._bytes import BytesView
from ._listing import list as list_uris
from ._listing import split_uri
from ._stores import LengthMismatchError, ObjectNotFoundError, in_background, native_errors, store, url_of

Buffer = Union[bytes, bytearray, memoryview]


def get(uri: str) -> BytesView:
    """The whole object."""
    with native_errors():
        return BytesView(store().get(url_of(uri)))


def get_range(uri: str, offset: int, length: Optional[int] = None) -> BytesView:
    """Bytes from `offset` on; fewer where the object ends, none behind its end."""
    with native_errors():
        try:
            return BytesView(store().get_range(url_of(uri), offset, length))
        except HeadraceError as error:
            info = store().head(url_of(uri)) if error.code == "E_USAGE" and offset >= 0 else None
            if info is not None and offset >= info.size:
                return BytesView()
            raise


def get_many(uris: Sequence[str], max_in_flight: int = 64) -> List[Tuple[str, BytesView]]:
    """(URI, bytes) of each, in their order."""
    with native_errors():
        found = store().get_many([url_of(uri) for uri in uris], max_in_flight)
        return [(uris[index], BytesView(data)) for index, _, data in found]


def get_many_stats(uris: Sequence[str], max_in_flight: int = 64) -> Tuple[int, int]:
    """Reads the objects and keeps nothing: how many there were, and their bytes."""
    count = total = 0
    with native_errors():
        for _, _, data in store().get_many([url_of(uri) for uri in uris], max_in_flight):
            count += 1
            total += len(data)
    return count, total


def get_into(uri: str, dst: Any, *, expected_len: int) -> int:
    """Reads the object to `dst`, which must have room for it. LengthMismatchError where it has not `expected_len` bytes."""
    view = memoryview(dst).cast("B")
    with native_errors():
        info = store().head(url_of(uri))
        if info is None:
            raise ObjectNotFoundError(f"there is no {uri}")
        if info.size != expected_len or len(view) < info.size:
            raise LengthMismatchError(f"{uri} has {info.size} bytes, {expected_len} were expected, room is for {len(view)}")
        return store().read_into(url_of(uri), view[: info.size], 0, info.etag)


def put_bytes(uri: str, data: Buffer) -> None:
    with native_errors():
        store().put(url_of(uri), data)


def put_many(items: Iterable[Tuple[str, Buffer]], max_in_flight: int = 64) -> None:
    """Writes (URI, bytes) pairs, so many at once."""
    with native_errors():
        store().put_many(((url_of(uri), data) for uri, data in items), max_in_flight)


def _described(uri: str, info: ObjectInfo) -> Dict[str, Any]:
    return {
        "size": info.size,
        "last_modified": _date(info.modified),
        "etag": f'"{info.etag}"' if uri.startswith("s3://") else info.etag,
        "content_type": info.content_type,
        "storage_class": info.storage_class,
        "metadata": dict(info.metadata or {}),
    }


def _date(milliseconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def stat(uri: str) -> Dict[str, Any]:
    """size, last_modified, etag, content_type, storage_class, metadata."""
    with native_errors():
        info = store().head(url_of(uri))
    if info is None:
        raise ObjectNotFoundError(f"there is no {uri}")
    return _described(uri, info)


def stat_many(uris: Sequence[str]) -> List[Dict[str, Any]]:
    with native_errors():
        found = store().head_many([url_of(uri) for uri in uris])
    described: List[Dict[str, Any]] = []
    for uri, info in zip(uris, found):
        if info is None:
            raise ObjectNotFoundError(f"there is no {uri}")
        described.append(_described(uri, info))
    return described


def exists(uri: str) -> bool:
    with native_errors():
        return store().head(url_of(uri)) is not None


def delete(uri: str, recursive: bool = False) -> None:
    """An object; with `recursive` a folder and all that is in it, or what a glob matches. What is not there is no error."""
    with native_errors():
        if not recursive:
            store().delete(url_of(uri))
            return
        if "*" in uri:
            for each in list_uris(uri):
                store().delete(url_of(each))
            return
        try:
            store().remove(url_of(uri))
        except HeadraceError as error:
            if error.code != "E_NOT_FOUND":
                raise


def mkdir(uri: str) -> None:
    """A folder, where there are folders; object stores need none."""
    scheme = uri.partition("://")[0]
    if "://" not in uri or scheme in ("file", "direct"):
        os.makedirs(url_of(uri).partition("://")[2] or url_of(uri), exist_ok=True)


def upload(src_patterns: Sequence[str], dest_prefix: str, max_in_flight: int = 32, create_bucket: bool = False) -> None:
    """Files that the globs match, below the prefix, by their names. RuntimeError where none is, or two have one name."""
    files = [path for pattern in src_patterns for path in sorted(glob.glob(os.path.expanduser(pattern), recursive=True))]
    files = [path for path in files if os.path.isfile(path)]
    if not files:
        raise RuntimeError(f"no file matches {', '.join(src_patterns)}")
    if create_bucket:
        create_bucket_of(dest_prefix)
    target = dest_prefix if dest_prefix.endswith("/") else f"{dest_prefix}/"
    with native_errors():
        store().transfer(files, url_of(target), jobs=max_in_flight)


def download(src_uri: str, dest_dir: str, max_in_flight: int = 64, recursive: bool = True) -> None:
    """The object, or the objects of a folder, below a local folder. Subfolders stay, so that no two have one name."""
    os.makedirs(dest_dir, exist_ok=True)
    target = os.path.join(os.path.abspath(dest_dir), "")
    with native_errors():
        if "*" in src_uri or not recursive:
            uris = [uri for uri in list_uris(src_uri, recursive) if not uri.endswith("/")]
            if not uris:
                raise ObjectNotFoundError(f"there is nothing at {src_uri}")
            store().transfer([url_of(uri) for uri in uris], target, jobs=max_in_flight)
        else:
            store().transfer([url_of(src_uri)], target, recursive=True, jobs=max_in_flight)


def create_bucket_of(uri: str) -> None:
    head, _ = split_uri(uri)
    try:
        store().create_container(url_of(head))
    except HeadraceError as error:
        if error.code != "E_EXISTS":
            raise


def create_bucket(bucket_name: str) -> None:
    """A bucket of S3, or of the store that a URI names. One that is there already is no error."""
    with native_errors():
        create_bucket_of(bucket_name if "://" in bucket_name else f"s3://{bucket_name}/")


def delete_bucket(bucket_name: str) -> None:
    """RuntimeError where it is not empty."""
    uri = bucket_name if "://" in bucket_name else f"s3://{bucket_name}/"
    with native_errors():
        store().delete_container(url_of(split_uri(uri)[0]))


def list_containers(uri: str, /) -> List[Dict[str, Any]]:
    """The buckets of an account (``s3://``, ``az://account``): name, uri, creation_date."""
    with native_errors():
        found = store().list_containers(uri)
    return [
        {
            "name": each["name"],
            "uri": f"{uri}{each['name']}" if uri.endswith("/") else f"{uri}/{each['name']}",
            "creation_date": None if each.get("created") is None else _date(each["created"]),
        }
        for each in found
    ]


def parse_s3_uri_full(uri: str) -> Dict[str, Optional[str]]:
    """bucket, key and, of ``s3://host:port/bucket/key``, endpoint."""
    if not uri.startswith("s3://"):
        raise ValueError(f"an S3 URI is s3://bucket/key, but got {uri!r}")
    server, _, rest = uri[len("s3://") :].partition("/")
    endpoint = server if ":" in server else None
    bucket, _, key = (rest if endpoint else uri[len("s3://") :]).partition("/")
    return {"endpoint": endpoint, "bucket": bucket, "key": key}


get_async = in_background(get)
get_range_async = in_background(get_range)
get_many_async = in_background(get_many)
get_many_stats_async = in_background(get_many_stats)
get_into_async = in_background(get_into)
put_bytes_async = in_background(put_bytes)
put_many_async = in_background(put_many)
stat_async = in_background(stat)
stat_many_async = in_background(stat_many)
exists_async = in_background(exists)
mkdir_async = in_background(mkdir)
