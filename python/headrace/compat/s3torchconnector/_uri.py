from __future__ import annotations

from typing import Tuple


def parse_s3_uri(uri: str) -> Tuple[str, str]:
    """``s3://bucket/key`` as bucket and key. ValueError for anything else."""
    scheme, mark, rest = (uri or "").partition("s3://")
    if scheme or not mark:
        raise ValueError("Only s3:// URIs are supported")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise ValueError("Bucket name must be non-empty")
    return bucket, key
