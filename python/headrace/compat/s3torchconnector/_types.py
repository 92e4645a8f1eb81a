"""What S3 says of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, NamedTuple, Optional

from ..._store import ObjectInfo as StoredInfo


@dataclass(frozen=True)
class RestoreStatus:
    in_progress: bool
    expiry: Optional[int]


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing has it. `last_modified` is in seconds since 1970."""

    key: str
    etag: str
    size: int
    last_modified: int
    storage_class: Optional[str] = None
    restore_status: Optional[RestoreStatus] = None


@dataclass(frozen=True)
class HeadObjectResult:
    etag: str
    size: int
    last_modified: int
    storage_class: Optional[str] = None
    restore_status: Optional[RestoreStatus] = None


@dataclass
class ListObjectResult:
    """A page of a listing."""

    object_info: List[ObjectInfo] = field(default_factory=list)
    common_prefixes: List[str] = field(default_factory=list)


class S3BucketKeyData(NamedTuple):
    """An object of a dataset, with what a listing said of it."""

    bucket: str
    key: str
    object_info: Optional[ObjectInfo] = None


def quoted(etag: str) -> str:
    """As the header has it, which is how the connector gives it."""
    return etag if etag.startswith(('"', "W/")) else f'"{etag}"'


def listed(info: StoredInfo) -> ObjectInfo:
    # A listing names the ordinary class too, which our stores leave out.
    kind = info.storage_class or "STANDARD"
    return ObjectInfo(info.key, quoted(info.etag), info.size, int(info.modified // 1000), kind)


def looked_up(info: StoredInfo) -> HeadObjectResult:
    return HeadObjectResult(quoted(info.etag), info.size, int(info.modified // 1000), info.storage_class)
